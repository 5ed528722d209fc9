"""How fast this machine does the steps of a recipe: the real functions on a little of its raw files."""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.dedup.ids import BYTES_PER_DOCUMENT
from corpus.demo.raw import make
from corpus.errors import UserError
from corpus.parts import read_part, text_bytes, write_part
from corpus.recipe.load import Recipe, SourceEntry, bundled, load
from corpus.rules import PartRef
from corpus.schema import SCHEMA
from corpus.sources.raw import Piece, Split, file_sizes
from corpus.steps.chain import apply_rule, with_column
from corpus.steps.dedupe import SignInput, SignTask, sign, turn, widths
from corpus.steps.extract import DecideIds, ExtractTask, SignIds, extract_part
from corpus.steps.grouping import Group
from corpus.steps.process import ProcessTask, process_part
from corpus.steps.result import PartResult
from corpus.steps.rule import NamedRule
from corpus.steps.spill import Spilled, WriteSpill, spilled_partitions
from corpus.storage import exists, join, open_read
from pipelines.plan.rates import Rates
from tokenizer.tokenize import TokenizeTask, TokenPart, tokenize_parts
from tokenizer.train import train

SAMPLE_BYTES = 8 << 20
"""Of raw files of a source: the heads of the first ones, `HEAD_BYTES` of each."""
HEAD_BYTES = 4 << 20
LEAST_TEXT = 500_000
"""Bytes of text in them without which they say little."""
LEAST_SECONDS = 0.5
"""Of processor time that a measurement takes at least, of work that remembers nothing of the text."""
FIRST_SECONDS = 0.02
"""What takes longer than this to see text for the first time is measured by that, as in a run: a second time, words are
known."""
WARM_UP = 20
"""Documents that a rule is given first, so that its kernels are compiled and its models read."""
FALLBACK = "commoncrawl"
"""Its documents stand for those of a source that the demo has no raw files of, and of all sources together."""
VOCAB_SIZE = 4000
"""Of the tokenizer that is trained where the recipe names none: a few MB of text hold no 32,000 pieces."""


