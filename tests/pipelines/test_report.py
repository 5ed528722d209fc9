"""The page of a run: its numbers are the manifests', it loads nothing, and what it shows cannot act."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from lxml import html
from typer.testing import CliRunner

from corpus.cli import app
from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.recipe.load import load
from corpus.removal import add_request
from corpus.report.step import ShownPerplexity, distribution
from corpus.steps.find import Wanted
from corpus.tuning.histogram import histogram_of
from corpus.visible import visible
from pipelines.engine.runner import Runner
from pipelines.report import graph_of, report_after, write_report
from pipelines.run import RunResult, run
from tests.browser import look
from tests.pipelines.reported import HOSTILE, LONG, URL, make, write_recipe
from tokenizer.index import read_index
from tokenizer.mixture import read_manifest

RUNNER = Runner("local", 1, quiet=True)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    home = tmp_path_factory.mktemp("reported")
    make(home)
    return run(load(str(write_recipe(home))), RUNNER, say=lambda line: None)


@pytest.fixture(scope="module")
def page(result: RunResult) -> str:
    """Its text."""
    return Path(write_report(result.graph)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(page: str) -> html.HtmlElement:
    return html.document_fromstring(page)


def rows(tree: html.HtmlElement, caption: str) -> list[list[str]]:
    """The cells of the body of the one table with this caption."""
    (table,) = (table for table in tree.iter("table") if table.findtext("caption") == caption)
    return [[cell.text_content().strip() for cell in row if cell.tag in ("th", "td")] for row in table.iter("tr")][1:]


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def steps(result: RunResult) -> Iterator[tuple[str, list[StepFolder]]]:
    yield from result.graph.finished_documents().items()


def test_the_funnel_is_the_manifests(result: RunResult, tree: html.HtmlElement) -> None:
    overview = {row[0]: row[1:] for row in rows(tree, "Every source from its raw files to its tokens")}
    assert list(overview) == ["web", "notes"]
    for source, folders in steps(result):
        manifests = [folder.manifest() for folder in folders]
        assert len(manifests) > 1
        found = [
            (row[0], *map(number, row[1:6])) for row in rows(tree, f"Steps of {source}")
        ]  # fmt: skip
        assert found == [
            (
                one["step"], one["documents"]["in"], one["documents"]["in"] - one["documents"]["out"],
                one["documents"]["out"], one["text_bytes"]["in"], one["text_bytes"]["out"],
            )
            for one in manifests
        ]  # fmt: skip
        index = read_index(result.graph.tokens[source].folder)
        raw = sum(path.stat().st_size for path in Path(result.graph.recipe.output).parent.glob(f"raw/{source}/*"))
        cells = overview[source]
        assert [number(cell) for place, cell in enumerate(cells) if place not in (5, 8)] == [
            raw, manifests[0]["documents"]["in"], manifests[-1]["documents"]["out"], manifests[0]["text_bytes"]["out"],
            manifests[-1]["text_bytes"]["out"], index.tokens, sum(shard.tokens for shard in index.heldout),
        ]  # fmt: skip
        text = sum(shard.text_bytes for shard in index.shards + index.heldout)
        assert cells[8] == f"{text / (index.tokens + number(cells[7])):.2f}"


def test_every_reason_is_counted_as_in_the_manifests(result: RunResult, tree: html.HtmlElement) -> None:
    seen = set()
    for source, folders in steps(result):
        for folder in folders:
            manifest = folder.manifest()
            dropped = [(rule, reason, n) for rule, some in manifest["dropped"].items() for reason, n in some.items()]
            seen |= {reason for _, reason, _ in dropped}
            if dropped:
                found = rows(tree, f"Dropped from {source} by {manifest['step']}")
                assert [(rule, reason, number(n)) for rule, reason, n, _ in found] == dropped
    assert seen == {"bad_json", "too_short", "unwanted", "duplicate", "near_duplicate"}


def test_the_mixture_is_the_orders(result: RunResult, tree: html.HtmlElement) -> None:
    assert result.mixture is not None
    mixture = read_manifest(result.mixture)
    length = mixture.sequence_length
    found = rows(tree, "What the run takes of each source, in tokens")
    assert [(row[0], *map(number, row[3:5]), *map(number, row[6:])) for row in found] == [
        (use.name, use.drawn * length, use.available * length, use.repeated * length, use.unused * length)
        for use in mixture.usage()
    ]
    assert [row[1] for row in found] == ["50.00%", "50.00%"]
    lines = [line.text_content() for line in tree.get_element_by_id("warnings").getparent().iter("li")]
    assert [line.partition(":")[0] for line in lines if "short of" in line] == [
        f"{use.name} is short of its share of 50.0%" for use in mixture.usage() if use.drawn > use.available
    ]


def test_what_was_noted_is_said(result: RunResult, tree: html.HtmlElement) -> None:
    out = result.graph.finished_documents()["web"][0].manifest()["documents"]["out"]
    said = f"web: {out} documents came out of extract; 1 of them have the id of another document and another text"
    assert said in [line.text_content() for line in tree.iter("li")]


def test_a_threshold_is_shown_with_its_scores_and_both_sides(result: RunResult, tree: html.HtmlElement) -> None:
    found = rows(tree, "length.min_chars, documents by value")
    manifest = result.graph.finished_documents()["web"][1].manifest()
    assert sum(number(count) for _, _, count in found) == manifest["seen"]["length"]
    (heading,) = (h for h in tree.iter("h4") if h.text_content() == "length.min_chars")
    dropped = manifest["dropped"]["length"]["too_short"]
    said = f"Kept is characters >= 300; {dropped} documents were dropped for too_short."
    assert heading.getnext().text_content() == said
    sides = heading.getnext().getnext().getnext()
    assert {len(sides.findall(f".//article[@class='{side}']")) for side in ("kept", "dropped")} == {3}


def test_survival_by_host_is_of_the_documents(tree: html.HtmlElement) -> None:
    kept = {row[0]: [number(cell) for cell in row[1:4]] for row in rows(tree, "Most documents kept of web")}
    dropped = {row[0]: [number(cell) for cell in row[1:4]] for row in rows(tree, "Most documents dropped of web")}
    assert set(kept) == set(dropped) == {"a.example", "b.example", "evil.example"}
    assert kept["evil.example"] == [7, 1, 6]
    for host in kept:
        assert kept[host] == dropped[host]
        assert kept[host][0] == kept[host][1] + kept[host][2]


def test_clusters_show_a_pair(tree: html.HtmlElement) -> None:
    section = tree.get_element_by_id("duplicates").getparent()
    clusters = section.findall(".//details")
    assert clusters
    pairs = [cluster.findtext(".//ins") for cluster in clusters]
    assert all(pairs)
    assert [element.text_content() for element in clusters[0].iter("pre", "ins", "del")]


def test_nothing_that_a_document_says_can_act_or_hide(page: str, tree: html.HtmlElement) -> None:
    assert {element.tag for element in tree.iter() if isinstance(element.tag, str)} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "section", "article"),
        *("h1", "h2", "h3", "h4", "p", "ul", "li", "a", "dl", "dt", "dd", "div", "span", "strong", "code", "pre"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary"),
        *("del", "ins", "svg", "g", "path", "defs", "use", "text", "clippath", "clipPath", "rect"),
    }
    names = {name for element in tree.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or name in ("src", "srcset", "action", "data")}
    links = [value for element in tree.iter() for name, value in element.attrib.items() if name.endswith("href")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"url\((?!#)|@import", page)
    assert not set(page) & {chr(code) for code in (*range(9), *range(11, 32), 127, 0x202E, 0x2066)}
    for planted in (HOSTILE, URL.partition("<")[0].partition("//")[2].rstrip("/"), LONG[:500]):
        assert visible(planted).strip() in tree.text_content()
    licences = rows(tree, "Licences of the finished documents of web")
    assert [licence[:150] for licence, _ in licences] == ["MIT", visible(HOSTILE)[:150]]
    assert ["</", "5", "0"] in rows(tree, "Languages that length+tongue found in web")
    (policy,) = (meta.get("content") for meta in tree.iter("meta") if meta.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_the_page_is_accessible(tree: html.HtmlElement) -> None:
    assert tree.get("lang") == "en"
    assert [len(tree.findall(f".//{landmark}")) for landmark in ("header", "main", "footer", "nav")] == [1] * 4
    levels = [int(element.tag[1]) for element in tree.iter("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [element.get("id") for element in tree.iter() if element.get("id") and element.tag in ("h2", "section")]
    assert len(ids) == len(set(ids))
    assert {a.get("href") for a in tree.iter("a")} == {f"#{h2.get('id')}" for h2 in tree.iter("h2")}
    assert all(th.get("scope") in ("col", "row") for th in tree.iter("th"))
    for table in tree.iter("table"):
        assert table.findtext("caption")
        wide = {len(row) for row in table.iter("tr")}
        assert len(wide) == 1
    for svg in tree.iter("svg"):
        assert svg.get("aria-hidden") == "true"
        figure = svg.getparent()
        assert figure.find("figcaption") is not None
        told = figure.find(".//table")
        assert told is not None or figure.getnext().find(".//table") is not None


def test_the_page_is_the_same_again_but_for_times(result: RunResult, page: str, tmp_path: Path) -> None:
    again = Path(write_report(graph_of(result.graph.recipe.output), str(tmp_path / "again.html")))
    assert again.read_text(encoding="utf-8") == page


def test_the_same_run_elsewhere_differs_in_times_and_places(result: RunResult, page: str) -> None:
    home = Path(result.graph.recipe.output).parent
    elsewhere = home.parent / "elsewhere"[: len(home.name)]  # of the same length: YAML breaks long lines
    shutil.copytree(home / "raw", elsewhere / "raw")
    other = run(load(str(write_recipe(elsewhere))), RUNNER, say=lambda line: None)
    text = Path(write_report(other.graph)).read_text(encoding="utf-8").replace(str(elsewhere), str(home))

    def without_times(text: str) -> str:
        return re.sub(r'<section aria-labelledby="time">.*?</section>', "", text, flags=re.DOTALL)

    assert without_times(text) != text
    assert without_times(text) == without_times(page)


def test_what_someone_asked_to_take_out_is_not_shown(result: RunResult, tmp_path: Path) -> None:
    """Before and after the run that takes it out."""
    shutil.copytree(Path(result.graph.recipe.output).parent, tmp_path / "home")
    output = str(tmp_path / "home" / "run")
    (tmp_path / "home" / "recipe.yaml").write_text(
        write_recipe(tmp_path).read_text(encoding="utf-8").replace(str(tmp_path), str(tmp_path / "home")),
        encoding="utf-8",
    )
    text = Path(write_report(result.graph, str(tmp_path / "before.html"))).read_text(encoding="utf-8")
    shown = sorted(set(re.findall(r"page-\d+(?:-short|-near|-again)?", text)))
    assert len(shown) > 5
    add_request(output, Wanted(tuple(shown)), {"found": []})
    recipe = load(str(tmp_path / "home" / "recipe.yaml"))
    after = Path(write_report(run(recipe, RUNNER, until="across", say=lambda line: None).graph))
    left = set(re.findall(r"page-\d+(?:-short|-near|-again)?", after.read_text(encoding="utf-8")))
    assert left.isdisjoint(shown)


def test_perplexity_is_told_by_bucket(result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which no model is here: the page gets what tests/corpus/report/test_step.py looks at."""
    histogram = histogram_of(np.array([100.0, 300, 900]))
    assert histogram is not None
    plot = distribution("perplexity, en", histogram, (200, 500), "perplexity", "head, middle, tail")
    buckets = [("en", "head", 1, True), ("en", "tail", 1200, False), ("", "all", 5, False)]
    found = [ShownPerplexity("perplexity", buckets, [plot])]
    monkeypatch.setattr("pipelines.report.perplexities", lambda folder: found if "web/20-" in folder.path else [])
    text = Path(write_report(result.graph, str(tmp_path / "page.html"))).read_text(encoding="utf-8")
    tree = html.document_fromstring(text)
    assert rows(tree, "Buckets of perplexity in web") == [
        ["en", "head", "1", "yes"], ["en", "tail", "1,200", "no"], ["unknown", "all", "5", "no"],
    ]  # fmt: skip
    assert rows(tree, "perplexity, en, documents by value")


