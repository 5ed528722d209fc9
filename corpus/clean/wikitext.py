"""Removes MediaWiki markup."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import pyarrow as pa

from corpus.clean.wiki.lines import plain_lines, sections
from corpus.clean.wiki.page import Page
from corpus.rules import Cleaned, Cleaner
from corpus.text.mediawiki import end_titles

_MAX_BYTES = 2 << 20
"""The longest page MediaWiki saves by default ($wgMaxArticleSize, 2,048 kB)."""


class Wikitext(Cleaner):
    """Wikitext to plain text, in one pass over its tokens with a stack, so that no input is slower than linear.

    Parsers that try constructs out and go back, as mwparserfromhell does, take minutes for 80 kB of unclosed "{{a|".

    Gone: comments, boxes, tables, references, files, media, categories, links to other languages, magic words, bare
    addresses, and the sections that hold references, notes and links (by the document's language: a title that can be
    a topic, such as Literature, only at the end of the page). Kept: the text of links and of formatting tags; what
    <nowiki>, <pre> and <syntaxhighlight> hold, untouched, and the indentation of lines that begin with a space; the
    LaTeX of <math>; headings as plain lines, unless nothing follows below them. 10<sup>5</sup> is 10^5.

    Templates and parser functions in running text are replaced by what readers see, where that is on the page: 11,000
    names in 20 languages are in a table (`corpus/clean/wiki/templates.tsv`). Where it is not on the page (the
    population that another wiki holds, an age today), the sentence or the bracketed remark around it is dropped, and
    counted: `sentences_dropped` is stored for every document. Brackets and commas that an empty template leaves behind
    are repaired.

    An opening without its end loses only its mark; within a table or template that is not closed, lines of cells and
    parameters ("|", "!") go too.

    Reasons: too_long (over 2 MiB), markup_too_deep (over 100 constructs within each other), empty.
    """

    version: ClassVar[int] = 3
    keeps: ClassVar[float] = 0.47  # measured on a few MB of real files
    reasons: ClassVar[tuple[str, ...]] = ("too_long", "markup_too_deep", "empty")

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        columns = (batch[name].to_pylist() for name in ("text", "language", "metadata"))
        pages = [
            plain_text(text, language or "", *_known(metadata))
            for text, language, metadata in zip(*columns, strict=True)
        ]
        return Cleaned(
            pa.array([page.text for page in pages], pa.large_string()),
            pa.array([page.reason for page in pages], pa.string()),
            counts=pa.RecordBatch.from_pydict(
                {"sentences_dropped": pa.array([page.sentences_dropped for page in pages], pa.int32())}
            ),
        )


class Plain(NamedTuple):
    """A page as text, or "" and the reason to drop it."""

    text: str
    reason: str | None = None
    sentences_dropped: int = 0


def plain_text(
    text: str,
    language: str = "",
    title: str = "",
    hidden: frozenset[str] = frozenset(),
    redirects: Mapping[str, str] = MappingProxyType({}),
) -> Plain:
    """The text without markup.

    Args:
        language: of the Wikipedia, which the meaning of templates, namespaces and titles of sections depends on.
        title: of the page, which {{PAGENAME}} stands for.
        hidden: names of the dump's namespaces of files, media and categories, in lower case, beside the known ones.
        redirects: of the dump's templates, from a name in lower case that is not in the table to one that is.
    """
    if len(text) > _MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        return Plain("", "too_long")
    page = Page(text, language, title, hidden, redirects)
    if page.too_deep:
        return Plain("", "markup_too_deep")
    lines, dropped = plain_lines(page.text)
    plain = page.verbatim_back(sections(lines, end_titles(language)))
    return Plain(plain, None, dropped) if plain.strip() else Plain("", "empty", dropped)


def _known(metadata: str | None) -> tuple[str, frozenset[str], Mapping[str, str]]:
    """What the source says of the page: its title, and namespaces and redirects of the dump that no table has."""
    known = json.loads(metadata) if metadata else {}
    return known.get("title", ""), frozenset(known.get("hidden_namespaces", ())), known.get("template_redirects", {})
