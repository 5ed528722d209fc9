"""Writes docs/filters.md: `CORPUS_TEST_DATA=FOLDER python -m tests.corpus.filters_page`.

What the page says of a rule is its docstring; the documents that it drops, and how it compares with datatrove, are
found in real data. tests/corpus/test_filters_page.py compares the page with what is written here.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from corpus.describe import prose_of, settings_of, summary_of
from corpus.recipe.load import bundled, bundled_names, load
from corpus.registry import find_rule
from corpus.schema import Document, Origin, document_batch
from corpus.settings import FileMark
from corpus.sources.github import Github
from corpus.sources.raw import list_files
from corpus.steps.chain import apply_chain, apply_rule
from corpus.steps.rule import NamedRule
from tests.corpus.real_pages import judged_pages, judgements, wet_pages
from tests.corpus.text.test_sentences import reference as sentences_of

PAGE = Path(__file__).parents[2] / "docs" / "filters.md"
HEAD = """# What the rules for text drop, and why

Made by `tests/corpus/filters_page.py` of the rules' docstrings and of real documents; a test compares. `corpus rules
NAME` prints the same about a rule; [recipes.md](recipes.md) has their settings in one table and says how a recipe names
them. The rules that read one kind of source (`wikitext`, `latex`, ...) are in [sources.md](sources.md).

"Dropped" names a real document that the rule drops with its defaults, or with the settings that stand there.
"""
RULES: dict[str, dict[str, Any]] = {
    "url_blocklist": {"domains": ["LIST"]},
    "language": {"model": "MODEL"},
    "length": {},
    "gopher_quality": {},
    "gopher_repetition": {},
    "c4_lines": {},
    "fineweb_quality": {},
    "refinedweb_lines": {},
    "madlad_quality": {},
    "characters": {},
    "compression": {"min_ratio": 0.3},
    "decontaminate": {"items": ["ITEMS"]},
    "pii": {"phones": True, "max_replaced": 5},
    "regex_lines": {"drop": ["All Records Of"]},
    "code": {},
    "starcoder": {},
    "stats": {},
    "signatures": {},
}
"""With what the example is made. The model, the list (of one domain) and the test items (a passage of a page) are put
in when it is."""
OF_CODE = ("code", "starcoder")
DOMAIN = "iheart.com"
MODELS = """
## perplexity, reference

They need models of yours ([recipes.md](recipes.md), "Models"): `corpus rules perplexity`, `corpus rules reference`.
"""


class Page(NamedTuple):
    """A real document, and how the page calls it."""

    name: str
    document: Document


class Compared(NamedTuple):
    """A rule of ours beside one of datatrove's.

    Attributes:
        theirs: gives a document's reason, None where it is kept.
        why: what the differences come from.
    """

    title: str
    rule: str
    settings: dict[str, Any]
    theirs: Callable[[str], str | None]
    why: str


def pool(shared_data: Path) -> list[Page]:
    """The documents that examples are looked for in, in this order."""
    pages = [Page(f"<{page.url}>", page) for page in wet_pages(shared_data)]
    path = shared_data / "c4" / "LLaMA-Factory" / "c4_demo.jsonl"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        pages.append(Page(f"{path.name}, line {number}", _document(json.loads(line)["text"])))
    return pages


def source_files(shared_data: Path) -> list[Page]:
    """The same of source code."""
    root = str(shared_data / "github")
    found = [record for split in Github().splits(list_files(root)) for record in Github().read(root, split)]
    return [Page(record.id, record) for record in found if isinstance(record, Document)]


def page(shared_data: Path) -> str:
    """The whole page."""
    sections = [HEAD]
    pages, files = pool(shared_data), source_files(shared_data)
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "list"
        listed.write_text(DOMAIN + "\n")
        items = Path(folder) / "items.jsonl"
        passage = " ".join(pages[3].document.text.split()[1000:1030])
        items.write_text(json.dumps({"id": "made", "text": passage}) + "\n")
        model = next(shared_data.glob("models-wordlists/**/lid.176.ftz"))
        places = {"LIST": str(listed), "MODEL": str(model), "ITEMS": str(items)}
        for name, settings in RULES.items():
            sections.append(_section(name, settings, files if name in OF_CODE else pages, places))
    sections.append(MODELS)
    texts = [*judged_pages(shared_data), *(found.document.text for found in [*pages, *files])]
    sections += [_beside_datatrove(texts), _beside_people(judgements(shared_data))]
    return "\n".join(sections)


def _document(text: str) -> Document:
    return Document("made", text, Origin("file"))


def _section(name: str, settings: dict[str, Any], pages: Sequence[Page], places: dict[str, str]) -> str:
    rule = find_rule(name)
    lines = ["", f"## {name}", "", summary_of(rule), "", prose_of(rule), ""]
    rows = [
        f"| `{setting.name}` | {_cell(setting.default or 'required')} | {_cell(setting.text, code=False)} |"
        for setting in settings_of(rule)
    ]
    if rows:
        lines += ["| setting | default | |", "|---|---|---|", *rows, ""]
    named = NamedRule(name, rule(**_with(settings, places)))
    return "\n".join([*lines, *_example(named, settings, pages)])


def _with(value: Any, places: dict[str, str]) -> Any:
    """Settings with the paths of files in the place of their names."""
    if isinstance(value, dict):
        return {key: _with(each, places) for key, each in value.items()}
    if isinstance(value, list):
        return [_with(each, places) for each in value]
    return places.get(value, value) if isinstance(value, str) else value


def _cell(text: str, code: bool = True) -> str:
    text = text.replace("|", "\\|")
    return f"`{text if len(text) < 60 else text[:56] + ' ...'}`" if code else text


def _example(named: NamedRule, settings: dict[str, Any], pages: Sequence[Page]) -> Iterator[str]:
    applied = apply_rule(named, document_batch([found.document for found in pages], "pages"))
    dropped = [(row, reason) for row, reason in enumerate(applied.reasons.to_pylist()) if reason]
    if named.name == "stats":
        yield f"Of {pages[0].name}:{_scores(named, applied.scores, 0)}."
        return
    if named.name == "signatures":
        size = len(applied.scores.column("signature")[0].as_py())
        yield f"Of {pages[0].name}: {size} bytes."
        return
    assert dropped, f"no document of the pool is dropped by {named.name}: find one"
    row, reason = dropped[0]
    given = " and ".join(f"`{key}: {json.dumps(value)}`" for key, value in settings.items())
    how = f", with {given}" if given else ""
    yield f"Dropped{how}: {pages[row].name}, `{reason}`{_scores(named, applied.scores, row)}."
    if text := " ".join(re.findall(r"\S+", pages[row].document.text[:1000])):
        start = text[:100].replace("`", "'")
        yield f"It begins `{start}`."


