"""Drops pages by their URL: lists of domains, hosts, pages and words."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import idna
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.kernel import kernel
from corpus.rules import Filter
from corpus.settings import WordLists
from corpus.text.buffers import Bytes, text_buffers
from corpus.text.hash_table import add, slot_of
from corpus.text.hashing import FNV_BASIS, FNV_PRIME
from corpus.text.urls import find_host, is_alphanumeric, lower_byte, starts_rest
from corpus.text.word_lists import FileState, list_bytes, state_of
from corpus.thresholds import AtMost

_LISTS = ("domains", "hosts", "pages", "words", "subwords", "soft_words")
_DOMAINS, _HOSTS, _PAGES, _WORDS, _SUBWORDS, _SOFT_WORDS = range(6)
_PREFIX, _PAGE_HOST = 6, 7
"""Kinds of keys beside those of the lists: a beginning of a subword, and the host of a page."""
_LEAST_PREFIX = 3
"""Letters of a beginning that are worth looking up: most of one or two letters begin some subword."""
_REASONS = pa.array([None, "listed_domain", "listed_host", "listed_page", "listed_word", "listed_subword"], pa.string())
_DOT, _STAR, _AMPERSAND, _FEED, _NUMBER_SIGN = ord("."), ord("*"), ord("&"), 10, ord("#")

_MOST = 127
"""Dots of a host (RFC 1035 allows 255 bytes), and letters of a subword, that are told apart; more count as so many."""

Table = npt.NDArray[np.uint64]


class UrlBlocklist(Filter):
    """What FineWeb, RefinedWeb (Penedo et al. 2023, arXiv 2306.01116, appendix G.1) and DCLM do to URLs, with lists of
    yours. Nothing is looked for but what a list names, so without any every page stays.

    A list is a file of UTF-8 text with one entry a line, in any case; blank lines and those that begin with "#" are
    none. Letters outside ASCII are read in domains and hosts alone: "MüNCHEN.example" also stands for
    "xn--mnchen-3ya.example" (UTS 46). The lists of the Université Toulouse (UT1, dsi.ut-capitole.fr/blacklists) are
    read as they are published: of each category the file `domains` is for `domains`, the file `urls` for `pages`. A
    scheme, "user@", a port and a last dot do not count, and `%41` is not decoded.

    Score columns: `listed`, the reason, or null; `soft_words` (int64), how many different ones occur, at most 64; 0 for
    a page that is listed. A document without a URL scores null and 0. Reasons: `listed_domain`, `listed_host`,
    `listed_page`, `listed_word`, `listed_subword`, the first in this order, then `soft_words`.

    Entries are compared by hashes of 64 bits: of a billion URLs and five million entries the odds that one page is
    dropped by chance are below 1 in 1,000. Each process holds 16 to 32 bytes for an entry, for a subword that many for
    each of its letters.

    datatrove's `URLFilter` differs: of a host it compares what was registered (example.co.uk, by the list of public
    suffixes) and the whole, not what lies between, and no addresses; a page must be equal to the entry with its scheme,
    which the entries of the lists that come with it have not; words are found in lower case only.

    Attributes:
        domains: a host is dropped that is an entry or ends in one behind a dot. "xxx" is every host below it.
        hosts: only a host that is an entry.
        pages: a URL, without a "www." at its start, that is an entry or goes on behind one with "/", "?", "#" or "&".
        words: of a URL, its longest runs of ASCII letters and digits; one is enough. In an entry nothing else counts.
        subwords: anywhere in the letters and digits of a URL put together.
        soft_words: words of which `max_soft_words` may occur.
        max_soft_words: 1, so two are too many (RefinedWeb; datatrove, `soft_word_threshold`).
    """

    reads: ClassVar[tuple[str, ...]] = ("url",)
    reasons: ClassVar[tuple[str, ...]] = tuple(_REASONS.drop_null().to_pylist())
    other_scores: ClassVar[tuple[str, ...]] = ("listed",)

    domains: WordLists = ()
    hosts: WordLists = ()
    pages: WordLists = ()
    words: WordLists = ()
    subwords: WordLists = ()
    soft_words: WordLists = ()
    max_soft_words: Annotated[int, AtMost("soft_words")] = Field(default=1, ge=0)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises UserError when a list cannot be read or is no UTF-8 text."""
        lists = tuple(tuple(map(state_of, getattr(self, name))) for name in _LISTS)
        codes, soft = np.zeros(batch.num_rows, np.int8), np.zeros(batch.num_rows, np.int64)
        used = np.array([len(paths) > 0 for paths in lists])
        places, words = _table(lists[:_WORDS], 0), _table(lists[_WORDS:], _WORDS)
        _match_rows(*text_buffers(batch.column("url")), *places, *words, used, codes, soft)
        return pa.RecordBatch.from_pydict({"listed": _REASONS.take(pa.array(codes)), "soft_words": pa.array(soft)})

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        return pc.coalesce(scores.column("listed"), super().decide(scores))


