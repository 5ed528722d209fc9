"""What of a run a person should look at before using it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from corpus.report.step import ShownStep
from corpus.steps.rule import rule_of

VANISHED = 0.05
"""A source of whose extracted documents, or their text, less than this share is left has nearly vanished."""
SWEEPING = 0.9
"""A reason that drops more than this share of the documents that reached its rule is said."""


def warnings_of(sources: Mapping[str, Sequence[ShownStep]]) -> Iterator[str]:
    """Of the finished steps of each source, a line each. A rule that looks at several sources together is told of
    all of them."""
    together: dict[str, list[str]] = {}
    for source, steps in sources.items():
        yield from _of_source(source, steps)
        for step in steps:
            together.setdefault(step.manifest["digest"], []).append(source)
    by_digest = {
        digest: [step for source in some for step in sources[source] if step.manifest["digest"] == digest]
        for digest, some in together.items()
    }
    for digest, some in together.items():
        yield from _of_rules(", ".join(some), [step.manifest for step in by_digest[digest]])


def _of_source(source: str, steps: Sequence[ShownStep]) -> Iterator[str]:
    first, last = steps[0].manifest, steps[-1].manifest
    for what, key in (("documents", "documents"), ("bytes of text", "text_bytes")):
        before, after = first[key]["out"], last[key]["out"]
        if after < VANISHED * before:
            yield f"{source} nearly vanished: {after:,} of {before:,} extracted {what} are left ({after / before:.1%})"


def _of_rules(where: str, manifests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """
    Args:
        manifests: of one step, of each source that it looks at.
    """
    head = manifests[0]
    for named in map(rule_of, [*([head["dedup"]] if head["dedup"] else []), *head["rules"]]):
        seen = sum(manifest["seen"].get(named.key, 0) for manifest in manifests)
        dropped = sum((Counter(manifest["dropped"].get(named.key, {})) for manifest in manifests), Counter[str]())
        if not seen:
            yield f"{where}: {named.key} saw no document"
        elif not dropped and not named.is_cleaner and named.drops and not (named.is_dedup and named.dedup.rewrites):
            yield f"{where}: {named.key} never fired: it dropped none of {seen:,} documents"
        for reason, count in sorted(dropped.items()):
            if count > SWEEPING * seen:
                yield f"{where}: {named.key} dropped {count:,} of {seen:,} documents for {reason} ({count / seen:.1%})"
