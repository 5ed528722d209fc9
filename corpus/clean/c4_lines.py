"""The line and page rules of C4, as its released code applies them."""

import re
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.kernel import kernel
from corpus.rules import Cleaned, Cleaner
from corpus.settings import FileMark
from corpus.text.buffers import text_array, text_buffers
from corpus.text.lines import strip
from corpus.text.sentences import count_sentences
from corpus.text.unicode import DECIMAL, SPACE, classes, decode
from corpus.text.word_lists import read_words

_KEPT, _LOREM_IPSUM, _CURLY_BRACE, _TOO_FEW_SENTENCES, _TOO_LONG = range(5)
_REASONS = pa.array([None, "lorem_ipsum", "curly_brace", "too_few_sentences", "too_long"], pa.string())

# Tables by byte; a lookup is faster in a loop than comparisons.
_BREAKS = np.zeros(256, np.bool_)
_BREAKS[[*b"\n\r\v\f\x1c\x1d\x1e", 0xC2, 0xE2]] = True  # 0xC2 starts U+0085, 0xE2 U+2028 and U+2029
_RARE = np.zeros(256, np.uint8)  # a rare letter of each phrase; 0xAA ends the Kelvin sign, a capital k
for _place, _bytes in enumerate((b"pP", b"jJ", b"fF", b"vV", b"kK\xaa", b"{"), start=1):
    _RARE[list(_bytes)] = _place

_FIND_LOREM_IPSUM, _FIND_JAVASCRIPT, _FIND_CURLY_BRACE, _FIND_POLICY = 1, 2, 4, 8


class C4Lines(Cleaner):
    """C4's rules, from the code that made the released data (tensorflow_datasets/text/c4_utils.py, `clean_page`).

    A page of more than `max_chars` characters is dropped. Each line (`str.splitlines`) is stripped, then in this order:
    a word of more than `max_word_length` characters: drop the line; remove "[1]", "[]", "[edit]" and "[citation
    needed]"; no "." "?" "!" or '"' at the end, or "..." there: drop the line; fewer than `min_words` words: drop the
    line; "lorem ipsum": drop the page; "javascript": drop the line; "{": drop the page; a phrase of a privacy policy:
    drop the line. So what kills a page is looked for only in lines that got so far. A page whose lines have fewer than
    `min_sentences` sentences is dropped. Last, with `badwords`, a page with one of these words is dropped: on its own,
    and in Japanese, Thai and Chinese inside others too (by the document's `language`, which a source gives it, or the
    rule `language` before this one).

    The numbers are the code's; the paper (Raffel et al. 2020, section 2.2) says 3 words and 5 sentences. Language, URL
    and line dedup are other steps. Two differences: C4 counts sentences with NLTK's Punkt, whose data would have to be
    downloaded; `count_sentences` knows no abbreviations and finds 3% more (Punkt with its English abbreviations, 556
    real pages; every page was decided alike). And C4 had removed blank lines before it counted characters.

    Reasons: `too_long`, `lorem_ipsum`, `curly_brace`, `too_few_sentences`, `bad_word`. `kept_lines` has one number for
    each line of the new text: the line of the old text, counted by "\\n", that it came from.

    Attributes:
        min_words: of a line, after citations are removed.
        min_sentences: of a page.
        max_word_length: in characters.
        max_chars: of a page.
        end_mark: whether a line without one is dropped (FineWeb: false).
        badwords: file with one word or phrase a line (C4: "en" of the LDNOOBW list at commit 25e679f, mC4 those of the
            other languages at 5faf2ba), or None. Of its words C4 lets three pass in Japanese and one in Chinese.
    """

    version: ClassVar[int] = 2
    reasons: ClassVar[tuple[str, ...]] = ("too_long", "lorem_ipsum", "curly_brace", "too_few_sentences", "bad_word")

    min_words: int = Field(default=5, ge=0)
    min_sentences: int = Field(default=3, ge=0)
    max_word_length: int = Field(default=1000, ge=1)
    max_chars: int = Field(default=190_000, ge=0)
    end_mark: bool = True
    badwords: Annotated[str | None, FileMark("word list")] = None

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        """Raises UserError when the file of bad words cannot be read."""
        data, offsets = text_buffers(batch.column("text"))
        rows = batch.num_rows
        out = np.empty(offsets[-1] - offsets[0], np.uint8)
        ends, line_ends = np.zeros(rows + 1, np.int64), np.zeros(rows + 1, np.int32)
        codes = np.zeros(rows, np.int8)
        limits = (self.min_words, self.min_sentences, self.max_word_length, self.max_chars, self.end_mark)
        kept = _clean_rows(data, offsets, classes(), limits, out, ends, codes, line_ends)
        text = text_array(out, ends)
        reason = _REASONS.take(pa.array(codes))
        if self.badwords is not None:
            bad = _have_bad_word(text, batch.column("language"), read_words(self.badwords))
            reason = pc.coalesce(reason, pc.if_else(bad, "bad_word", pa.scalar(None, pa.string())))
        kept_lines = pa.ListArray.from_arrays(pa.array(line_ends), pa.array(kept[: line_ends[-1]]))
        return Cleaned(text, reason, kept_lines)


