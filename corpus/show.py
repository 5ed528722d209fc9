"""What a finished step holds, for a person at a terminal."""

from collections.abc import Iterator

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.storage import exists


def counts(folder: StepFolder) -> Iterator[tuple[str, str, int]]:
    """(rule, reason, documents dropped) of the whole step."""
    for rule, reasons in folder.manifest()["dropped"].items():
        for reason, count in reasons.items():
            yield rule, reason, count


def samples(folder: StepFolder, reason: str | None, limit: int) -> Iterator[dict[str, object]]:
    """Up to `limit` sampled rows (`corpus.steps.samples.SAMPLE_SCHEMA`): dropped for `reason`, or kept when it is None.

    `reason` is "REASON" or "RULE.REASON".

    Raises:
        UserError: nothing in this step was dropped for that reason.
    """
    found = 0
    known = {name for rule, reason_, _ in counts(folder) for name in (reason_, f"{rule}.{reason_}")}
    if reason is not None and reason not in known:
        names = ", ".join(sorted(f"{rule}.{reason_}" for rule, reason_, _ in counts(folder))) or "nothing"
        raise UserError(f"{folder.path}: nothing was dropped for {reason}; dropped were {names}")
    for part in folder.parts():
        path = folder.meta("samples", part.number)
        for batch in read_part(path) if exists(path) else ():
            for row in batch.to_pylist():
                named = (row["reason"], f"{row['step']}.{row['reason']}")
                if (reason is None and row["reason"] == "kept") or reason in named:
                    yield row
                    found += 1
                    if found == limit:
                        return
