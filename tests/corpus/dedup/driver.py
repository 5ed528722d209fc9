"""A dedup run in memory, and documents to run it on."""

import random
from collections.abc import Iterable, Sequence
from operator import methodcaller

import numpy as np
import pyarrow as pa

from corpus.rules import Block, Cleaned, Dedup, Memory, PartRef, Reread
from corpus.schema import Document, Origin, document_batch
from corpus.steps.spill import gather

Shape = tuple[int, int, int, int]
"""Number of parts, rows in a batch, partitions, seed of the order of blocks."""

MANY = 1000
"""More partitions, and parts, than a test has."""

SHAPES: list[Shape] = [(1, 4000, 1, 0), (3, 7, 5, 1), (13, 2, 64, 2)]


def documents(texts: Iterable[str], url: str | None = None) -> list[Document]:
    return [Document(f"s:{i}", text, Origin("f"), url=url) for i, text in enumerate(texts)]


def regroup(blocks: Iterable[Block], order: random.Random) -> dict[int, list[pa.RecordBatch]]:
    held: dict[int, list[pa.RecordBatch]] = {}
    for block in sorted(blocks, key=lambda _: order.random()):
        assert block[1].num_rows
        for key, batch in gather([block], MANY):
            held.setdefault(key, []).append(batch)
    return held


def decide(
    rule: Dedup,
    refs: Sequence[PartRef],
    parts: list[list[pa.RecordBatch]],
    shape: Shape,
    shipped: list[int] | None = None,
) -> dict[int, pa.Table]:
    """Decisions by part index. Adds the bytes that go through each regrouping to `shipped`."""
    order = random.Random(shape[3])
    rounds = rule.rounds()
    sizes = [len(parts) if isinstance(r, Reread) else r.partitions or shape[2] for r in rounds]
    blocks = [
        b
        for ref, part in zip(refs, parts, strict=True)
        for b in (memory_of(rule).sign if ref.kept else rule.sign)(ref, iter(part), sizes[0])
    ]
    for number, step in enumerate(rounds):
        assert all(0 <= np.min(key) <= np.max(key) < sizes[number] for key, _ in blocks)
        after = sizes[number + 1] if number + 1 < len(rounds) else len(parts)
        if shipped is not None:
            shipped.append(sum(block.nbytes for _, block in blocks))
        held = regroup(blocks, order)
        if isinstance(step, Reread):
            columns = {i: list(step.kept if refs[i].kept else step.columns) for i in held}
            seen = {i: map(methodcaller("select", columns[i]), parts[i]) for i in held}
            blocks = [b for i, some in held.items() for b in step.answer(refs[i], seen[i], some, after)]
        else:
            blocks = [b for some in held.values() for b in step.decide(some, after)]
    return {part: pa.Table.from_batches(held) for part, held in regroup(blocks, order).items()}


def memory_of(rule: Dedup) -> Memory:
    memory = rule.memory()
    assert isinstance(memory, Memory)
    return memory


def kept_of(rule: Dedup, ref: PartRef, part: list[pa.RecordBatch], decisions: pa.Table | None) -> list[pa.RecordBatch]:
    """What an index keeps of a part."""
    memory = memory_of(rule)
    found = list(memory.keep(ref, (batch.select(list(memory.columns)) for batch in part), decisions))
    assert all(batch.schema == memory.schema for batch in found)
    return found


def run(rule: Dedup, docs: Sequence[Document], shape: Shape = SHAPES[0], group: str = "") -> dict[str, tuple]:
    """id -> (reason, text, kept lines) of every document, dealt to the parts in a shuffled order."""
    count, rows, _, seed = shape
    dealt = random.Random(seed).sample(list(docs), len(docs))
    spread = [dealt[i::count] for i in range(count)]
    parts = [[document_batch(part[i : i + rows], "s") for i in range(0, len(part), rows)] for part in spread]
    refs = [PartRef(i, 0, group) for i in range(count)]
    decisions = decide(rule, refs, parts, shape)
    result = {}
    for index, part in enumerate(parts):
        row = 0
        for batch in part:
            cleaned: Cleaned = rule.apply(batch, row, decisions.get(index))
            row += batch.num_rows
            cleaned.text.validate(full=True)
            kept = cleaned.kept_lines.to_pylist() if cleaned.kept_lines is not None else [None] * batch.num_rows
            for i, reason in enumerate(cleaned.reason.to_pylist()):
                text = None if reason else cleaned.text[i].as_py()
                result[batch["id"][i].as_py()] = (reason, text, None if reason else kept[i])
    return dict(sorted(result.items()))
