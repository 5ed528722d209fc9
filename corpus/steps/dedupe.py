"""What a dedup does to one part and to one partition, and where its decisions go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from corpus.dataset import Part, StepFolder
from corpus.errors import UserError
from corpus.parts import read_part, rows_in, write_part
from corpus.rules import Block, Dedup, PartRef, Reread, Round
from corpus.steps.dedup_index import Index, KeepTask, KeptInput, Seen, memory_of
from corpus.steps.result import PartResult
from corpus.steps.rule import NamedRule
from corpus.steps.spill import Produce
from corpus.storage import clear_attempts, exists, file_digest, join, names, read_json, relative, write_json

PARTITION_BYTES = 16 << 20
"""Signature bytes aimed at in one partition: sorting them takes a few times as much memory."""
LARGEST_PARTITION_BYTES = 256 << 20
MANY_PARTITIONS = 4096

LOUD_SHARE = 0.5
"""More of a source's documents than this are not dropped without a line that says so; our choice."""


class Partition(Protocol):
    """What `pipelines.engine.exchange.Exchange` gives for each partition."""

    part: int

    def blocks(self) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True)
class SignTask:
    """One part among all parts of a dedup, which may span several sources.

    Attributes:
        path: of its Parquet file.
        digest: SHA-256 that the file has, of the part of an index; "" of another part.
    """

    part: int
    ref: PartRef
    path: str
    named: NamedRule
    partitions: int
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({self.named.key})"


def sign(task: SignTask) -> Iterator[Block]:
    """The blocks of one part for the first round.

    Raises:
        UserError: the part of an index is not the one that was written with it.
    """
    if task.digest and file_digest(task.path) != task.digest:
        raise UserError(f"{task.path} is not what its index was made with: put that back, or make the index again")
    sign_part = memory_of(task.named).sign if task.ref.kept else task.named.dedup.sign
    yield from sign_part(task.ref, read_part(task.path), task.partitions)


@dataclass(frozen=True)
class SignInput:
    """One source that goes into a dedup: its parts count from `first` among the parts of all."""

    input: StepFolder
    output: StepFolder
    first: int
    priority: int

    def ref(self, number: int) -> PartRef:
        """A part of it, as the dedup sees it."""
        return PartRef(self.first + number, self.priority, read_json(self.input.sidecar(number))["group"])

    def data(self, number: int) -> str:
        return self.input.data(number)

    def digests(self) -> Sequence[str]:
        """Of its parts, where they are looked at: of an index alone."""
        return ()

    def refs(self) -> Iterator[tuple[int, PartRef]]:
        """(number, part) of all of them."""
        for part in self.input.parts():
            yield part.number, PartRef(self.first + part.number, self.priority, part.group)


@dataclass(frozen=True)
class SignTasks:
    """Reads the manifests of a dedup's inputs into tasks."""

    named: NamedRule
    partitions: int

    def __call__(self, source: SignInput | KeptInput) -> Iterator[SignTask]:
        digests = source.digests()
        for number, ref in source.refs():
            digest = digests[number] if digests else ""
            yield SignTask(ref.index, ref, source.data(number), self.named, self.partitions, digest)


def sign_inputs(
    inputs: Sequence[StepFolder], outputs: Sequence[StepFolder], before: Seen
) -> tuple[list[SignInput], list[Part]]:
    """The inputs of a dedup in order of priority, behind what was seen before, and the parts of all of them."""
    result: list[SignInput] = []
    parts: list[Part] = []
    for priority, (source, output) in enumerate(zip(inputs, outputs, strict=True), before.sources):
        result.append(SignInput(source, output, before.parts + len(parts), priority))
        parts.extend(source.parts())
    return result, parts


def keep_tasks(named: NamedRule, step: str, sources: Sequence[SignInput], before: Seen) -> Iterator[KeepTask]:
    """A task for each part that goes into the index of a dedup whose decisions are complete."""
    assert named.dedup.index is not None
    index = Index(named.dedup.index)
    for source in sources:
        for number, ref in source.refs():
            yield KeepTask(
                part=ref.index - before.parts,
                ref=ref,
                priority=ref.priority - before.sources,
                data=source.data(number),
                decisions=source.output.meta("dedup", number),
                index=index,
                step=step,
                named=named,
            )


@dataclass(frozen=True)
class Decide:
    """A round over one partition, giving blocks for a next round of `partitions` partitions."""

    round: Round
    partitions: int

    def __call__(self, partition: Partition) -> Iterator[Block]:
        yield from self.round.decide(list(partition.blocks()), self.partitions)


