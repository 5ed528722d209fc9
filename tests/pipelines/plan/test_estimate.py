"""Data plans: the sums of LLaMA-1's Table 1, and every number by its formula."""

from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.llama import BYTES_PER_TOKEN, TABLE_1
from corpus.registry import find_source
from corpus.storage import write_json
from pipelines.plan.estimate import disk
from tests.pipelines.plan.plans import RECIPE, llama, planned, write_book

KEPT = 0.98
"""Of books, by `gutenberg`; `length` keeps all."""


def test_the_bundled_recipe_is_table_1() -> None:
    plan = llama()
    assert plan.tokens == pytest.approx(1.4e12)
    for source in plan.sources:
        assert source.basis == "Table 1"
        assert source.texts[-1] == pytest.approx(TABLE_1[source.name].disk_bytes)
        assert f"{source.drawn / source.available:.2f}" == TABLE_1[source.name].epochs
    by_name = {source.name: source for source in plan.sources}
    assert by_name["c4"].raw == pytest.approx(783e9 / 3)  # no step: nothing but its compression
    assert by_name["github"].texts[0] == pytest.approx(328e9 / (0.97 * 0.8 * 0.7))
    assert sum(source.available for source in plan.sources) == pytest.approx(1.263e12, rel=0.001)
    assert plan.notes == []


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
    spilled = {(one.source, one.name): one.grouping for one in plan.spills}
    crawl = spilled["commoncrawl", "lines"]
    assert crawl.size == pytest.approx(3.3e12 / (0.3 * 0.45 * 0.6 * 0.5) / 8)
    assert (crawl.partitions, crawl.passes) == (crawl.size // (256 << 20) + 1, 2)
    assert found[".work and shuffle: commoncrawl, lines"] == 2 * crawl.size + crawl.framing
    assert 0.001 < crawl.framing / crawl.size < 0.01
    github = 328e9 / 0.7 / find_source("github").document_bytes
    assert spilled["github", "exact"].size == pytest.approx(36 * github)
    ids = spilled["c4", "ids of extract"]
    assert ids.size == pytest.approx(24 * 783e9 / find_source("c4").document_bytes)
    (c4,) = [source for source in plan.sources if source.name == "c4"]
    assert (ids.tasks, ids.partitions) == (c4.parts, ids.size // (16 << 20) + 1)


def test_the_search_for_ids_is_work_and_shuffle(tmp_path: Path) -> None:
    write_book(tmp_path, 900_000)
    plan = planned(tmp_path)
    (size,) = [rated.work.bytes for rated in plan.work if rated.work.name == "ids of extract"]
    assert size == 2 * 24  # of books of 450,000 bytes
    (row,) = [row for row in disk(plan) if "ids" in row[0]]
    assert row == (".work and shuffle: books, ids of extract", 2 * 24 + 800, "24 B x documents; 1 partition, 1 reads")


def test_a_dedup_across_sources_spills_for_all_of_them(tmp_path: Path) -> None:
    write_book(tmp_path, 900_000)
    books = "  books: {{input: {home}/raw}}\n  more: {{type: books, input: {home}/raw}}\n"
    plan = planned(tmp_path, f"format: 1\noutput: {{home}}/run\nsources:\n{books}across: [length, exact]\n")
    found = {name: size for name, size, _ in disk(plan) if "exact" in name}
    # Of books of 450,000 bytes, in one part each.
    assert found == {".work and shuffle: across, exact": 2 * 2 * 36 + 2 * 800}
    assert [source.texts for source in plan.sources] == [pytest.approx([9e5, 9e5, 9e5 * 0.7])] * 2


def test_raw_files_that_are_there_are_what_is_planned(tmp_path: Path) -> None:
    write_book(tmp_path, 3_000_000)
    plan = planned(tmp_path)
    (source,) = plan.sources
    assert (source.basis, source.raw) == ("raw files", 3e6)
    assert source.texts == pytest.approx([3e6, 3e6 * KEPT, 3e6 * KEPT * 0.9])
    assert source.available == pytest.approx(3e6 * KEPT * 0.9 / TABLE_1["books"].bytes_per_token)
    assert plan.tokens == pytest.approx(4 * source.available)  # no total in the recipe: max_epochs of the scarcest


def test_a_finished_step_says_what_it_keeps(tmp_path: Path) -> None:
    write_book(tmp_path, 1_000_000)
    manifest = tmp_path / "run" / "books" / "20-gutenberg+length-0123abcd" / "meta" / "manifest.json"
    write_json(str(manifest), {"text_bytes": {"in": 400, "out": 100}})
    (source,) = planned(tmp_path).sources
    assert source.texts == pytest.approx([1e6, 0.25e6, 0.25e6 * 0.9])
    write_json(str(manifest), {"text_bytes": {"in": 0, "out": 0}})
    (source,) = planned(tmp_path).sources  # it says nothing
    assert source.texts == pytest.approx([1e6, 0.98e6, 0.98e6 * 0.9])


def test_a_source_of_ones_own_without_its_files_is_what_the_mixture_draws(tmp_path: Path) -> None:
    recipe = RECIPE.replace("  books:\n", "  mine:\n    type: corpus.sources.books:Books\n").replace(
        "books: 1", "mine: 1"
    )
    with pytest.raises(UserError, match=r"raw of mine is not there, so its size is not known: bring it, or give the"):
        planned(tmp_path, recipe)
    (source,) = planned(tmp_path, recipe + "  tokens: 1000000\n").sources
    assert (source.basis, source.drawn) == ("mixture", 1e6)
    assert source.texts[-1] == pytest.approx(1e6 * BYTES_PER_TOKEN)  # one epoch
    assert source.texts[0] == pytest.approx(source.texts[-1] / (KEPT * 0.9))


def test_the_order_of_rules_is_noted(tmp_path: Path) -> None:
    write_book(tmp_path, 1000)
    (note,) = planned(tmp_path, RECIPE.replace("[gutenberg, length,", "[length, gutenberg,")).notes
    assert note.startswith("books: stored scores of length are of the text as it was then, before gutenberg")


def test_core_hours_are_bytes_over_rates(tmp_path: Path) -> None:
    write_book(tmp_path, 3_000_000)
    plan = planned(tmp_path)
    rated = {one.work.name: one for one in plan.work}
    (source,) = plan.sources
    assert rated["extract books"].core_hours == pytest.approx(source.texts[0] / 10e6 / 3600)
    assert rated["gutenberg"].rate == 20e6  # its own, not the reference's
    assert (rated["tokenize"].rate, rated["tokenize"].by_reference) == (50e6, True)
    assert rated["length"].rate is None
    assert rated["length"].work.bytes == pytest.approx(source.texts[0] * KEPT)
    assert list(rated)[:3] == ["extract books", "ids of extract", "gutenberg"]
    assert list(rated)[3:5] == ["length", "read and write parts"]
    assert list(rated)[5:] == ["overlap: sign", "overlap: decide", "overlap: apply", "train tokenizer", "tokenize"]
