"""How fast this machine does the steps of a recipe: the real functions on the raw files of `corpus demo`."""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.dedup.ids import BYTES_PER_DOCUMENT
from corpus.demo.raw import make
from corpus.errors import UserError
from corpus.parts import read_part, text_bytes
from corpus.recipe.load import Recipe, SourceEntry, bundled, load
from corpus.rules import PartRef
from corpus.sources.raw import Split
from corpus.steps.chain import apply_rule, with_column
from corpus.steps.dedupe import SignInput, SignTask, sign, turn, widths
from corpus.steps.extract import DecideIds, ExtractTask, SignIds, extract_part
from corpus.steps.grouping import Group
from corpus.steps.process import ProcessTask, process_part
from corpus.steps.result import PartResult
from corpus.steps.rule import NamedRule
from corpus.steps.spill import Spilled, WriteSpill, spilled_partitions
from corpus.storage import join
from pipelines.plan.rates import Rates
from tokenizer.tokenize import TokenizeTask, TokenPart, tokenize_parts
from tokenizer.train import train

PART_BYTES = 8 << 20
"""Text of the parts that are measured on: files of the demo are read again and again until there is so much."""
LEAST_SECONDS = 0.5
"""Of processor time that a measurement takes at least."""
FALLBACK = "commoncrawl"
"""Its documents stand for those of a source that the demo has no raw files of, and of all sources together."""
VOCAB_SIZE = 4000
"""Of the tokenizer that is trained where the recipe names none: a few MB of text hold no 32,000 pieces."""