def _have_bad_word(texts: pa.Array, languages: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """Whether the lower-cased text has a bad word, boolean for each row."""
    lower = pa.array([text.lower() for text in texts.to_pylist()], pa.large_string())
    subtags = np.array([(language or "").partition("-")[0] for language in languages.to_pylist()], object)
    found = np.zeros(len(lower), bool)
    for subtag in set(subtags):
        rows = np.flatnonzero(subtags == subtag)
        expression, screen = _bad_word_expressions(words, subtag if subtag in _WITHOUT_SPACES else "")
        # RE2 is linear but its \W is ASCII's, which has more characters than Python's: it only names candidates.
        candidates = rows[np.array(pc.match_substring_regex(lower.take(pa.array(rows)), screen), bool)]
        for row in candidates:
            found[row] = expression.search(lower[row].as_py()) is not None
    return pa.array(found)


_WITHOUT_SPACES = ("ja", "th", "zh")
_ALLOWED = {"ja": ("sm", "グロ", "女の子"), "zh": ("性",)}
"""Frequent parts of other words (c4_utils.py, `_BADWORDS_ALLOWLIST`)."""


@lru_cache(maxsize=8)
def _bad_word_expressions(words: tuple[str, ...], language: str) -> tuple[re.Pattern[str], str]:
    """The expression of a language that is written without spaces, or of any other."""
    pattern = "|".join(re.escape(word) for word in words if word not in _ALLOWED.get(language, ()))
    if not pattern:
        pattern = r"[^\s\S]"  # matches nothing
    elif not language:
        pattern = rf"(?:\W|^)({pattern})(?:\W|$)"
    return re.compile(pattern), pattern


@kernel
def _clean_rows(
    data: Any, offsets: Any, classes: Any, limits: Any, out: Any, ends: Any, codes: Any, line_ends: Any
) -> Any:
    """Cleans each row into `out`, ending at `ends`, and gives the line numbers kept, those of a row at `line_ends`."""
    kept = np.empty(1024, np.uint32)
    at = lines = 0
    for row in range(len(offsets) - 1):
        code, end, kept, last = _clean_page(data, offsets[row], offsets[row + 1], classes, limits, out, at, kept, lines)
        codes[row] = code
        if code == _KEPT:
            at, lines = end, last
        ends[row + 1] = at
        line_ends[row + 1] = lines
    return kept


@kernel
def _clean_page(
    data: Any, start: Any, end: Any, classes: Any, limits: Any, out: Any, page: Any, kept: Any, lines: Any
) -> Any:
    """(reason code, end of the page in `out`, `kept`, lines in `kept`) of data[start:end], written to out[page:]."""
    min_words, min_sentences, max_word_length, max_chars, end_mark = limits
    if end - start > max_chars and _characters(data, start, end) > max_chars:
        return _TOO_LONG, page, kept, lines
    at = page
    sentences = number = 0
    i = start
    while i < end:
        stop, following, feeds = _line_end(data, i, end)
        line, bound = strip(data, i, stop, classes)
        here = number
        number += feeds
        i = following
        if line == bound or (end_mark and not _may_end_sentence(data[bound - 1])):
            continue
        if bound - line > max_word_length and _longest_word(data, line, bound, classes) > max_word_length:
            continue
        begin = at + (at > page)  # behind the line feed between two lines
        to = _copy_without_citations(data, line, bound, classes, out, begin)
        if (end_mark and not _ends_with_mark(out, begin, to)) or _count_words(
            out, begin, to, classes, min_words
        ) < min_words:
            continue
        found = _find_phrases(out, begin, to)
        if found & _FIND_LOREM_IPSUM:
            return _LOREM_IPSUM, page, kept, lines
        if found & _FIND_JAVASCRIPT:
            continue
        if found & _FIND_CURLY_BRACE:
            return _CURLY_BRACE, page, kept, lines
        if found & _FIND_POLICY:
            continue
        sentences += count_sentences(out, begin, to, classes)
        if begin > at:
            out[at] = 10
            at = to
        else:  # the page is stripped in the end: a citation may have left white space before its first line
            first, _ = strip(out, begin, to, classes)
            for at in range(begin, begin + to - first):
                out[at] = out[at + first - begin]
            at = begin + to - first
        if lines == len(kept):
            kept = _doubled(kept)
        kept[lines] = here
        lines += 1
    return _TOO_FEW_SENTENCES if sentences < min_sentences else _KEPT, at, kept, lines


@kernel
def _doubled(values: Any) -> Any:
    longer = np.empty(2 * len(values), values.dtype)
    for i in range(len(values)):
        longer[i] = values[i]
    return longer


@kernel
def _characters(data: Any, start: Any, end: Any) -> Any:
    characters = 0
    for i in range(start, end):
        characters += data[i] & 0xC0 != 0x80
    return characters


@kernel
def _line_end(data: Any, i: Any, end: Any) -> Any:
    """(end, start of the next, line feeds passed) of the line that starts at byte i, by `str.splitlines`."""
    while i < end:
        if not _BREAKS[data[i]]:
            i += 1
            continue
        byte = data[i]
        if byte < 0x80:
            if byte == 0x0D and i + 1 < end and data[i + 1] == 0x0A:
                return i, i + 2, 1
            return i, i + 1, byte == 0x0A
        point, size = decode(data, i)
        if point in (0x85, 0x2028, 0x2029):
            return i, i + size, 0
        i += size
    return end, end, 0


@kernel
def _may_end_sentence(byte: Any) -> Any:
    """A line can only pass with an end mark as its last byte, or with a citation behind it."""
    return byte == 0x2E or byte == 0x3F or byte == 0x21 or byte == 0x22 or byte == 0x5D


@kernel
def _longest_word(data: Any, start: Any, end: Any, classes: Any) -> Any:
    """Characters of the longest word."""
    longest = characters = 0
    i = start
    while i < end:
        point, size = decode(data, i)
        characters = 0 if classes[point] & SPACE else characters + 1
        longest = max(longest, characters)
        i += size
    return longest


_EDIT = np.frombuffer(b"[edit]", np.uint8)
_CITATION_NEEDED = np.frombuffer(b"[citation needed]", np.uint8)
"""With any run of decimal digits in brackets, what C4 removes: Wikipedia's marks."""


@kernel
def _copy_without_citations(data: Any, start: Any, end: Any, classes: Any, out: Any, at: Any) -> Any:
    """Writes data[start:end] without citations to out[at:]; gives the position behind it."""
    i = start
    while i < end:
        if data[i] == 0x5B:
            behind = _citation_end(data, i, end, classes)
            if behind > i:
                i = behind
                continue
        out[at] = data[i]
        at += 1
        i += 1
    return at


@kernel
def _citation_end(data: Any, i: Any, end: Any, classes: Any) -> Any:
    """The byte behind the citation that starts with "[" at i; i when none does."""
    j = i + 1
    while j < end:
        point, size = decode(data, j)
        if classes[point] & DECIMAL == 0:
            break
        j += size
    if j < end and data[j] == 0x5D:
        return j + 1
    if _has_at(data, i, end, _EDIT):
        return i + len(_EDIT)
    if _has_at(data, i, end, _CITATION_NEEDED):
        return i + len(_CITATION_NEEDED)
    return i


@kernel
def _has_at(data: Any, i: Any, end: Any, pattern: Any) -> Any:
    if end - i < len(pattern):
        return False
    for k in range(len(pattern)):  # noqa: SIM110 - numba has no all()
        if data[i + k] != pattern[k]:
            return False
    return True


@kernel
def _ends_with_mark(line: Any, start: Any, end: Any) -> Any:
    """'.', '?', '!' or '"', and not '...'."""
    if start == end or line[end - 1] == 0x5D or not _may_end_sentence(line[end - 1]):
        return False
    return end - start < 3 or line[end - 1] != 0x2E or line[end - 2] != 0x2E or line[end - 3] != 0x2E


@kernel
def _count_words(line: Any, start: Any, end: Any, classes: Any, enough: Any) -> Any:
    """Words of the line, or `enough` when there are at least as many."""
    words = 0
    inside = False
    i = start
    while i < end and words < enough:
        point, size = decode(line, i)
        space = classes[point] & SPACE != 0
        words += not space and not inside
        inside = not space
        i += size
    return words


_LOREM_IPSUM_PHRASE = np.frombuffer(b"lorem ipsum", np.uint8)
_JAVASCRIPT = np.frombuffer(b"javascript", np.uint8)
_TERMS_OF_USE = np.frombuffer(b"terms of use", np.uint8)
_PRIVACY_POLICY = np.frombuffer(b"privacy policy", np.uint8)
_COOKIE_POLICY = np.frombuffer(b"cookie policy", np.uint8)
_USES_COOKIES = np.frombuffer(b"uses cookies", np.uint8)
_USE_OF_COOKIES = np.frombuffer(b"use of cookies", np.uint8)
_USE_COOKIES = np.frombuffer(b"use cookies", np.uint8)


@kernel
def _find_phrases(line: Any, start: Any, end: Any) -> Any:
    """Bits of what occurs in the lower-cased line. Looks closer at the rare letters."""
    found = 0
    for i in range(start, end):
        place = _RARE[line[i]]
        if place == 0:
            continue
        if place == 1:
            found |= _FIND_LOREM_IPSUM * _lower_ends_with(line, start, i + 4, end, _LOREM_IPSUM_PHRASE)
        elif place == 2:
            found |= _FIND_JAVASCRIPT * _lower_ends_with(line, start, i + 10, end, _JAVASCRIPT)
        elif place == 3:
            found |= _FIND_POLICY * _lower_ends_with(line, start, i + 5, end, _TERMS_OF_USE)
        elif place == 4:
            found |= _FIND_POLICY * _lower_ends_with(line, start, i + 11, end, _PRIVACY_POLICY)
        elif place == 5:
            found |= _FIND_POLICY * (
                _lower_ends_with(line, start, i + 10, end, _COOKIE_POLICY)
                or _lower_ends_with(line, start, i + 4, end, _USES_COOKIES)
                or _lower_ends_with(line, start, i + 4, end, _USE_OF_COOKIES)
                or _lower_ends_with(line, start, i + 4, end, _USE_COOKIES)
            )
        else:
            found |= _FIND_CURLY_BRACE
    return found


@kernel
def _lower_ends_with(line: Any, start: Any, i: Any, end: Any, pattern: Any) -> Any:
    """Whether `pattern` (lower-case ASCII) ends at byte i of the lower-cased line[start:end].

    The only other character whose lower case is an ASCII letter alone is the Kelvin sign, U+212A.
    """
    if i > end:
        return False
    for k in range(len(pattern) - 1, -1, -1):
        if i == start:
            return False
        i -= 1
        byte = line[i]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte == pattern[k]:
            continue
        if pattern[k] == 0x6B and i - start >= 2 and byte == 0xAA and line[i - 1] == 0x84 and line[i - 2] == 0xE2:
            i -= 2
            continue
        return False
    return True