def _scores(named: NamedRule, scores: pa.RecordBatch | None, row: int) -> str:
    if scores is None:
        return ""
    values = {name: scores.column(name)[row].as_py() for name in scores.schema.names}
    return " (" + ", ".join(f"`{name}` {value}" for name, value in values.items() if value is not None) + ")"


def _beside_datatrove(texts: Sequence[str]) -> str:
    rows = []
    batch = document_batch([_document(text) for text in texts], "pages")
    for one in compared():
        ours = apply_rule(NamedRule(one.rule, find_rule(one.rule)(**one.settings)), batch).reasons.to_pylist()
        pairs = [(a is None, one.theirs(text) is None) for a, text in zip(ours, texts, strict=True)]
        only_ours, only_theirs = pairs.count((False, True)), pairs.count((True, False))
        equal = len(pairs) - only_ours - only_theirs
        dropped = pairs.count((False, False))
        rows.append(f"| {one.title} | {equal:,} | {dropped:,} | {only_ours} | {only_theirs} | {one.why} |")
    head = f"""
## Beside datatrove

Decisions on {len(texts):,} real documents (pages of Common Crawl, C4 and source files), of our rules and of datatrove's
own code, document by document. Both split words at white space and sentences as `c4_lines` does; datatrove's defaults
need spaCy and NLTK's data.

| rule | decided alike | of these dropped | only ours drops | only datatrove drops | what the difference is |
|---|---|---|---|---|---|
"""
    pii = find_rule("pii")().clean(batch).text.to_pylist()
    alike = sum(_formatted(text) == ours for text, ours in zip(texts, pii, strict=True))
    tail = f"""
`pii` rewrites {alike:,} of them as datatrove's `PIIFormatter` does, one formatter a document. In the others
that takes numbers for addresses which stand inside longer ones, or right behind a letter.
"""
    return head + "\n".join(rows) + "\n" + tail


