"""The main text of a web page, from the HTTP response that held it."""

import re
from typing import Any, NamedTuple

from corpus.sources.decode import is_opaque
from corpus.sources.http_response import TooLong, parse_response
from corpus.sources.magic import binary_kind
from corpus.sources.robots_marks import robots_marks
from corpus.text.web.charset import decode_html
from corpus.text.web.extractors import BadHtml, Extractor, Form, main_text

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_NO_PAGE = re.compile(r"(?:image|audio|video|font)/|application/(?!xml$|[\w.-]+\+xml$|x-httpd|x-php)")
"""Payload types that Common Crawl identified and that rule out a page, whatever the header says."""
_LOOKS_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{,1000}?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_SEVEN_BITS_WITH_CONTROLS = frozenset({"iso2022_kr"})  # shifts by SO and SI


class NoPage(NamedTuple):
    reason: str
    detail: str = ""


class Page(NamedTuple):
    text: str
    metadata: dict[str, Any]


def read_page(
    message: bytes, identified: str, limit: int, extractor: Extractor = "blocks", form: Form = "plain"
) -> Page | NoPage:
    """The main text of an HTTP response.

    Args:
        identified: the media type that the crawler found in the body, or "".
        limit: most bytes of the body, its encodings undone.
    """
    try:
        response = parse_response(message, limit)
    except TooLong as error:
        return NoPage("too_long", str(error))
    if response is None:
        return NoPage("not_http")
    if response.status != 200:
        return NoPage("http_status", str(response.status))
    content_type, declared = response.content_type()
    looks_html = bool(_LOOKS_HTML.match(response.body))
    if not content_type:
        content_type = identified or ("text/html" if looks_html else "")
    if content_type not in _HTML:
        return NoPage("not_html", content_type)
    if _NO_PAGE.match(identified) and identified not in _HTML and not looks_html:
        return NoPage("not_html", f"identified as {identified}")
    if kind := binary_kind(response.body):
        return NoPage("binary", kind)
    if response.packed:
        return NoPage("binary", f"packed as {response.packed}")
    html, charset = decode_html(response.body, declared)
    if not charset.startswith("utf-16") and charset not in _SEVEN_BITS_WITH_CONTROLS and is_opaque(response.body):
        return NoPage("binary")
    try:
        text = main_text(html, extractor, form)
    except BadHtml as error:
        return NoPage("bad_html", str(error))
    metadata: dict[str, Any] = {"charset": charset, "content_type": content_type}
    if response.cut:
        metadata["cut"] = True
    if marks := robots_marks(response.fields.get("x-robots-tag", ()), html):
        metadata["robots"] = marks
    return Page(text, metadata)