def calibrate(recipe: Recipe, say: Callable[[str], None] = print) -> Rates:
    """Measures the work of a recipe, in processor time of one core, on a few MB of text. Takes a minute or two.

    A source is measured on the heads of its own raw files; where there is little of them, or they are of a kind that
    cannot be cut, on those that `corpus demo` makes. No text stands there twice: it would compress better than real
    text, and its words would be known.
    What cannot be measured here, for want of a model file or a library, is told and left out.

    Raises:
        OSError: the temporary folder cannot be written, or a raw file cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="corpus-calibrate-") as home:
        make(Path(home) / "raw")
        demo = {e.type: e for e in load(bundled("demo"), variables={"DEMO": home}, needs_models=False).sources}
        measure = _Measure(home, say)
        by_type: dict[str, _Documents] = {}
        for entry in recipe.sources:
            if entry.type in by_type:
                continue
            own = _heads(entry, join(home, "heads", entry.name))
            for sample, least in ((own, LEAST_TEXT), (demo.get(entry.type), 1), (own, 1)):
                if sample is not None and (documents := measure.extract(sample, least)) is not None:
                    by_type[entry.type] = documents
                    if sample is not own:
                        say(f"{entry.name}: on the demo's files: its own give less than {LEAST_TEXT:,} bytes of text")
                    break
            else:
                say(f"extract {entry.type}: not measured: no raw files whose heads can be read")
        fallback = by_type.get(FALLBACK) or measure.extract(demo[FALLBACK], 1)
        assert fallback is not None
        measure.parts(fallback)
        for entry in recipe.sources:
            measure.rules(entry.steps, by_type.get(entry.type, fallback))
        measure.rules(recipe.across, fallback)
        if recipe.tokenizer is not None:
            model = recipe.tokenizer.model
            every = {FALLBACK: fallback, **by_type}
            measure.tokenizer(model if model is not None and os.path.isfile(model) else None, list(every.values()))
    machine = f"{platform.node()} ({os.cpu_count()}-core {platform.machine()})"
    return Rates(machine, date.today().isoformat(), measure.bytes_per_s)


def _heads(entry: SourceEntry, folder: str) -> SourceEntry | None:
    """The source on copies of the heads of its raw files; None where it has none."""
    if not exists(entry.input):
        return None
    left = SAMPLE_BYTES
    for path in file_sizes(entry.input, entry.include):
        with open_read(join(entry.input, path)) as file:
            head = file.read(min(HEAD_BYTES, left))
        copy = Path(folder) / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(head)
        left -= len(head)
        if not left:
            break
    return replace(entry, input=folder)


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

    def _record(
        self,
        name: str,
        size: float,
        work: Callable[[], object],
        warm_up: Callable[[], object] | None = None,
        besides: Callable[[], object] | None = None,
    ) -> None:
        """Measures `work` on `size` bytes.

        Args:
            warm_up: what compiles kernels and loads models, for work that is measured when it sees its text first.
            besides: what costs the same whatever the size: its time is taken out, since a real part is a thousand
                times as large.
        """
        if name in self.bytes_per_s:
            return
        if not size:
            self._say(f"{name}: not measured: the rules before it leave no text")
            return
        try:
            (warm_up or work)()
        except UserError as error:
            self._say(f"{name}: not measured: {error}")
            return
        seconds = _least(work, stop_after=FIRST_SECONDS if warm_up else LEAST_SECONDS)
        if besides is not None:
            besides()
            seconds -= min(_least(besides, stop_after=LEAST_SECONDS / 4), seconds / 2)
        self.bytes_per_s[name] = size / seconds
        self._say(f"{name}: {self.bytes_per_s[name] / 1e6:,.1f} MB/s")

    def extract(self, entry: SourceEntry, least: int) -> _Documents | None:
        """The documents of a source's files; None where they have fewer than `least` bytes of text."""
        source = entry.source
        splits = source.splits(source.files(entry.input, entry.include), entry.split_bytes)
        pieces = tuple(piece for split in splits for piece in split.pieces)

        def run(pieces: tuple[Piece, ...] = pieces) -> _Documents:
            output = StepFolder(self._folder())
            split = Split(pieces, splits[0].group)
            task = ExtractTask(0, entry.name, source, entry.input, split, "", output, "")
            handed = source.hand_over(entry.input, [split], 0) if source.hands_over else ()
            return _Documents(output, extract_part(task, (block for _, block in handed)))

        found = run()
        if found.bytes < least:
            return None
        self._record(f"extract {entry.type}", found.bytes, run, besides=lambda: run(()))
        size = found.result.documents_out * BYTES_PER_DOCUMENT
        few = self._few(found)
        self._record("ids of extract", size, lambda: self._ids(found), besides=lambda: self._ids(few))
        return found

    def _few(self, documents: _Documents) -> _Documents:
        """A part of the first `WARM_UP` of them: work on it is what costs the same whatever the size."""
        head, folder = StepFolder(self._folder()), StepFolder(self._folder())
        write_part(head.data(0), SCHEMA, iter([next(read_part(documents.path)).slice(0, WARM_UP)]))
        return _Documents(folder, process_part(ProcessTask(0, "", head, folder, "", "", ())))

    def _ids(self, documents: _Documents) -> None:
        """The search for duplicate ids in one part."""
        folder, again = self._folder(), self._folder()
        spills = [WriteSpill(SignIds(documents.folder, 1), 1, folder)(Group((documents.result,)))]
        for partition in spilled_partitions(spills, folder, 1):
            WriteSpill(DecideIds(1), 1, again)(Group((partition,)))

    def parts(self, documents: _Documents) -> None:
        """Reading a part and writing it again, with its sidecar: what every step does besides its rules."""

        def run(documents: _Documents) -> None:
            output = StepFolder(self._folder())
            process_part(ProcessTask(0, "", documents.folder, output, "", "", ()))

        few = self._few(documents)
        work, besides = partial(run, documents), partial(run, few)
        self._record("read and write parts", documents.bytes, work, besides=besides)

    def rules(self, rules: Sequence[NamedRule], documents: _Documents) -> None:
        """Each rule on what the one before it makes of the text; filters and dedups drop nothing here."""
        batches = list(read_part(documents.path))
        for named in rules:
            size = sum(map(text_bytes, batches))
            if named.is_dedup:
                self.dedup(named, documents)
                continue
            self._record(
                named.name,
                size,
                lambda: [apply_rule(named, batch) for batch in batches],  # noqa: B023
                lambda: apply_rule(named, batches[0].slice(0, WARM_UP)),  # noqa: B023
            )
            if named.is_filter and "language" in named.filter.score_names():  # rules after it look at that column
                english = [pa.array(["en"] * batch.num_rows) for batch in batches]
                batches = [with_column(b, "language", column) for b, column in zip(batches, english, strict=True)]
            elif named.is_cleaner and named.name in self.bytes_per_s:
                cleaned = [apply_rule(named, batch) for batch in batches]
                batches = [applied.after.filter(applied.reasons.is_null()) for applied in cleaned]

    def dedup(self, named: NamedRule, documents: _Documents) -> None:
        """Signing with its spill files, deciding round by round, and applying the decisions."""
        size = named.dedup.estimate(documents.result.documents_out, documents.bytes)
        partitions = widths(named.dedup.rounds(), size, 1)
        works, besides = (self._dedup(named, some, partitions) for some in (documents, self._few(documents)))
        sizes = documents.bytes, size, documents.bytes
        for what, bytes_, work, beside in zip(("sign", "decide", "apply"), sizes, works, besides, strict=True):
            self._record(f"{named.name}: {what}", bytes_, work, besides=beside)

    def _dedup(
        self, named: NamedRule, documents: _Documents, partitions: Sequence[int]
    ) -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        """Signs, decides and applies."""
        task = SignTask(0, PartRef(0), documents.path, named, partitions[0])
        inputs = [SignInput(documents.folder, documents.folder, 0, 0)]

        def signed() -> tuple[str, list[Spilled]]:
            folder = self._folder()
            return folder, [WriteSpill(sign, partitions[0], folder)(Group((task,)))]

        def decided(folder: str, spills: list[Spilled]) -> tuple[str, list[Spilled]]:
            widths_of = zip(named.dedup.rounds(), partitions[:-1], partitions[1:], strict=True)
            for given, width, following in widths_of:
                tasks = spilled_partitions(spills, folder, width)
                folder = self._folder()
                write = WriteSpill(turn(given, inputs, following), following, folder)
                spills = [write(Group((task,))) for task in tasks]
            return folder, spills

        first = signed()
        folder, spills = decided(*first)
        blocks = [block for partition in spilled_partitions(spills, folder, 1) for block in partition.blocks()]
        decisions = pa.Table.from_batches(blocks).combine_chunks() if blocks else None
        batches = list(read_part(documents.path))

        def apply() -> None:
            row = 0
            for batch in batches:
                named.dedup.apply(batch, row, decisions)
                row += batch.num_rows

        return signed, lambda: decided(*first), apply

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


def _least(work: Callable[[], object], stop_after: float) -> float:
    """The least processor time of several goes, in seconds: as many as take `stop_after` together."""
    taken: list[float] = []
    while sum(taken) < stop_after:
        begun = time.process_time()
        work()
        taken.append(max(time.process_time() - begun, 1e-6))
    return min(taken)


def _lines(documents: Iterable[_Documents]) -> Iterable[Any]:
    for one in documents:
        for batch in read_part(one.path, columns=["text"]):
            for text in batch.column("text").to_pylist():
                yield from text.split("\n")