def _beside_people(judged: Sequence[tuple[str, bool]]) -> str:
    batch = document_batch([_document(text) for text, _ in judged], "pages")
    good = np.array([is_good for _, is_good in judged])
    rows = []
    for name in sorted({*bundled_names()} - {"fineweb2"}):  # which is for German
        variables = {"DATA": "", "LISTS": "", "DEMO": ""}
        entries = {entry.name: entry for entry in load(bundled(name), {}, variables, needs_models=False).sources}
        chain = [rule for rule in entries["commoncrawl"].steps if not (rule.is_dedup or list(_files(rule)))]
        if not chain:
            continue
        kept = np.ones(len(judged), np.bool_)
        for applied in apply_chain(batch, None, chain):
            kept[applied.rows[applied.dropped]] = False
        both = (kept & good).sum()
        rules = ", ".join(f"`{rule.key}`" for rule in chain)
        rows.append(f"| `{name}` | {rules} | {both / kept.sum():.2f} | {both / good.sum():.2f} | {kept.sum()} |")
    return (
        f"""
## Beside the judgement of people

{len(judged)} English pages that had passed the rules of DCLM, of which most judges found {good.sum()} good (DCLM's
own data; keeping all has a precision of {good.mean():.2f}). What the rules of each recipe that need no file keep of
them: precision is the share of good pages among those kept, recall the share of the good ones that is kept. Heuristics
take out what is no text; to tell good text from other text is the work of a classifier.

| recipe | rules | precision | recall | kept |
|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
    )


def _files(named: NamedRule) -> Iterator[str]:
    """The fields of a rule that name files."""
    for name, field in type(named.rule).model_fields.items():
        if any(isinstance(mark, FileMark) for mark in field.metadata) and getattr(named.rule, name):
            yield name
    if "models" in type(named.rule).model_fields:
        yield "models"


def _formatted(text: str) -> str:
    from datatrove.pipeline.formatters.pii import PIIFormatter

    return PIIFormatter().format(text)


def compared() -> Iterator[Compared]:
    """Rules of ours and of datatrove."""
    from datatrove.data import Document as TheirDocument
    from datatrove.pipeline.filters import (
        c4_filters,
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )

    def reason(filter_: Any) -> Callable[[str], str | None]:
        def of(text: str) -> str | None:
            with (
                patch.object(gopher_quality_filter, "split_into_words", _words),
                patch.object(gopher_repetition_filter, "split_into_words", _words),
                patch.object(fineweb_quality_filter, "split_into_words", _words),
                patch.object(c4_filters, "split_into_sentences", lambda text, language: sentences_of(text)),
            ):
                given = filter_.filter(TheirDocument(text=text, id=""))
            return given[1] if isinstance(given, tuple) else None if given else "dropped"

        return of

    yield Compared(
        "`gopher_quality`", "gopher_quality", {}, reason(gopher_quality_filter.GopherQualityFilter()),
        "there words of only punctuation are none, blank lines are lines, and bullets may stand behind white space",
    )  # fmt: skip
    yield Compared(
        "`gopher_repetition`", "gopher_repetition", {}, reason(gopher_repetition_filter.GopherRepetitionFilter()),
        "there white space counts as characters, an n-gram that comes once is the most frequent one of a short text, "
        "overlapping ones count twice, and behind a duplicate n-gram the next is looked for behind its end",
    )  # fmt: skip
    yield Compared(
        "`fineweb_quality`, with FineWeb's ends of lines", "fineweb_quality", {},
        reason(fineweb_quality_filter.FineWebQualityFilter(stop_chars=tuple(".'\"!?"))), "none",
    )  # fmt: skip
    yield Compared(
        "`c4_lines`, as FineWeb sets it", "c4_lines",
        {"end_mark": False, "min_words": 3, "min_sentences": 5, "max_chars": 10**9},
        reason(c4_filters.C4QualityFilter(filter_no_terminal_punct=False)), "none",
    )  # fmt: skip
    yield Compared(
        "`c4_lines`, against the numbers of C4's code", "c4_lines", {},
        reason(c4_filters.C4QualityFilter(min_words_per_line=5, min_num_sentences=3)),
        "there a line may also end with `'`, words are counted before citations are removed, and a page may be longer",
    )  # fmt: skip


def _words(text: str, language: str) -> list[str]:
    return text.split()


if __name__ == "__main__":
    PAGE.write_text(page(Path(os.environ["CORPUS_TEST_DATA"])), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
