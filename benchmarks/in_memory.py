"""A dedup on documents in memory, without files and in one process."""

import time
from collections.abc import Sequence

import pyarrow as pa

from corpus.rules import Dedup, PartRef, Reread
from corpus.steps.spill import gather

PARTITIONS = 8


def decided(
    rule: Dedup, parts: Sequence[Sequence[pa.RecordBatch]]
) -> tuple[list[tuple[int, pa.RecordBatch]], int, float]:
    """(decisions, each with the number of its part; bytes through all regroupings; seconds of processor time)."""
    refs = [PartRef(n) for n in range(len(parts))]
    rounds = rule.rounds()
    widths = [len(parts) if isinstance(r, Reread) else r.partitions or PARTITIONS for r in rounds] + [len(parts)]
    begun = time.process_time()
    blocks = [b for ref, part in zip(refs, parts, strict=True) for b in rule.sign(ref, iter(part), widths[0])]
    shipped = 0
    for given, width, after in zip(rounds, widths, widths[1:], strict=False):
        shipped += sum(block.nbytes for _, block in blocks)
        held = list(gather(blocks, width))
        if isinstance(given, Reread):
            blocks = [b for n, some in held for b in given.answer(refs[n], iter(parts[n]), [some], after)]
        else:
            blocks = [b for _, some in held for b in given.decide([some], after)]
    return list(gather(blocks, len(parts))), shipped, time.process_time() - begun