def test_tokens_from_elsewhere_have_a_row(result: RunResult, tmp_path: Path) -> None:
    folder = result.graph.tokens["notes"].folder
    assert result.graph.recipe.mixture is not None
    mixture = result.graph.recipe.mixture.model_copy(update={"folders": {"imported": folder}})
    graph = replace(result.graph, recipe=replace(result.graph.recipe, mixture=mixture))
    tree = html.document_fromstring(Path(write_report(graph, str(tmp_path / "page.html"))).read_text(encoding="utf-8"))
    found = {row[0]: row[1:] for row in rows(tree, "Every source from its raw files to its tokens")}
    assert found["imported"] == ["", "", "", "", "", "", *found["notes"][6:]]


def test_a_report_that_fails_fails_no_run(result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    report_after(result.graph, False, said.append)
    assert said == [f"report: {result.graph.recipe.output}/report.html"]
    monkeypatch.setattr("pipelines.report.shown_step", lambda *arguments: 1 / 0)
    report_after(result.graph, False, said.append)
    again = f"`corpus report {result.graph.recipe.output}` tries again"
    assert said[1:] == [
        f"report: none was written (ZeroDivisionError: division by zero); all else is done, and {again}"
    ]


def test_a_run_of_one_source_reports_all_that_is_there(tmp_path: Path) -> None:
    make(tmp_path)
    recipe = load(str(write_recipe(tmp_path)))
    said: list[str] = []
    for source in ("web", "notes"):
        report_after(run(recipe, RUNNER, [source], "extract", say=lambda line: None).graph, True, said.append)
    tree = html.document_fromstring(Path(recipe.output, "report.html").read_text(encoding="utf-8"))
    assert [row[0] for row in rows(tree, "Steps of web")] == ["extract"]
    assert [row[0] for row in rows(tree, "Steps of notes")] == ["extract"]
    missing = [line.text_content() for line in tree.iter("li") if "not finished" in line.text_content()]
    assert missing == [
        "not finished, and not on this page: web/length+tongue, web/exact, notes/stats, across/near, "
        "tokenizer, tokenize/web, tokenize/notes, mix"
    ]
    shutil.rmtree(tmp_path / "raw" / "web")
    write_report(graph_of(recipe.output))
    text = html.document_fromstring(Path(recipe.output, "report.html").read_text(encoding="utf-8")).text_content()
    assert f"input {tmp_path}/raw/web does not exist" in text
    assert "Steps of notes" in text
    shutil.rmtree(tmp_path / "raw" / "notes")
    with pytest.raises(UserError, match=r"no step of .* is finished, so there is nothing to report: input .* does not"):
        write_report(graph_of(recipe.output))


def test_the_command(result: RunResult, tmp_path: Path) -> None:
    output = result.graph.recipe.output
    done = CliRunner().invoke(app, ["report", output, "--output", str(tmp_path / "r.html")], catch_exceptions=False)
    assert done.output.strip() == str(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_bytes() == Path(output, "report.html").read_bytes()
    with pytest.raises(UserError, match=r"has no recipe\.yaml"):
        CliRunner().invoke(app, ["report", str(tmp_path)], catch_exceptions=False)


IN_A_BROWSER = {
    "opened": "document.querySelectorAll('details').forEach(one => one.open = true)",
    "title": "document.title",
    "scripts": "document.scripts.length",
    "images": "document.images.length",
    "wider": "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    "paper": "getComputedStyle(document.body).backgroundColor",
    "plots": "[...document.querySelectorAll('svg')].filter(one => one.getBoundingClientRect().width > 200).length",
    "drawn": "document.querySelectorAll('svg').length",
    "keyboard": "[...document.querySelectorAll('a, summary, .scroll')]"
    ".every(one => !one.checkVisibility() || (one.focus(), document.activeElement === one))",
}


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(15, 19, 24)")])
def test_in_a_browser(result: RunResult, page: str, width: int, scheme: str, paper: str) -> None:
    path = Path(result.graph.recipe.output) / "report.html"
    values, asked = look(path, list(IN_A_BROWSER.values()), width, scheme)
    found = dict(zip(IN_A_BROWSER, values, strict=True))
    assert asked == [path.as_uri()]
    assert found["title"] == f"Report of {result.graph.recipe.output}"
    assert (found["scripts"], found["images"], found["wider"], found["paper"]) == (0, 0, 0, paper)
    assert found["plots"] == found["drawn"] > 3
    assert found["keyboard"]
