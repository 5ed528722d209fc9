"""The steps of a source in order, and the digest of everything that a run makes: equal digests, equal bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from corpus.dataset import StepFolder
from corpus.recipe.sections import TokenizerSection
from corpus.registry import origin
from corpus.schema import SCHEMA
from corpus.sources.raw import RawFile, Split
from corpus.sources.source import Source
from corpus.steps.rule import NamedRule
from corpus.storage import digest_of

EXTRACT_NUMBER = 10
ACROSS_NUMBER = 90
REMOVE_NUMBER = 99

TOKENIZER_VERSION = 1
"""Raised when equal documents give another tokenizer."""
TOKENS_VERSION = 1
"""Raised when equal documents and an equal tokenizer give other shards."""


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
    def chain(self) -> tuple[NamedRule, ...]:
        """The dedup and the rules, in order."""
        return ((self.dedup,) if self.dedup else ()) + self.rules

    @property
    def name(self) -> str:
        return "+".join(rule.key for rule in self.chain)

    def identity(self) -> dict[str, Any]:
        return {
            "dedup": self.dedup.identity() if self.dedup else None,
            "rules": [rule.identity() for rule in self.rules],
        }

    def until(self, key: str) -> "Step":
        """The step cut behind one of its rules."""
        last = [rule.key for rule in self.chain].index(key)
        return Step(self.number, self.dedup, tuple(rule for rule in self.chain[: last + 1] if not rule.is_dedup))


def steps_of(rules: Sequence[NamedRule], first_number: int = EXTRACT_NUMBER + 10, between: int = 10) -> list[Step]:
    """Groups rules into steps: a dedup starts a new one, and what follows it fuses with its `apply`."""
    groups: list[tuple[NamedRule | None, list[NamedRule]]] = []
    for named in rules:
        if named.is_dedup:
            groups.append((named, []))
        elif groups:
            groups[-1][1].append(named)
        else:
            groups.append((None, [named]))
    return [Step(first_number + between * n, dedup, tuple(some)) for n, (dedup, some) in enumerate(groups)]


def folder_name(number: int, name: str, digest: str) -> str:
    return f"{number}-{name}-{digest[:8]}"


def named_source(name: str, type: str) -> dict[str, str]:
    """How an extract step's digest and manifest name a source: its type too where its name is not that of its type."""
    return {"source": name} if name == type else {"source": name, "type": type}


def extract_digest(name: str, type: str, source: Source, files: Sequence[RawFile], splits: Sequence[Split]) -> str:
    """The digest of an extract step: the raw files, how they are split, and the source's settings and version."""
    return digest_of(
        {
            "step": "extract",
            **named_source(name, type),
            "version": source.version,
            "settings": source.model_dump(mode="json"),
            **origin(source.__class__),
            "files": [[file.path, file.size, file.digest] for file in files],
            "splits": [split.to_json() for split in splits],
        }
    )


def step_digest(step: Step, inputs: Sequence[StepFolder]) -> str:
    """The digest of a step: its input manifests and the identity of its rules."""
    return digest_of({**step.identity(), "inputs": [folder.manifest_digest() for folder in inputs]})


def score_keys(step: Step, source: StepFolder) -> dict[str, str]:
    """For each filter of a step, a digest of all that decides its scores: equal digests, equal scores.

    That is what the documents were before it: the input, the dedup, the cleaners, and the filters that write a column
    it looks at (without their thresholds).
    """
    before: list[tuple[frozenset[str], Any]] = []
    keys = {}
    for named in step.rules:
        if named.is_filter:
            reads = set(named.filter.reads)
            seen = [identity for writes, identity in before if reads & writes]
            dedup = step.dedup.identity() if step.dedup else None
            keys[named.key] = digest_of([source.manifest_digest(), dedup, *seen, named.score_identity()])
            writes = frozenset(named.filter.score_names()) & frozenset(SCHEMA.names)
            before.append((writes, keys[named.key]))  # which knows what that filter looked at in its turn
        else:
            before.append((frozenset(SCHEMA.names), named.identity()))
    return keys


def tokenizer_digest(
    section: TokenizerSection, shares: Mapping[str, float], documents: Mapping[str, StepFolder]
) -> str:
    """The digest of a trained tokenizer: of all that decides its bytes."""
    return digest_of(
        {
            "step": "tokenizer",
            "version": TOKENIZER_VERSION,
            "documents": {name: documents[name].manifest_digest() for name in shares},
            "shares": dict(shares),
            "settings": section.model_dump(mode="json", include={"vocab_size", "sample_bytes", "held_out"}),
        }
    )


def token_digest(documents: StepFolder, model_sha256: str, settings: TokenizerSection) -> str:
    """The digest of a token folder."""
    return digest_of(
        {
            "step": "tokenize",
            "version": TOKENS_VERSION,
            "documents": documents.manifest_digest(),
            "tokenizer": model_sha256,
            "bos": settings.bos,
            "eos": settings.eos,
            "held_out": settings.held_out,
        }
    )


def versions() -> dict[str, str]:
    """Versions of what can change a result, recorded in a manifest and never compared."""
    found = {}
    for package in (
        "corpus",
        "fasttext-numpy2-wheel",
        "isal",
        "pyarrow",
        "resiliparse",
        "lxml",
    ):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
