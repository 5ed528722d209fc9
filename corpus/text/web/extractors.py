"""Ways to get the main text of a page, by the names that a recipe gives them."""

from typing import Any, Literal

from corpus.errors import UserError
from corpus.text.web.main_text import kept_blocks
from corpus.text.web.parse import parse
from corpus.text.web.render import render

Extractor = Literal["blocks", "trafilatura"]
"""`blocks`: ours, by a model over the blocks of a page. `trafilatura`: the library of that name, many times slower."""
Form = Literal["plain", "markdown"]


class BadHtml(Exception):
    """An extractor does not get through a page; the message is its error."""


def main_text(html: str, extractor: Extractor = "blocks", form: Form = "plain") -> str:
    """The main text of a page, "" where it has none.

    Raises:
        BadHtml: trafilatura does not get through it.
        UserError: trafilatura is not installed.
    """
    if extractor == "trafilatura":
        return _by_trafilatura(html, form)
    page = parse(html.encode("utf-8", "replace"))
    return render(page, kept_blocks(page).tolist(), markdown=form == "markdown")


def trafilatura() -> Any:
    """The library.

    Raises:
        UserError: it is not installed.
    """
    try:
        import trafilatura as library
    except ImportError:
        raise UserError(
            "`extractor: trafilatura` needs that library: pip install '.[trafilatura]' in the project's folder"
        ) from None
    return library


def _by_trafilatura(html: str, form: Form) -> str:
    extract = trafilatura().extract
    try:
        found = extract(html, include_comments=False, output_format="markdown" if form == "markdown" else "txt")
    except Exception as error:  # of any of the libraries under it, on whatever a page holds
        raise BadHtml(f"{type(error).__name__}: {error}") from error
    return found or ""
