"""Data plans: the sums of LLaMA-1's Table 1, and every number by its formula."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from corpus.recipe import RULES, SOURCES, load, load_class
from corpus.steps.rule import NamedRule
from corpus.storage import write_json
from pipelines import rates
from pipelines.plan import (
    DOCUMENT_BYTES,
    KEPT,
    SPILL_FORMULAS,
    TABLE_1_DISK,
    TEXT_PER_RAW,
    DataPlan,
    bytes_per_token,
    data_plan,
    disk,
    hours,
    tables,
)
from pipelines.plan.rates import Rates
from tokenizer.mixture import TABLE_1

RATES = Rates("a machine", "2026-01-01", {"extract books": 10e6, "gutenberg": 20e6})
REFERENCE = Rates("the reference", "2026-01-02", {"gutenberg": 1.0, "tokenize": 50e6})

RECIPE = """
format: 1
output: {home}/run
sources:
  books:
    input: {home}/raw
    steps: [gutenberg, length, {{overlap: {{threshold: 0.9}}}}]
tokenizer: {{vocab_size: 1000}}
mixture:
  shares: {{books: 1.0}}
  sequence_length: 128
"""


def llama(tokens: float | None = None) -> DataPlan:
    return data_plan(load("llama", needs_models=False), RATES, REFERENCE, tokens)


def books(home: Path) -> DataPlan:
    path = home / "recipe.yaml"
    path.write_text(RECIPE.format(home=home), encoding="utf-8")
    return data_plan(load(str(path)), RATES, REFERENCE)


def printed(plan: DataPlan, cores: int = 64) -> str:
    console = Console(width=140, record=True)
    with console.capture() as captured:
        console.print(tables(plan, cores))
    return " ".join(captured.get().split())


def test_the_bundled_recipe_is_table_1() -> None:
    plan = llama()
    assert plan.tokens == pytest.approx(1.4e12)
    for of in plan.sources:
        assert of.basis == "Table 1"
        assert of.texts[-1] == pytest.approx(TABLE_1_DISK[of.name])
        assert f"{of.drawn / of.available:.2f}" == TABLE_1[of.name][1]
    by_name = {of.name: of for of in plan.sources}
    assert by_name["c4"].raw == pytest.approx(783e9 / 3)  # no step: nothing but its compression
    assert by_name["github"].texts[0] == pytest.approx(328e9 / (0.97 * 0.8 * 0.7))
    assert sum(of.available for of in plan.sources) == pytest.approx(1.263e12, rel=0.001)


def test_fewer_tokens_need_less_of_each_source_at_the_same_epochs() -> None:
    whole, part = llama(), llama(1.4e11)
    for a, b in zip(whole.sources, part.sources, strict=True):
        assert b.texts[0] == pytest.approx(a.texts[0] / 10)
        assert b.drawn / b.available == pytest.approx(a.drawn / a.available)


def test_disk_and_shuffle_by_hand() -> None:
    plan = llama()
    found = {name: size for name, size, _ in disk(plan)}
    assert found["token shards"] == pytest.approx(1.263e12 * 2, rel=0.001)
    assert found["materialised mixture, and as much shuffle"] == pytest.approx(1.4e12 * 2 * 2049 / 2048)
    crawl = 3.3e12 / (0.3 * 0.45 * 0.6 * 0.5)
    assert found[".work and shuffle: commoncrawl, lines"] == pytest.approx(crawl / 8)
    github = 328e9 / 0.7 / DOCUMENT_BYTES["github"]
    assert found[".work and shuffle: github, exact"] == pytest.approx(36 * github)


def test_raw_files_that_are_there_are_what_is_planned(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_bytes(b"x" * 3_000_000)
    plan = books(tmp_path)
    (of,) = plan.sources
    assert (of.basis, of.raw) == ("raw files", 3e6)
    assert of.texts == pytest.approx([3e6, 3e6 * 0.98, 3e6 * 0.98 * 0.9])
    assert of.available == pytest.approx(3e6 * 0.98 * 0.9 / bytes_per_token("books"))
    assert plan.tokens == pytest.approx(4 * of.available)  # no total in the recipe: max_epochs of the scarcest


def test_a_finished_step_says_what_it_keeps(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_bytes(b"x" * 1_000_000)
    manifest = tmp_path / "run" / "books" / "20-gutenberg+length-0123abcd" / "meta" / "manifest.json"
    write_json(str(manifest), {"text_bytes": {"in": 400, "out": 100}})
    (of,) = books(tmp_path).sources
    assert of.texts == pytest.approx([1e6, 0.25e6, 0.25e6 * 0.9])
    write_json(str(manifest), {"text_bytes": {"in": 0, "out": 0}})
    (of,) = books(tmp_path).sources  # it says nothing
    assert of.texts == pytest.approx([1e6, 0.98e6, 0.98e6 * 0.9])


def test_raw_files_without_a_byte(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").touch()
    plan = books(tmp_path)
    assert plan.tokens == 0
    assert "From raw files to tokens" in printed(plan)


def test_small_hours_are_not_all_zero() -> None:
    assert [hours(count) for count in (0.0012, 0.057, 3.04, 12345.6)] == ["0.0012", "0.0570", "3.0", "12,345.6"]


def test_core_hours_are_bytes_over_rates(tmp_path: Path) -> None:
    plan = books(tmp_path)
    work = {one.name: one for one in plan.work}
    (of,) = plan.sources
    assert work["extract books"].core_hours == pytest.approx(of.texts[0] / 10e6 / 3600)
    assert work["gutenberg"].rate == 20e6  # its own, not the reference's
    assert (work["tokenize"].rate, work["tokenize"].by_reference) == (50e6, True)
    assert work["length"].rate is None
    assert work["length"].bytes == pytest.approx(of.texts[0] * 0.98)
    assert list(work)[:4] == ["extract books", "gutenberg", "length", "read and write parts"]
    assert list(work)[4:] == ["overlap: sign", "overlap: decide", "overlap: apply", "train tokenizer", "tokenize"]
    text = printed(plan, cores=10)
    assert "tokenize 85.0 50.0* 0.4722 0.0472 text finished" in text
    assert "Never measured, and so not counted: length, overlap: apply" in text
    assert "a machine, 2026-01-01" in text


def test_the_packages_own_rates_are_named_and_cover_every_work() -> None:
    reference = rates.reference()
    recipe = load("llama", needs_models=False)
    plan = data_plan(recipe, reference, reference)
    assert [work.name for work in plan.work if work.rate is None] == []
    text = printed(plan)
    assert f"the package's own, {reference.machine}, {reference.date}" in text
    assert "*" not in text.replace("10^9", "")


def test_a_calibration_is_kept_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_path", lambda: tmp_path / "cache" / "rates.json")
    assert rates.newest() is None
    rates.save(REFERENCE)
    rates.save(RATES)
    assert rates.newest() == RATES


def test_tables_name_sources_and_rules_that_exist() -> None:
    assert list(TABLE_1_DISK) == list(TEXT_PER_RAW) == list(DOCUMENT_BYTES) == list(SOURCES) == list(TABLE_1)
    assert set(KEPT) <= set(RULES)
    dedups = {name for name in RULES if NamedRule(name, load_class(RULES[name]).model_construct()).is_dedup}  # type: ignore[arg-type]
    assert set(SPILL_FORMULAS) == dedups


def test_plans_import_neither_beam_nor_torch() -> None:
    modules = "sys, pipelines.plan.tables, pipelines.plan.calibrate"
    code = f"import {modules}; sys.exit(bool({{'apache_beam', 'torch'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
