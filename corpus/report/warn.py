"""What of a run a person should look at before using it."""

from collections.abc import Iterator, Sequence

from corpus.report.step import ShownStep
from corpus.steps.rule import rule_of

VANISHED = 0.05
"""A source of whose extracted documents, or their text, less than this share is left has nearly vanished."""
SWEEPING = 0.9
"""A reason that drops more than this share of the documents that reached its rule is said."""


def warnings_of(source: str, steps: Sequence[ShownStep]) -> Iterator[str]:
    """Of one source's finished steps, a line each."""
    first, last = steps[0].manifest, steps[-1].manifest
    for what, key in (("documents", "documents"), ("bytes of text", "text_bytes")):
        before, after = first[key]["out"], last[key]["out"]
        if after < VANISHED * before:
            yield f"{source} nearly vanished: {after:,} of {before:,} extracted {what} are left ({after / before:.1%})"
    for step in steps:
        yield from _of_rules(source, step)
        for what, count in step.manifest.get("notes", {}).items():
            yield f"{source}: {count:,} documents of {step.name}: {what}"


def _of_rules(source: str, step: ShownStep) -> Iterator[str]:
    manifest = step.manifest
    chain = [] if manifest["dedup"] is None else [manifest["dedup"]]
    for named in map(rule_of, [*chain, *manifest["rules"]]):
        seen, dropped = manifest["seen"].get(named.key, 0), manifest["dropped"].get(named.key, {})
        if not seen:
            yield f"{source}: {named.key} saw no document"
        elif not dropped and (named.is_dedup or (named.is_filter and type(named.rule).threshold_fields())):
            yield f"{source}: {named.key} never fired: it dropped none of {seen:,} documents"
        for reason, count in dropped.items():
            if count > SWEEPING * seen:
                yield f"{source}: {named.key} dropped {count:,} of {seen:,} documents for {reason} ({count / seen:.1%})"
