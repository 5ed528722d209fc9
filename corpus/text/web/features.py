"""What is known of a block of a page, as a row of numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from corpus.kernel import kernel
from corpus.text.hash_table import Table, slot_of
from corpus.text.hashing import hash_bytes
from corpus.text.web import tags
from corpus.text.web.parse import (
    AFTER_BREAK,
    AFTER_IMAGE,
    CHARS,
    CLASS,
    DEPTH,
    END,
    FLAGS,
    HIDDEN,
    LINKED,
    NODE,
    PARENT,
    PRE,
    START,
    TAG,
    Page,
)

Floats = npt.NDArray[np.float32]

KINDS = (
    ("p",), ("h1",), ("h2", "h3", "h4", "h5", "h6"), ("li",), ("td", "th"), ("pre", "listing", "xmp"), ("blockquote",),
    ("dt", "dd"), ("figcaption", "caption"), ("button", "legend", "summary"),
    ("div", "section", "article", "main", "center", "body"),
)  # fmt: skip
"""Groups of elements that a block stands in; all others are a group too."""

_AROUND_NAMES = "article main nav footer aside header form ul ol table section blockquote figure dl details dialog menu"
AROUND = _AROUND_NAMES.split()
"""Elements that count wherever above a block they are."""

_NKINDS, _NAROUND = len(KINDS) + 1, len(AROUND)
NUMBERS = (
    "size", "share in links", "size up to 600", "ends as a sentence does", "commas", "commas by size",
    "ends of sentences by words", "letters of a word", "share of capitalised words", "share of numbers",
    "weight of a word", "weight of all words", "share of words of the title", "share of the title's words",
    "code", "behind a line break", "behind an image", "has a line break", "stands on the page again",
    "place among the blocks", "share of text before",
    "share of text in its element", "in its parent", "in that one's", "in that one's too",
    "in the main element", "steps from it", "before the first long block", "behind the last", "before the <h1>",
    "just behind it", "there is one", "share in links of the page", "text of the page", "blocks of the page",
    "share of paragraphs", "depth", "hidden", "weight of the words around", "of its element's", "of the parent's",
    "of the worst around", "share in links of the parent", "of its parent", "size of blocks in the parent",
    "siblings of its tag and class", "the most of such above it",
    "in comments", "text outside them", "share of it", "<h1>s before",
)  # fmt: skip
"""What the first columns are; then come the groups of `KINDS`, and the elements of `AROUND`."""
_NNUMBERS = len(NUMBERS)
OWN = _NNUMBERS + _NKINDS + _NAROUND
"""Numbers of a block itself."""
NEAR = np.array([0, 1, 2, 3, 6, 8, 9, 10, 11, 12, 13, 38, *range(_NNUMBERS, _NNUMBERS + 4)])
"""Those that are also given of the blocks around it."""
FEATURES = OWN + 5 * len(NEAR)

MAX_HINTS = 24
"""Words of the attributes of an element that are read."""
MAX_WORDS = 40
"""Words of a block that are looked up."""
_WORD_BYTES = 24  # of a word that are looked at


def _kind_of_tag() -> npt.NDArray[np.int64]:
    found = np.full(tags.OTHER + 1, len(KINDS), np.int64)
    for number, names in enumerate(KINDS):
        for name in names:
            found[tags.TAG[name]] = number
    return found


def _around_of_tag() -> npt.NDArray[np.int64]:
    found = np.full(tags.OTHER + 1, -1, np.int64)
    for number, name in enumerate(AROUND):
        found[tags.TAG[name]] = number
    return found


def _in_word() -> npt.NDArray[np.bool_]:
    return np.array([byte >= 0x80 or chr(byte).isalnum() for byte in range(256)])


_IN_WORD = _in_word()


def _hashes(names: str) -> npt.NDArray[np.uint64]:
    return np.array([xxhash.xxh64_intdigest(name.encode()) for name in names.split()], np.uint64)


_COMMENTS = _hashes("comment comments disqus")
"""Words in the attributes of what holds the comments of readers."""
_KIND, _AROUND = _kind_of_tag(), _around_of_tag()
_H1, _P, _ARTICLE = tags.TAG["h1"], tags.TAG["p"], tags.TAG["article"]
_SEED = np.uint64(0)


def features(page: Page, hints: Table, words: Table) -> Floats:
    """Shape (blocks, `FEATURES`).

    Args:
        hints: what words of class, id, role and itemprop say for main text (above 0) or against it, by `hint_words`.
        words: the same of words of the text, by `next_word`.
    """
    rows = np.zeros((len(page.blocks), FEATURES), np.float32)
    if len(rows):
        _features(page.data, page.text, page.nodes, page.blocks, *page.title, hints, words, rows[:, :OWN])
        _neighbours(page.blocks, rows)
    return rows


@kernel
def weight_of(known: Any, value: Any) -> Any:
    """The weight of a word by its hash, 0 for one that is not in the table."""
    slot = slot_of(known.keys, value)
    return known.values[slot] if slot >= 0 else np.float32(0)


@kernel
def hint_words(data: Any, start: Any, end: Any, out: Any, count: Any) -> Any:
    """Hashes of the words of an attribute, lower-cased: "postBody-2" is post, body. Into `out` from `count` on, each
    once; their number."""
    buffer = np.empty(_WORD_BYTES, np.uint8)
    length = 0
    for i in range(start, end + 1):
        byte = data[i] if i < end else np.uint8(0)
        upper = 65 <= byte <= 90
        letter = upper or 97 <= byte <= 122
        # A capital begins a word unless it stands in a run of capitals.
        if length and (not letter or (upper and i > start and 97 <= data[i - 1] <= 122)):
            if length >= 2:
                value = hash_bytes(buffer, 0, length, _SEED)
                known = False
                for k in range(count):
                    known = known or out[k] == value
                if not known and count < len(out):
                    out[count] = value
                    count += 1
            length = 0
        if letter and length < len(buffer):
            buffer[length] = byte | 32
            length += 1
    return count


@kernel
def _word_place(text: Any, i: Any, end: Any) -> Any:
    """(begin, end) of the next word at or behind i: letters, digits and all bytes beyond ASCII. Empty at the end."""
    while i < end and not _IN_WORD[text[i]]:
        i += 1
    start = i
    while i < end and _IN_WORD[text[i]]:
        i += 1
    return start, i


@kernel
def next_word(text: Any, i: Any, end: Any, buffer: Any) -> Any:
    """(hash, begin, end) of the next word at or behind i: of its first 24 bytes, ASCII lower-cased."""
    start, stop = _word_place(text, i, end)
    length = min(stop - start, len(buffer))
    for k in range(length):
        byte = text[start + k]
        buffer[k] = byte | 32 if 65 <= byte <= 90 else byte
    return hash_bytes(buffer, 0, length, _SEED), start, stop


@kernel
def steps_from_main(nodes: Any, mass: Any) -> Any:
    """How many elements above each one begins the way down to the main element: 0 in that, to which it leads from the
    body, to the child with most text while that has most of it.

    Args:
        mass: of the text in each element.
    """
    count = len(nodes)
    best = np.zeros(count, np.int32)
    for i in range(count - 1, 0, -1):
        up = nodes[i, PARENT]
        if best[up] == 0 or mass[i] >= mass[best[up]]:
            best[up] = i
    total = max(mass[0], np.float32(1))
    on_path = np.full(count, -1, np.int32)
    steps, at = 0, 0
    on_path[0] = 0
    while best[at] and mass[best[at]] >= max(np.float32(0.6) * mass[at], np.float32(0.35) * total):
        at = best[at]
        steps += 1
        on_path[at] = steps
    away = np.full(count, steps, np.int32)
    for i in range(1, count):
        away[i] = steps - on_path[i] if on_path[i] >= 0 else away[nodes[i, PARENT]]
    return away


@kernel
def _features(
    data: Any, text: Any, nodes: Any, blocks: Any, title: Any, title_end: Any,
    hints: Any, word_weights: Any, out: Any,
) -> None:  # fmt: skip
    n, count = len(blocks), len(nodes)
    buffer = np.empty(_WORD_BYTES, np.uint8)
    # Words of the title.
    title_words = np.zeros(32, np.uint64)
    title_count, i = 0, title
    while title >= 0 and i < title_end and title_count < len(title_words):
        value, start, i = next_word(data, i, title_end, buffer)
        if i - start >= 2:
            title_words[title_count] = value
            title_count += 1
    # Text: of blocks first, then of the elements above them.
    mass, chars = np.zeros(count, np.float32), np.zeros(count, np.float32)
    links, paragraphs = np.zeros(count, np.float32), np.zeros(count, np.float32)
    inside = np.zeros(count, np.int32)
    good = np.zeros(n, np.float32)
    hashes = np.zeros(n, np.uint64)
    for b in range(n):
        start, end, node = blocks[b, START], blocks[b, END], blocks[b, NODE]
        size, linked = blocks[b, CHARS], blocks[b, LINKED]
        tag = nodes[node, TAG]
        hashes[b] = hash_bytes(text, start, end, _SEED)
        wide = 0
        for i in range(start, end):
            if 0xE3 <= text[i] <= 0xED:  # Chinese, Japanese and Korean letters hold more text
                wide += 1
        weight = size + np.float32(1.5) * wide
        plain = np.float32(size - linked)
        if linked <= 0.5 * size:
            good[b] = plain if plain > 40 or tag == _P else plain * np.float32(0.25)
        mass[node] += good[b]
        chars[node] += size
        links[node] += linked
        inside[node] += 1
        if tag == _P and linked < 0.5 * size:
            paragraphs[node] += 1
        row = out[b]
        row[0] = np.log1p(weight) / 5
        row[1] = np.float32(linked) / size
        row[2] = min(weight, 600) / 600
        # What the text looks like.
        words = capitals = digits = commas = stops = letters = title_hits = 0
        score = np.float32(0)
        i = start
        while True:
            if words < MAX_WORDS:
                value, word, i = next_word(text, i, end, buffer)
            else:
                word, i = _word_place(text, i, end)
            if word == i:
                break
            if words < MAX_WORDS:
                score += weight_of(word_weights, value)
                for k in range(title_count):
                    if title_words[k] == value:
                        title_hits += 1
                        break
            words += 1
            letters += i - word
            if 65 <= text[word] <= 90:
                capitals += 1
            elif 48 <= text[word] <= 57:
                digits += 1
        for i in range(start, end):
            byte = text[i]
            if byte == 44:
                commas += 1
            elif byte == 46 or byte == 33 or byte == 63:
                stops += 1
            elif byte == 0xE3 and i + 2 < end and text[i + 1] == 0x80:
                if text[i + 2] == 0x82:
                    stops += 1
                elif text[i + 2] == 0x81:
                    commas += 1
        last = text[end - 1]
        ends = last == 46 or last == 33 or last == 63 or last == 58 or last == 34 or last == 41 or last == 59
        if last >= 0x80 and end - start >= 3:
            # "…", "”", "»", "。", "！", "？" and the like: general punctuation, CJK punctuation, full-width forms.
            third, second = text[end - 3], text[end - 2]
            ends = ends or (third == 0xE2 and second == 0x80) or (third == 0xE3 and second == 0x80)
            ends = ends or (third == 0xEF and second == 0xBC) or (second == 0xC2 and last == 0xBB)
        row[3] = ends
        row[4] = min(commas, 3) / 3
        row[5] = np.float32(commas) / (size + 20) * 20
        row[6] = np.float32(stops) / (words + 3) * 3
        row[7] = np.float32(letters) / (words + 1) / 8
        row[8] = np.float32(capitals) / (words + 1)
        row[9] = np.float32(digits) / (words + 1)
        row[10] = score / np.float32(np.sqrt(min(words, MAX_WORDS) + 1))
        row[11] = min(score, np.float32(6)) / 6
        row[12] = np.float32(title_hits) / (min(words, MAX_WORDS) + 1)
        row[13] = np.float32(title_hits) / (title_count + 1)
        flags = blocks[b, FLAGS]
        row[14] = flags & PRE > 0
        row[15] = flags & AFTER_BREAK > 0
        row[16] = flags & AFTER_IMAGE > 0
        for i in range(start, end):
            if text[i] == 10:
                row[17] = 1
                break
        row[_NNUMBERS + _KIND[tag]] = 1
    # Repeated texts.
    order = np.argsort(hashes)
    for k in range(n):
        value = hashes[order[k]]
        out[order[k], 18] = (k > 0 and value == hashes[order[k - 1]]) or (k + 1 < n and value == hashes[order[k + 1]])
    # Elements: sums from the leaves up, then what holds from the root down.
    for i in range(count - 1, 0, -1):
        up = nodes[i, PARENT]
        mass[up] += mass[i]
        chars[up] += chars[i]
        links[up] += links[i]
        inside[up] += inside[i]
        paragraphs[up] += paragraphs[i]
    total = max(mass[0], np.float32(1))
    away = steps_from_main(nodes, mass)
    # Alike children of an element: the same tag and class.
    alike = np.zeros(count, np.uint64)
    for i in range(1, count):
        start, end = nodes[i, CLASS], nodes[i, CLASS + 1]
        stop = start
        while stop < end and data[stop] > 32:  # the first class, without numbers
            if 48 <= data[stop] <= 57:
                break
            stop += 1
        alike[i] = hash_bytes(data, start, stop, np.uint64(nodes[i, PARENT] * 256 + nodes[i, TAG]))
    order = np.argsort(alike)
    twins = np.zeros(count, np.float32)
    k = 0
    while k < count:
        stop = k
        while stop < count and alike[order[stop]] == alike[order[k]]:
            stop += 1
        for j in range(k, stop):
            twins[order[j]] = stop - k
        k = stop
    comments = np.zeros(count, np.bool_)
    hint = np.zeros(count, np.float32)
    own_hint = np.zeros(count, np.float32)
    worst = np.zeros(count, np.float32)
    around = np.zeros(count, np.int64)
    repeated = np.zeros(count, np.float32)
    found = np.empty(MAX_HINTS, np.uint64)
    for i in range(count):
        up = max(nodes[i, PARENT], 0)
        if i:
            hint[i], worst[i], around[i] = hint[up], worst[up], around[up]
            comments[i] = comments[up]
            repeated[i] = max(repeated[up], twins[i])
            if _AROUND[nodes[i, TAG]] >= 0:
                around[i] |= np.int64(1) << _AROUND[nodes[i, TAG]]
        names = 0
        for k in range(4):
            if nodes[i, CLASS + 2 * k + 1] > nodes[i, CLASS + 2 * k]:
                names = hint_words(data, nodes[i, CLASS + 2 * k], nodes[i, CLASS + 2 * k + 1], found, names)
        value = np.float32(0)
        for k in range(names):
            value += weight_of(hints, found[k])
            for word in _COMMENTS:
                comments[i] = comments[i] or (found[k] == word and i > 0)  # of the body it says whether there are any
        own_hint[i] = value
        hint[i] += value
        worst[i] = min(worst[i], value)
    first_long, last_long = n, -1
    first_h1 = n
    outside = np.float32(0)
    for b in range(n):
        if not comments[blocks[b, NODE]]:
            outside += good[b]
        if good[b] > 80:
            first_long, last_long = min(first_long, b), b
        if nodes[blocks[b, NODE], TAG] == _H1:
            first_h1 = min(first_h1, b)
    before = np.float32(0)
    headings = 0
    for b in range(n):
        node = blocks[b, NODE]
        up = max(nodes[node, PARENT], 0)
        above = max(nodes[up, PARENT], 0)
        higher = max(nodes[above, PARENT], 0)
        row = out[b]
        row[19] = np.float32(b) / n
        row[20] = before / total
        row[21] = mass[node] / total
        row[22] = mass[up] / total
        row[23] = mass[above] / total
        row[24] = mass[higher] / total
        row[25] = away[node] == 0
        row[26] = min(away[node], 8) / 8
        row[27] = b < first_long
        row[28] = b > last_long
        row[29] = b < first_h1
        row[30] = first_h1 <= b <= first_h1 + 3
        row[31] = first_h1 < n
        row[32] = links[0] / (chars[0] + 1)
        row[33] = np.log1p(total) / 10
        row[34] = np.log1p(np.float32(n)) / 6
        row[35] = paragraphs[0] / n
        row[36] = np.float32(nodes[node, DEPTH]) / 30
        row[37] = nodes[node, HIDDEN]
        row[38] = hint[node]
        row[39] = own_hint[node]
        row[40] = own_hint[up]
        row[41] = worst[node]
        row[42] = links[up] / (chars[up] + 1)
        row[43] = links[above] / (chars[above] + 1)
        row[44] = np.log1p(chars[up] / inside[up]) / 5
        row[45] = np.log1p(twins[node]) / 4
        row[46] = np.log1p(repeated[node]) / 4
        row[47] = comments[node]
        row[48] = np.log1p(outside) / 10
        row[49] = outside / total
        row[50] = min(headings, 4) / 4
        headings += nodes[node, TAG] == _H1
        for k in range(_NAROUND):
            if around[node] >> k & 1:
                row[_NNUMBERS + _NKINDS + k] = 1
        before += good[b]


@kernel
def _neighbours(blocks: Any, out: Any) -> None:
    """The columns `NEAR` of the block before, the block behind, the two beyond them, and the 13 and 41 around."""
    n, width = len(out), len(NEAR)
    sums = np.zeros((n + 1, width), np.float32)
    for b in range(n):
        for k in range(width):
            sums[b + 1, k] = sums[b, k] + out[b, NEAR[k]]
    for b in range(n):
        low, high = max(b - 6, 0), min(b + 7, n)
        lower, higher = max(b - 20, 0), min(b + 21, n)
        for k in range(width):
            at, column = OWN + k, NEAR[k]
            if b > 0:
                out[b, at] = out[b - 1, column]
            if b + 1 < n:
                out[b, at + width] = out[b + 1, column]
            two = np.float32(0)
            if b > 1:
                two += out[b - 2, column]
            if b + 2 < n:
                two += out[b + 2, column]
            out[b, at + 2 * width] = two / 2
            out[b, at + 3 * width] = (sums[high, k] - sums[low, k]) / (high - low)
            out[b, at + 4 * width] = (sums[higher, k] - sums[lower, k]) / (higher - lower)