def calibrate(recipe: Recipe, say: Callable[[str], None] = print) -> Rates:
    """Measures the work of a recipe, in processor time of one core, on a few MB of text. Takes a minute or two.

    What cannot be measured here, for want of a model file or a library, is told and left out.

    Raises:
        OSError: the temporary folder cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="corpus-calibrate-") as home:
        make(Path(home) / "raw")
        demo = load(bundled("demo"), variables={"DEMO": home}, needs_models=False).sources
        measure = _Measure(home, say)
        small, large = {}, {}
        for entry in demo:
            if entry.type in {wanted.type for wanted in recipe.sources} | {FALLBACK}:
                small[entry.type], large[entry.type] = measure.extract(entry)
        measure.parts(large[FALLBACK])
        for entry in recipe.sources:
            if entry.type not in large:
                say(f"extract {entry.type}: not measured: the demo has no raw files of this kind")
            measure.rules(entry.steps, large.get(entry.type, large[FALLBACK]))
        measure.rules(recipe.across, large[FALLBACK])
        if recipe.tokenizer is not None:
            model = recipe.tokenizer.model
            measure.tokenizer(model if model is not None and os.path.isfile(model) else None, list(small.values()))
    machine = f"{platform.node()} ({os.cpu_count()}-core {platform.machine()})"
    return Rates(machine, date.today().isoformat(), measure.bytes_per_s)


@dataclass(frozen=True)
class _Documents:
    """One part of a folder."""

    folder: StepFolder
    result: PartResult

    @property
    def path(self) -> str:
        return self.folder.data(0)

    @property
    def bytes(self) -> int:
        return self.result.bytes_in


class _Measure:
    """Collects rates; each measurement gets folders of its own, since finished work is never done again."""

    def __init__(self, home: str, say: Callable[[str], None]) -> None:
        self._home = home
        self._say = say
        self._folders = 0
        self.bytes_per_s: dict[str, float] = {}

    def _folder(self) -> str:
        self._folders += 1
        return join(self._home, f"work-{self._folders}")

    def _record(self, name: str, size: float, work: Callable[[], object]) -> None:
        if name in self.bytes_per_s:
            return
        try:
            work()  # compiles kernels, loads models
        except UserError as error:
            self._say(f"{name}: not measured: {error}")
            return
        taken: list[float] = []
        while sum(taken) < LEAST_SECONDS:
            begun = time.process_time()
            work()
            taken.append(max(time.process_time() - begun, 1e-6))
        self.bytes_per_s[name] = size / min(taken)
        self._say(f"{name}: {self.bytes_per_s[name] / 1e6:,.1f} MB/s")

    def extract(self, entry: SourceEntry) -> tuple[_Documents, _Documents]:
        """The documents of the demo's files, and the same over and over."""
        source = entry.source
        splits = source.splits(source.files(entry.input, entry.include), entry.split_bytes)
        pieces = tuple(piece for split in splits for piece in split.pieces)

        def run(times: int) -> _Documents:
            output = StepFolder(self._folder())
            split = Split(pieces * times, splits[0].group)
            task = ExtractTask(0, entry.name, source, entry.input, split, "", output, "")
            return _Documents(output, extract_part(task))

        once = run(1)
        times = max(1, PART_BYTES // max(1, once.bytes))
        many = run(times)
        self._record(f"extract {entry.type}", many.bytes, lambda: run(times))
        size = many.result.documents_out * BYTES_PER_DOCUMENT
        self._record("ids of extract", size, lambda: self._ids(many))
        return once, many

    def _ids(self, documents: _Documents) -> None:
        """The search for duplicate ids in one part."""
        folder, again = self._folder(), self._folder()
        spills = [WriteSpill(SignIds(documents.folder, 1), 1, folder)(Group((documents.result,)))]
        for partition in spilled_partitions(spills, folder, 1):
            WriteSpill(DecideIds(1), 1, again)(Group((partition,)))

    def parts(self, documents: _Documents) -> None:
        """Reading a part and writing it again, with its sidecar: what every step does besides its rules."""

        def run() -> None:
            output = StepFolder(self._folder())
            process_part(ProcessTask(0, "", documents.folder, output, "", "", ()))

        self._record("read and write parts", documents.bytes, run)

    def rules(self, rules: Sequence[NamedRule], documents: _Documents) -> None:
        """Each rule on what the one before it makes of the text; filters and dedups drop nothing here."""
        batches = list(read_part(documents.path))
        for named in rules:
            size = sum(map(text_bytes, batches))
            if named.is_dedup:
                self.dedup(named, documents)
                continue
            self._record(named.name, size, lambda: [apply_rule(named, batch) for batch in batches])  # noqa: B023
            if named.is_filter and "language" in named.filter.score_names():  # rules after it look at that column
                english = [pa.array(["en"] * batch.num_rows) for batch in batches]
                batches = [with_column(b, "language", column) for b, column in zip(batches, english, strict=True)]
            elif named.is_cleaner and named.name in self.bytes_per_s:
                cleaned = [apply_rule(named, batch) for batch in batches]
                batches = [applied.after.filter(applied.reasons.is_null()) for applied in cleaned]

    def dedup(self, named: NamedRule, documents: _Documents) -> None:
        """Signing with its spill files, deciding round by round, and applying the decisions."""
        size = named.dedup.estimate(documents.result.documents_out, documents.bytes)
        rounds = named.dedup.rounds()
        partitions = widths(rounds, size, 1)
        task = SignTask(0, PartRef(0), documents.path, named, partitions[0])
        inputs = [SignInput(documents.folder, documents.folder, 0, 0)]

        def signed() -> tuple[str, list[Spilled]]:
            folder = self._folder()
            return folder, [WriteSpill(sign, partitions[0], folder)(Group((task,)))]

        def decided(folder: str, spills: list[Spilled]) -> tuple[str, list[Spilled]]:
            for given, width, following in zip(rounds, partitions[:-1], partitions[1:], strict=True):
                tasks = spilled_partitions(spills, folder, width)
                folder = self._folder()
                write = WriteSpill(turn(given, inputs, following), following, folder)
                spills = [write(Group((task,))) for task in tasks]
            return folder, spills

        first = signed()
        folder, spills = decided(*first)
        blocks = [block for partition in spilled_partitions(spills, folder, 1) for block in partition.blocks()]
        decisions = pa.Table.from_batches(blocks).combine_chunks() if blocks else None

        def apply() -> None:
            row = 0
            for batch in batches:
                named.dedup.apply(batch, row, decisions)
                row += batch.num_rows

        batches = list(read_part(documents.path))
        self._record(f"{named.name}: sign", documents.bytes, signed)
        self._record(f"{named.name}: decide", size, lambda: decided(*first))
        self._record(f"{named.name}: apply", documents.bytes, apply)

    def tokenizer(self, model: str | None, documents: Sequence[_Documents]) -> None:
        """Training, and packing shards: of text that comes once, since words seen before are encoded faster."""
        trained = join(self._home, "tokenizer.model")
        size = sum(one.bytes for one in documents)
        self._record("train tokenizer", size, lambda: train(_lines(documents), trained, VOCAB_SIZE, max_skipped=1.0))
        if model is None and "train tokenizer" not in self.bytes_per_s:
            return
        parts = tuple(TokenPart(n, one.path, "", one.result.documents_out) for n, one in enumerate(documents))

        def run(some: tuple[TokenPart, ...]) -> float:
            begun = time.process_time()
            tokenize_parts(TokenizeTask(0, some, self._folder(), model or trained, "0" * 64))
            return time.process_time() - begun

        run(parts)
        # The model is read once a shard of 2 GiB: that time is taken out.
        seconds = min(run(parts) for _ in range(3)) - min(run(()) for _ in range(3))
        self.bytes_per_s["tokenize"] = size / max(seconds, 1e-6)
        self._say(f"tokenize: {self.bytes_per_s['tokenize'] / 1e6:,.1f} MB/s")


def _lines(documents: Iterable[_Documents]) -> Iterable[Any]:
    for one in documents:
        for batch in read_part(one.path, columns=["text"]):
            for text in batch.column("text").to_pylist():
                yield from text.split("\n")
