"""Ways to get the main text of a page, by the names that a recipe gives them."""

import re
from typing import Literal

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLParserException

from corpus.errors import UserError

Extractor = Literal["resiliparse", "trafilatura"]

MAX_DEPTH = 512
"""Deepest nesting of blocks: Chrome's limit (kMaximumHTMLParserDOMTreeDepth). Resiliparse's main-content heuristic takes
time in the square of it."""

_BLOCK_TAG = re.compile(r"<(/?)(?:div|article)\b", re.IGNORECASE)


class NoText(Exception):
    """A page that gives no text; the message is the reason."""