@lru_cache(maxsize=4)
def _table(lists: tuple[tuple[FileState, ...], ...], first: int) -> tuple[Table, npt.NDArray[np.bool_]]:
    """Hashes of the entries of lists, which are the kinds from `first` on, each at the slot of its low bits or behind
    it; 0 = free. At most half is taken. Words are apart from the rest, so that they stay in the processor's cache.

    And of numbers whether there is a domain with so many dots, or a subword of so many letters: looking into a table
    takes longer than all else.
    """
    entries = 0
    for kind, data in _read(lists, first):
        lines = int(np.count_nonzero(data == _FEED)) + 1
        entries += len(data) if kind == _SUBWORDS else 2 * lines if kind == _PAGES else lines
    table = np.zeros(1 << (2 * entries + 7).bit_length(), np.uint64)
    sizes = np.zeros(_MOST + 1, np.bool_)
    for kind, data in _read(lists, first):
        _add_list(data, kind, table, sizes)
    return table, sizes


def _read(lists: tuple[tuple[FileState, ...], ...], first: int) -> Iterator[tuple[int, Bytes]]:
    for kind, files in enumerate(lists, first):
        for path, _, _ in files:
            data = list_bytes(path)
            yield kind, data
            if kind in (_DOMAINS, _HOSTS) and (names := _ascii_names(data)):
                yield kind, np.frombuffer(names, np.uint8)


def _ascii_names(data: Bytes) -> bytes:
    """The entries of a list of hosts that have letters outside ASCII, as URLs write these ("xn--..."), one a line."""
    if not np.any(data > 0x7F):
        return b""
    names = []
    for line in data.tobytes().splitlines():
        entry = line.strip()
        if entry.isascii() or entry.startswith(b"#"):
            continue
        first, behind, _ = find_host(np.frombuffer(entry, np.uint8), 0, len(entry))
        try:
            names.append(idna.encode(entry[first:behind].lstrip(b".*").decode(), uts46=True))
        except (idna.IDNAError, UnicodeDecodeError):  # no name of a host: it stays as it is written
            continue
    return b"\n".join(names)


@kernel
def _key(h: Any, kind: Any) -> Any:
    """Never 0, which is a free slot."""
    h = (h ^ np.uint64(kind)) * np.uint64(0x9E3779B97F4A7C15)
    return max(h ^ h >> np.uint64(32), np.uint64(1))


@kernel
def _add(table: Any, h: Any, kind: Any) -> None:
    add(table, _key(h, kind))


@kernel
def _has(table: Any, h: Any, kind: Any) -> Any:
    return slot_of(table, _key(h, kind)) >= 0


@kernel
def _step(h: Any, byte: Any) -> Any:
    return (h ^ np.uint64(lower_byte(byte))) * FNV_PRIME


@kernel
def _add_list(data: Any, kind: Any, table: Any, sizes: Any) -> None:
    start = 0
    while start < len(data):
        stop = start
        while stop < len(data) and data[stop] != _FEED:
            stop += 1
        begin, end = start, stop
        while begin < end and data[begin] <= 0x20:
            begin += 1
        while end > begin and data[end - 1] <= 0x20:
            end -= 1
        start = stop + 1
        if begin == end or data[begin] == _NUMBER_SIGN:
            continue
        h = FNV_BASIS
        if kind in (_DOMAINS, _HOSTS):
            first, behind, _ = find_host(data, begin, end)
            while kind == _DOMAINS and first < behind and (data[first] == _DOT or data[first] == _STAR):
                first += 1
            inner = 0
            for i in range(behind - 1, first - 1, -1):
                inner += data[i] == _DOT
                h = _step(h, data[i])
            sizes[min(inner, _MOST)] |= kind == _DOMAINS
        elif kind == _PAGES:
            first, behind, rest = find_host(data, begin, end)
            while end > rest and data[end - 1] == 0x2F:
                end -= 1
            for i in range(_behind_www(data, first, behind), behind):
                h = _step(h, data[i])
            _add(table, h, _PAGE_HOST)
            for i in range(rest, end):
                h = _step(h, data[i])
        else:
            letters = 0
            for i in range(begin, end):
                if is_alphanumeric(data[i]):
                    h = _step(h, data[i])
                    letters += 1
                    if kind == _SUBWORDS and letters >= _LEAST_PREFIX:
                        _add(table, h, _PREFIX)
            sizes[min(letters, _MOST)] |= kind == _SUBWORDS
        if h != FNV_BASIS:
            _add(table, h, kind)


