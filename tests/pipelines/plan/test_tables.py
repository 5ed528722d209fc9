from pathlib import Path

from rich.console import Console

from corpus.recipe.load import load
from pipelines.plan.estimate import DataPlan, data_plan
from pipelines.plan.rates import reference
from pipelines.plan.tables import hours, tables
from tests.pipelines.plan.plans import planned, write_book


def printed(plan: DataPlan, cores: int = 64) -> str:
    console = Console(width=140, record=True)
    with console.capture() as captured:
        console.print(tables(plan, cores))
    return " ".join(captured.get().split())


def test_raw_files_without_a_byte(tmp_path: Path) -> None:
    write_book(tmp_path, 0)
    plan = planned(tmp_path)
    assert plan.tokens == 0
    assert "From raw files to tokens" in printed(plan)


def test_small_hours_are_not_all_zero() -> None:
    assert [hours(count) for count in (0.0012, 0.057, 3.04, 12345.6)] == ["0.0012", "0.0570", "3.0", "12,345.6"]


def test_rates_that_are_not_this_machines_are_marked(tmp_path: Path) -> None:
    text = printed(planned(tmp_path), cores=10)
    assert "tokenize 85.0 50.0* 0.4722 0.0472 text finished" in text
    assert "Never measured, and so not counted: ids of extract, length, overlap: apply" in text
    assert "a machine, 2026-01-01" in text


def test_the_packages_own_rates_are_named_and_cover_every_work() -> None:
    own = reference()
    plan = data_plan(load("llama", needs_models=False), own, own)
    assert [rated.work.name for rated in plan.work if rated.rate is None] == []
    text = printed(plan)
    assert f"the package's own, {own.machine}, {own.date}" in text
    assert "*" not in text.replace("10^9", "")
