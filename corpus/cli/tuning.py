"""Choosing rules and thresholds: what others would keep, and which rules matter."""

from typing import TYPE_CHECKING, Annotated

import typer

from corpus.errors import UserError

if TYPE_CHECKING:
    from corpus.tuning.dry_run import Outcome
    from corpus.tuning.overlap import Reason

BAR = 40
"""Characters of the longest bar of a curve."""
PREVIEW = 100
"""Characters of a document's text."""


def print_dry_run(folder: str, settings: list[str], sweep: str | None) -> None:
    """What a step, or every step of a run that has the rules, would keep with other thresholds."""
    from corpus.tuning import dry_run
    from corpus.tuning.stored import finished_steps

    if not settings and sweep is None:
        raise UserError("--dry-run: give thresholds to try, --set RULE.FIELD=VALUE or --sweep RULE.FIELD")
    rules = dry_run.rules_named([*settings, *([sweep] if sweep else [])])
    for step in finished_steps(folder, rules):
        if sweep is None:
            now, then = dry_run.dry_run(step, settings)
            print(f"{step.path}: of {now.total:,} documents {_kept(now)} are kept, {_kept(then)} would be")
            continue
        points = dry_run.sweep(step, sweep, settings)
        print(f"{step.path}: what {sweep} keeps of {points[0].outcome.total:,} documents (* as it is)")
        for point in points:
            outcome = point.outcome
            bar = "█" * round(BAR * outcome.kept / outcome.total) + "░" * round(BAR * outcome.undecided / outcome.total)
            print(f"{'*' if point.present else ' '} {point.value:>12,.12g}  {_kept(outcome):>20}  {bar}")


def _kept(outcome: "Outcome") -> str:
    """`8,000 (80.0%)`, and up to how many where rules behind are yet to see some."""
    at_most = outcome.kept + outcome.undecided
    upto = f" to {at_most:,}" if outcome.undecided else ""
    share = f"{outcome.kept / outcome.total:.1%}" + (f" to {at_most / outcome.total:.1%}" if outcome.undecided else "")
    return f"{outcome.kept:,}{upto} ({share})"


def overlap(
    folder: Annotated[str, typer.Argument(help="a finished step's folder")],
    documents: Annotated[int, typer.Option(min=1, help="of its input, how many to look at")] = 10_000,
    border: Annotated[
        int, typer.Option(min=0, help="documents to print on each side of each threshold that drops some")
    ] = 1,
) -> None:
    """Say which rules of a step matter: how many documents each drops, alone and with others, and which never do.

    Example: `corpus overlap runs/mine/c4/20-gopher_quality+length-1f3a9c2e --documents 50000`
    """
    from corpus.dataset import StepFolder
    from corpus.tuning import overlap as rules

    step = StepFolder(folder)
    found = rules.overlap(step, documents)
    total = max(found.documents, 1)
    print(f"{folder}: {found.dropped:,} of {found.documents:,} documents of its input fit a rule to drop them")
    print(f"{'drops':>9} {'share':>6} {'alone':>9}  rule, and its reasons")
    for rule, reasons in found.rules:
        for reason, indent in ((rule, ""), *((one, "  ") for one in reasons)):
            if reason.drops:
                print(f"{reason.drops:>9,} {reason.drops / total:>6.1%} {reason.alone:>9,}  {indent}{_partner(reason)}")
    if found.never:
        print(f"never: {', '.join(found.never)}")
    if border:
        print_borders(folder, None, border)


def _partner(reason: "Reason") -> str:
    return reason.name + (f" ({reason.together:,} of them {reason.partner} too)" if reason.partner else "")


def print_borders(folder: str, name: str | None, limit: int, characters: int = PREVIEW) -> None:
    """Documents of a step on both sides of the thresholds of this name, or of all that drop something."""
    from corpus.dataset import StepFolder
    from corpus.tuning.border import borders
    from corpus.tuning.stored import chain_of, name_of, numeric_thresholds, thresholds_named
    from corpus.visible import visible

    step = StepFolder(folder)
    chain = chain_of(step)
    chosen = thresholds_named(chain, name) if name is not None else list(numeric_thresholds(chain))
    for (named, threshold), found in zip(chosen, borders(step, chosen, limit), strict=True):
        value = threshold.value(named.rule)
        if not found.dropped and name is None:
            continue  # it decides nothing
        if found.kept or found.dropped:
            print(f"\n=== {name_of(named, threshold)} {threshold.mark.side} {value:,.12g}")
        for side, documents in (("passes", found.kept), ("fails", found.dropped)):
            for document in documents:
                text = (
                    " ".join(document.text[:characters].split())
                    if characters == PREVIEW
                    else document.text[:characters]
                )
                print(f"{side} at {document.score:,.12g}: {visible(document.id)}\n  {visible(text)}")