@kernel
def _behind_www(data: Any, start: Any, end: Any) -> Any:
    """The byte behind "www." at the start of a host."""
    if end - start <= 4 or data[start + 3] != _DOT:
        return start
    for i in range(start, start + 3):
        if data[i] | 0x20 != 0x77:
            return start
    return start + 4


@kernel
def _match_rows(
    data: Any, offsets: Any, places: Any, dots: Any, words: Any, letters: Any, used: Any, codes: Any, soft: Any
) -> None:
    seen = np.zeros(64, np.uint64)
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        found, count = -1, 0
        if used[_DOMAINS] or used[_HOSTS] or used[_PAGES]:
            found = _find_place(data, start, end, places, dots, used)
        if found < 0 and (used[_WORDS] or used[_SOFT_WORDS]):
            found, count = _find_words(data, start, end, words, seen)
        if found < 0 and used[_SUBWORDS] and _has_subword(data, start, end, words, letters):
            found = _SUBWORDS
        codes[row] = found + 1
        soft[row] = count if found < 0 else 0


@kernel
def _find_place(data: Any, start: Any, end: Any, table: Any, dots: Any, used: Any) -> Any:
    """The list that the host or the page of a URL is in, or -1."""
    begin, stop, rest = find_host(data, start, end)
    if begin == stop:
        return -1
    if used[_DOMAINS] or used[_HOSTS]:
        h = FNV_BASIS
        inner = 0
        for i in range(stop - 1, begin - 1, -1):
            if data[i] == _DOT:
                if dots[min(inner, _MOST)] and _has(table, h, _DOMAINS):
                    return _DOMAINS
                inner += 1
            h = _step(h, data[i])
        if dots[min(inner, _MOST)] and _has(table, h, _DOMAINS):
            return _DOMAINS
        if used[_HOSTS] and _has(table, h, _HOSTS):
            return _HOSTS
    if used[_PAGES]:
        h = FNV_BASIS
        for i in range(_behind_www(data, begin, stop), stop):
            h = _step(h, data[i])
        if not _has(table, h, _PAGE_HOST):
            return -1
        for i in range(rest, end):
            if (starts_rest(data[i]) or data[i] == _AMPERSAND) and _has(table, h, _PAGES):
                return _PAGES
            h = _step(h, data[i])
        if _has(table, h, _PAGES):
            return _PAGES
    return -1


@kernel
def _find_words(data: Any, start: Any, end: Any, table: Any, seen: Any) -> Any:
    """(`_WORDS` or -1, how many different soft words a URL has, at most as many as `seen` has room for)."""
    count = 0
    h = FNV_BASIS
    for i in range(start, end + 1):
        if i < end and is_alphanumeric(data[i]):
            h = _step(h, data[i])
            continue
        if h != FNV_BASIS:
            if _has(table, h, _WORDS):
                return _WORDS, count
            if count < len(seen) and _has(table, h, _SOFT_WORDS):
                known = False
                for k in range(count):
                    known |= seen[k] == h
                if not known:
                    seen[count] = h
                    count += 1
            h = FNV_BASIS
    return -1, count


@kernel
def _has_subword(data: Any, start: Any, end: Any, table: Any, sizes: Any) -> Any:
    """From each letter or digit on, goes along as long as the beginning of a subword stands there."""
    for first in range(start, end):
        if not is_alphanumeric(data[first]):
            continue
        h = FNV_BASIS
        letters = 0
        for i in range(first, end):
            if not is_alphanumeric(data[i]):
                continue
            h = _step(h, data[i])
            letters += 1
            if letters >= _LEAST_PREFIX and not _has(table, h, _PREFIX):
                break
            if sizes[min(letters, _MOST)] and _has(table, h, _SUBWORDS):
                return True
    return False