@dataclass(frozen=True)
class Answer:
    """One part read again with what the round before gave for it; blocks for a next round of `partitions`."""

    reread: Reread
    inputs: tuple[SignInput | KeptInput, ...]
    partitions: int

    def __call__(self, partition: Partition) -> Iterator[Block]:
        source, number = _input_of(self.inputs, partition.part)
        ref = source.ref(number)
        batches = read_part(source.data(number), list(self.reread.kept if ref.kept else self.reread.columns))
        yield from self.reread.answer(ref, batches, list(partition.blocks()), self.partitions)


def turn(given: Round | Reread, inputs: Sequence[SignInput | KeptInput], partitions: int) -> Produce[Any]:
    """What a round or a reread does to each partition."""
    return Answer(given, tuple(inputs), partitions) if isinstance(given, Reread) else Decide(given, partitions)


def widths(rounds: Sequence[Round | Reread], signature_bytes: int, parts: int) -> list[int]:
    """Partitions that go into each of the rounds, and last the parts that there are decisions for."""
    return [
        *(
            parts if isinstance(given, Reread) else given.partitions or partitions_for(signature_bytes)
            for given in rounds
        ),
        parts,
    ]


@dataclass(frozen=True)
class WriteDecisions:
    """Writes what the last round decided for one part, sorted, beside the step's other files. Of a part of an index
    it was decided when that was made, and is the same again."""

    inputs: tuple[SignInput | KeptInput, ...]

    def __call__(self, partition: Partition) -> PartResult:
        source, number = _input_of(self.inputs, partition.part)
        if isinstance(source, KeptInput):
            return PartResult(partition.part)
        table = pa.Table.from_batches(partition.blocks()).combine_chunks()
        table = table.sort_by([(name, "ascending") for name in table.schema.names])
        write_part(source.output.meta("dedup", number), table.schema, iter(table.to_batches()))
        return PartResult(partition.part)


def _input_of(inputs: Sequence[SignInput | KeptInput], index: int) -> tuple[SignInput | KeptInput, int]:
    """The source of a part among the parts of all, and its number there."""
    source = max((source for source in inputs if source.first <= index), key=lambda source: source.first)
    return source, index - source.first


def partitions_for(signature_bytes: int) -> int:
    """Partitions for an exchange of about this many bytes: a pure function, so that a restart agrees."""
    wanted = -(-signature_bytes // PARTITION_BYTES)
    if wanted > MANY_PARTITIONS:
        wanted = max(MANY_PARTITIONS, -(-signature_bytes // LARGEST_PARTITION_BYTES))
    return max(1, wanted)


def finish_decisions(source: SignInput, inputs: Sequence[SignInput | KeptInput], step: str) -> None:
    """Writes the index that says the decisions for a source are complete: the digest of each file, and where the parts
    are that `partner_part` counts (`docs/format.md`)."""
    output = source.output
    clear_attempts(output.dedup_folder)
    found = {}
    for name in names(output.dedup_folder):
        if name.endswith(".parquet"):
            found[str(int(name[len("part-") : -len(".parquet")]))] = file_digest(join(output.dedup_folder, name))
    places = [[other.first, relative(other.input.path, output.path)] for other in inputs]
    write_json(output.dedup_index, {"step": step, "decisions": found, "first": source.first, "inputs": places})


def would_drop(source: SignInput, rule: Dedup) -> str | None:
    """A line where complete decisions drop more of a source's documents than `LOUD_SHARE`, else None."""
    if rule.removes != "documents":
        return None
    documents = sum(part.documents for part in source.input.parts())
    output = source.output
    files = [join(output.dedup_folder, name) for name in names(output.dedup_folder) if name.endswith(".parquet")]
    dropped = sum(rows_in(path) for path in files)
    if dropped <= LOUD_SHARE * documents:
        return None
    look = (
        "is it boilerplate? Look at the largest clusters with `corpus near clusters`"
        if rule.names_partners
        else "look at some with `corpus show`"
    )
    return (
        f"WARNING: {output.path}: {dropped:,} of {documents:,} documents ({dropped / documents:.0%}) are going to be "
        f"dropped: {look}"
    )


def decided(folder: StepFolder, step: str) -> dict[str, str] | None:
    """SHA-256 of each part's decisions file by part number, or None when they are not complete."""
    if not exists(folder.dedup_index):
        return None
    body = read_json(folder.dedup_index)
    return dict(body["decisions"]) if body["step"] == step else None
