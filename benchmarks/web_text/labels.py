"""Which blocks of a page are of a text: what the model learns."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

_WORD = re.compile(r"\w+")
_GRAM = 3  # words


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def shares(blocks: Sequence[str], text: str) -> npt.NDArray[np.float32]:
    """How much of each block is in a text, 0 to 1: the share of its runs of three words that the text has too.

    A shorter block is in the text if it is a line of it, or as two or three words stands anywhere in it.
    """
    all_words = words(text)
    grams = [_grams(all_words, size) for size in range(_GRAM + 1)]
    lines = {tuple(words(line)) for line in text.split("\n")}
    found = np.zeros(len(blocks), np.float32)
    for row, block in enumerate(blocks):
        own = words(block)
        if len(own) <= _GRAM:
            found[row] = tuple(own) in lines or (len(own) > 1 and tuple(own) in grams[len(own)])
        else:
            of_block = _grams(own, _GRAM)
            found[row] = len(of_block & grams[_GRAM]) / len(of_block)
    return found


def known_strings(blocks: Sequence[str], keep: Sequence[str], drop: Sequence[str]) -> npt.NDArray[np.float32]:
    """1 for blocks that hold a string to keep, 0 for those that hold one to drop, NaN for all others."""
    flat = [" ".join(block.split()) for block in blocks]
    found = np.full(len(blocks), np.nan, np.float32)
    for strings, value in ((keep, 1), (drop, 0)):
        for string in strings:
            sought = " ".join(string.split())
            found[[row for row, block in enumerate(flat) if sought in block]] = value
    return found


def votes(html: str, blocks: Sequence[str]) -> npt.NDArray[np.float32]:
    """The mean of what three extractors say, for pages whose main text nobody wrote down: trafilatura, trafilatura
    with `favor_precision`, and readability-lxml."""
    return np.mean([shares(blocks, extract(html)) for extract in _EXTRACTORS], axis=0, dtype=np.float32)


def _trafilatura(html: str, favor_precision: bool = False) -> str:
    import trafilatura

    return trafilatura.extract(html, include_comments=False, favor_precision=favor_precision) or ""


def _precise(html: str) -> str:
    return _trafilatura(html, favor_precision=True)


def _readability(html: str) -> str:
    from readability import Document
    from resiliparse.extract.html2text import extract_plain_text

    try:
        summary = Document(html).summary()
    except Exception:  # whatever it raises on a page, it has no vote there
        return ""
    return extract_plain_text(summary, preserve_formatting=True)


_EXTRACTORS: tuple[Callable[[str], str], ...] = (_trafilatura, _precise, _readability)


def _grams(of: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(of[start : start + size]) for start in range(len(of) - size + 1)}
