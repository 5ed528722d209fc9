"""The steps of a source in order, the digest of each, and the tasks of each part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from corpus.dataset import Part, StepFolder
from corpus.rules import PartRef
from corpus.sources.raw import RawFile, Split
from corpus.sources.source import Source
from corpus.steps.dedupe import DedupPart, SignTask, decided
from corpus.steps.extract import ExtractTask
from corpus.steps.process import ProcessTask
from corpus.steps.rule import NamedRule
from corpus.storage import digest_of, join, read_json, write_json

EXTRACT_NUMBER = 10
ACROSS_NUMBER = 90


@dataclass(frozen=True)
class Step:
    """Adjacent per-part rules in one folder, after the dedup whose decisions they start from (docs/format.md, "Steps").

    Attributes:
        number: stands first in the folder's name, so that a listing shows the order.
        dedup: applied first, or None.
        rules: cleaners and filters in order.
    """

    number: int
    dedup: NamedRule | None
    rules: tuple[NamedRule, ...]

    @property
    def name(self) -> str:
        named = ([self.dedup] if self.dedup else []) + list(self.rules)
        return "+".join(rule.key for rule in named)

    def identity(self) -> dict[str, Any]:
        return {
            "dedup": self.dedup.identity() if self.dedup else None,
            "rules": [rule.identity() for rule in self.rules],
        }


def steps_of(rules: Sequence[NamedRule], first_number: int = EXTRACT_NUMBER + 10) -> list[Step]:
    """Groups rules into steps: a dedup starts a new one, and what follows it fuses with its `apply`."""
    groups: list[tuple[NamedRule | None, list[NamedRule]]] = []
    for named in rules:
        if named.is_dedup:
            groups.append((named, []))
        elif groups:
            groups[-1][1].append(named)
        else:
            groups.append((None, [named]))
    return [Step(first_number + 10 * n, dedup, tuple(some)) for n, (dedup, some) in enumerate(groups)]


def folder_name(number: int, name: str, digest: str) -> str:
    return f"{number}-{name}-{digest[:8]}"


def extract_digest(source: Source, files: Sequence[RawFile], splits: Sequence[Split]) -> str:
    """The digest of an extract step: the raw files, how they are split, and the source's settings and version."""
    return digest_of(
        {
            "step": "extract",
            "source": source.name,
            "version": source.version,
            "settings": source.model_dump(mode="json"),
            "files": [[file.path, file.size, file.digest] for file in files],
            "splits": [split.to_json() for split in splits],
        }
    )


def step_digest(step: Step, inputs: Sequence[StepFolder]) -> str:
    """The digest of a step: its input manifests and the identity of its rules."""
    return digest_of({**step.identity(), "inputs": [folder.manifest_digest() for folder in inputs]})


def score_keys(step: Step, source: StepFolder) -> dict[str, str]:
    """For each filter of a step, a digest of all that decides its scores: equal digests, equal scores."""
    before: list[Any] = [source.manifest_digest(), step.dedup.identity() if step.dedup else None]
    keys = {}
    for named in step.rules:
        if named.is_filter:
            keys[named.key] = digest_of([*before, named.score_identity()])
        else:
            before.append(named.identity())
    return keys


def write_extract_plan(folder: StepFolder, files: Sequence[RawFile], splits: Sequence[Split]) -> str:
    """Writes the plan that the cluster's first element names, and returns its path."""
    digest_by_path = {file.path: file.digest for file in files}
    path = join(folder.path, "meta", "plan.json")
    write_json(
        path,
        {
            "splits": [
                {**split.to_json(), "digest": digest_of([digest_by_path[piece.path] for piece in split.pieces])}
                for split in splits
            ]
        },
    )
    return path


@dataclass(frozen=True)
class ExtractTasks:
    """Reads a plan into tasks, on whatever machine runs it."""

    source: Source
    root: str
    output: StepFolder
    step: str

    def __call__(self, plan_path: str) -> Iterator[ExtractTask]:
        for part, body in enumerate(read_json(plan_path)["splits"]):
            yield ExtractTask(
                part, self.source, self.root, Split.from_json(body), body["digest"], self.output, self.step
            )


@dataclass(frozen=True)
class ProcessTasks:
    """Reads the manifest of the step before into tasks."""

    step: Step
    digest: str
    output: StepFolder
    stored_scores: dict[str, StepFolder] = field(default_factory=dict)

    def __call__(self, source: StepFolder) -> Iterator[ProcessTask]:
        decisions = (decided(self.output, self.digest) or {}) if self.step.dedup else {}
        for part in source.parts():
            yield ProcessTask(
                part=part.number,
                group=part.group,
                input=source,
                output=self.output,
                step=self.digest,
                input_digest=part.digest,
                rules=self.step.rules,
                dedup=self.step.dedup,
                dedup_digest=decisions.get(str(part.number), ""),
                stored_scores=self.stored_scores,
            )


@dataclass(frozen=True)
class SignInput:
    """One source that goes into a dedup: its parts count from `first` among the parts of all."""

    input: StepFolder
    output: StepFolder
    first: int
    priority: int


@dataclass(frozen=True)
class SignTasks:
    """Reads the manifests of a dedup's inputs into tasks."""

    named: NamedRule
    partitions: int

    def __call__(self, of: SignInput) -> Iterator[SignTask]:
        for part in of.input.parts():
            index = of.first + part.number
            ref = PartRef(index, of.priority, part.group)
            yield SignTask(index, DedupPart(ref, part, of.input, of.output), self.named, self.partitions)


def sign_inputs(inputs: Sequence[StepFolder], outputs: Sequence[StepFolder]) -> tuple[list[SignInput], list[Part]]:
    """The inputs of a dedup in order of priority, and the parts of all of them."""
    result: list[SignInput] = []
    parts: list[Part] = []
    for priority, (source, output) in enumerate(zip(inputs, outputs, strict=True)):
        result.append(SignInput(source, output, len(parts), priority))
        parts.extend(source.parts())
    return result, parts


def versions() -> dict[str, str]:
    """Versions of what can change a result, recorded in a manifest and never compared."""
    found = {}
    for package in (
        "corpus",
        "fasttext-numpy2-wheel",
        "fastwarc",
        "pyarrow",
        "resiliparse",
        "lxml",
    ):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
