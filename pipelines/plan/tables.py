"""The tables of a plan, for a terminal. Sizes are decimal: 1 GB = 10^9 bytes."""

from collections.abc import Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from corpus.report.tables import new_table
from pipelines.plan.estimate import DataPlan, disk

ASSUMED = "What a step keeps of the text is assumed, or read from the finished steps of this run (docs/plan.md)."
NOT_MODELLED = (
    "Not in it: downloads and every other network, storage slower than the cores, machines that fail or wait, uneven "
    "parts at the end of a step, training the tokenizer in more than one process."
)


def tables(plan: DataPlan, cores: int) -> Group:
    """Sources, work on so many cores, disk, and what is assumed."""
    mark = " Rates marked * are not from it: that work could not be measured there." if plan.calibrated else ""
    origin = (
        f"Rates: this machine's last calibration, {plan.rates.machine}, {plan.rates.date}.{mark}"
        if plan.calibrated
        else f"Rates: the package's own, {plan.rates.machine}, {plan.rates.date}; "
        "`corpus plan RECIPE --calibrate` measures yours."
    )
    unknown = sorted({rated.work.name for rated in plan.work if rated.rate is None})
    notes = [
        *plan.notes,
        origin,
        *([f"Never measured, and so not counted: {', '.join(unknown)}."] if unknown else []),
        ASSUMED,
        NOT_MODELLED,
    ]
    return Group(
        _sources_table(plan), Text(), _work_table(plan, cores), Text(), _disk_table(plan), Text(),
        *(Text(note) for note in notes),
    )  # fmt: skip


def _sources_table(plan: DataPlan) -> Table:
    result = new_table(
        "From raw files to tokens (1 GB = 10^9 bytes)",
        ["source", "size from"],
        ["raw GB", "text GB", "finished GB", "documents", "parts", "shards", "tokens", "drawn", "epochs"],
    )
    total = plan.sources
    for one in total:
        result.add_row(
            one.name, one.basis, gb(one.raw), gb(one.texts[0]), gb(one.texts[-1]), f"{one.documents:,.0f}",
            f"{one.parts:,}", f"{one.shards:,}", short(one.available), short(one.drawn),
            f"{one.drawn / one.available:.2f}" if one.available else "",
        )  # fmt: skip
    result.add_row(
        "all", "", gb(sum(one.raw for one in total)), gb(sum(one.texts[0] for one in total)),
        gb(sum(one.texts[-1] for one in total)), f"{sum(one.documents for one in total):,.0f}",
        f"{sum(one.parts for one in total):,}", f"{sum(one.shards for one in total):,}",
        short(sum(one.available for one in total)), short(plan.tokens), "", style="bold",
    )  # fmt: skip
    return result


def _work_table(plan: DataPlan, cores: int) -> Table:
    result = new_table(
        f"Work: core-hours = bytes / rate, hours = core-hours / {cores} cores",
        ["source", "work"],
        ["GB", "MB/s", "core-hours", "hours"],
        "bytes of",
    )
    for rated in plan.work:
        mark = "*" if rated.by_reference and plan.calibrated else ""
        rate = f"{rated.rate / 1e6:,.1f}{mark}" if rated.rate else "?"
        took = [hours(rated.core_hours), hours(rated.core_hours / cores)] if rated.rate else ["?", "?"]
        result.add_row(rated.work.source, rated.work.name, gb(rated.work.bytes), rate, *took, rated.work.what)
    result.add_row("all", "", "", "", hours(plan.core_hours), hours(plan.core_hours / cores), "", style="bold")
    return result


def _disk_table(plan: DataPlan) -> Table:
    result = new_table("Disk and shuffle", ["what"], ["GB"], "how")
    for name, size, how in disk(plan):
        result.add_row(name, gb(size), how)
    return result


def gb(size: float) -> str:
    """Decimal gigabytes."""
    return f"{size / 1e9:,.1f}" if size >= 1e8 else f"{size / 1e9:,.4f}"


def hours(count: float) -> str:
    """Hours; below one with more digits, so that those of a small recipe are not all zero."""
    return f"{count:,.1f}" if count >= 1 else f"{count:.4f}"


def short(count: float) -> str:
    """A number of tokens with its unit."""
    units: Mapping[str, float] = {"T": 1e12, "B": 1e9, "M": 1e6, "k": 1e3}
    for unit, size in units.items():
        if count >= size:
            return f"{count / size:,.1f}{unit}"
    return f"{count:,.0f}"
