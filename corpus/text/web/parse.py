"""A page as blocks of text and the elements they stand in, in one pass over its bytes.

Not a browser's tree: no element is moved, and inline elements are not kept. What is kept of the standard
(https://html.spec.whatwg.org/multipage/parsing.html) is what decides where text begins, ends and belongs: raw text
elements, comments, character references, end tags that are implied (p, li, dd, cells, rows, headings), and end tags
that do not reach out of a cell. Time is linear in the size of the page, and nothing recurses.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel
from corpus.text.hash_table import Table, slot_of
from corpus.text.hashing import FNV_BASIS, FNV_PRIME
from corpus.text.html_references import LONGEST_REFERENCE, read_reference, references
from corpus.text.web import tags

Ints = npt.NDArray[np.int32]

MAX_NODES = 1 << 19
"""Most block elements, and most blocks of text, of a page; what stands behind them is not read. (The largest of 3,300
real pages has 40,000 elements.)"""

MAX_DEPTH = 512
"""Deepest element, and how many open ones an end tag is looked for in: Chrome's limit (kMaximumHTMLParserDOMTreeDepth).
What would stand deeper stands beside its parent."""

# Columns of `Page.nodes`.
PARENT, TAG, DEPTH, HIDDEN, CLASS, ID, ROLE, ITEMPROP = 0, 1, 2, 3, 4, 6, 8, 10
NODE_COLUMNS = 12
# Columns of `Page.blocks`.
START, END, NODE, LINKED, CHARS, FLAGS = 0, 1, 2, 3, 4, 5
BLOCK_COLUMNS = 6
PRE, AFTER_BREAK, AFTER_IMAGE = 1, 2, 4


class Page(NamedTuple):
    """
    Attributes:
        data: the page, UTF-8.
        text: of all blocks, one behind the other, UTF-8.
        nodes: shape (elements, 12): parent, tag (of `corpus.text.web.tags`), depth, whether it is hidden, and the
            places in `data` (begin, end) of the values of class, id, role and itemprop. Row 0 is the body; a parent
            stands before its children.
        blocks: shape (blocks, 6): begin and end in `text`, node, characters in links, characters, a sum of `PRE`,
            `AFTER_BREAK` (it stands in the element of the block before it) and `AFTER_IMAGE`.
        title: place in `data` of the title's characters.
    """

    data: npt.NDArray[np.uint8]
    text: npt.NDArray[np.uint8]
    nodes: Ints
    blocks: Ints
    title: tuple[int, int]

    def block_text(self, block: int) -> str:
        start, end = self.blocks[block, :2]
        return self.text[start:end].tobytes().decode("utf-8", "replace")


def parse(html: bytes) -> Page:
    """The blocks of a page in UTF-8; bytes that are not UTF-8 pass through."""
    data = np.frombuffer(html, np.uint8)
    size = min(int(np.count_nonzero(data == ord("<"))) + 2, MAX_NODES)
    nodes = np.zeros((size, NODE_COLUMNS), np.int32)
    blocks = np.zeros((2 * size, BLOCK_COLUMNS), np.int32)
    # A reference of 5 bytes stands for 6 at most ("&nGt;"), and a mark may stand before a superscript.
    text = np.empty(len(data) + len(data) // 4 + 64, np.uint8)
    node_count, block_count, length, title, title_end = _parse(
        data, tags.tag_table(), tags.flags(), _attributes(), references(), nodes, blocks, text
    )
    return Page(data, text[:length], nodes[:node_count], blocks[:block_count], (title, title_end))


_CLASS, _ID, _ROLE, _ITEMPROP, _STYLE, _HIDDEN_NAME, _ARIA_HIDDEN, _HREF = range(8)
_ATTRIBUTE = {
    "class": _CLASS, "id": _ID, "role": _ROLE, "itemprop": _ITEMPROP,
    "style": _STYLE, "hidden": _HIDDEN_NAME, "aria-hidden": _ARIA_HIDDEN, "href": _HREF,
}  # fmt: skip


@cache
def _attributes() -> Table:
    return tags.names_table(_ATTRIBUTE)


_T = tags.TAG
_BODY, _P, _LI, _DD, _DT = _T["body"], _T["p"], _T["li"], _T["dd"], _T["dt"]
_TABLE, _CAPTION, _TR, _TD, _TH = _T["table"], _T["caption"], _T["tr"], _T["td"], _T["th"]
_TBODY, _THEAD, _TFOOT = _T["tbody"], _T["thead"], _T["tfoot"]
_LISTS = (_T["ul"], _T["ol"], _T["menu"], _T["dir"])
_NO_BARRIER_TO_LI = (_T["div"], _T["address"], _P)
_CODE = (_T["pre"], _T["listing"], _T["xmp"])
_A, _BR, _HR, _IMG, _SUP = _T["a"], _T["br"], _T["hr"], _T["img"], _T["sup"]
_HTML, _TITLE, _XMP, _SCRIPT, _STYLE_TAG = _T["html"], _T["title"], _T["xmp"], _T["script"], _T["style"]
_OTHER = tags.OTHER

# The state of the text that is being written, in an array so that helpers can change it.
_AT, _BEGIN, _SPACE, _BREAKS, _LINKED, _CHARS, _IN_LINK, _IN_PRE, _SUPER, _COUNT, _FLAG, _SKIP, _FIRST = range(13)


@kernel
def _is_space(byte: Any) -> Any:
    return byte == 32 or (9 <= byte <= 13 and byte != 11)


@kernel
def _flush(state: Any, blocks: Any, node: Any) -> None:
    """Ends the block that is being written."""
    if state[_AT] > state[_BEGIN] and state[_COUNT] < len(blocks):
        row = blocks[state[_COUNT]]
        row[START], row[END], row[NODE] = state[_BEGIN], state[_AT], node
        row[LINKED], row[CHARS] = min(state[_LINKED], state[_CHARS]), state[_CHARS]
        row[FLAGS] = state[_FLAG] + (PRE if state[_IN_PRE] > 0 else 0)
        state[_COUNT] += 1
        state[_FLAG] = 0
    state[_BEGIN] = state[_AT]
    state[_SPACE] = state[_BREAKS] = state[_LINKED] = state[_CHARS] = state[_SUPER] = 0


@kernel
def _put(state: Any, blocks: Any, node: Any, text: Any, code: Any) -> None:
    """Writes one character (a code point), with the white space or line break that stands before it."""
    if code == 0xA0:
        code = 32
    pre = state[_IN_PRE] > 0
    if code == 32 or code == 9 or code == 10 or code == 12 or code == 13:
        if not pre:
            state[_SPACE] = 1
            return
        if code == 13 or code == 12:
            return
        if code == 10 and state[_AT] == state[_BEGIN]:
            return  # empty lines before the first line of code
    elif code < 32 or code == 0x7F or code == 0xAD or code == 0x200B or code == 0xFEFF:
        return  # controls, soft hyphens, marks without width
    at = state[_AT]
    if not pre:
        if state[_BREAKS] >= 2:
            _flush(state, blocks, node)
            state[_FLAG] |= AFTER_BREAK
        elif at > state[_BEGIN]:
            if state[_BREAKS] == 1:
                text[at] = 10
                at += 1
            elif state[_SPACE]:
                text[at] = 32
                at += 1
        state[_BREAKS] = 0
    if state[_SUPER]:
        # "10" and a raised "5" is not 105; "1" and a raised "st" is 1st.
        if (
            (48 <= code <= 57 or code == 43 or code == 45 or code == 0x2212)
            and at > state[_BEGIN]
            and not state[_SPACE]
        ):
            last = text[at - 1]
            if 48 <= last <= 57 or 65 <= last <= 90 or 97 <= last <= 122 or last == 41 or last == 93 or last >= 0x80:
                text[at] = 94
                at += 1
        state[_SUPER] = 0
    state[_SPACE] = 0
    if code < 0x80:
        text[at] = code
        at += 1
    elif code < 0x800:
        text[at] = 0xC0 | (code >> 6)
        text[at + 1] = 0x80 | (code & 63)
        at += 2
    elif code < 0x10000:
        text[at] = 0xE0 | (code >> 12)
        text[at + 1] = 0x80 | ((code >> 6) & 63)
        text[at + 2] = 0x80 | (code & 63)
        at += 3
    else:
        text[at] = 0xF0 | (code >> 18)
        text[at + 1] = 0x80 | ((code >> 12) & 63)
        text[at + 2] = 0x80 | ((code >> 6) & 63)
        text[at + 3] = 0x80 | (code & 63)
        at += 4
    state[_AT] = at
    state[_CHARS] += 1
    state[_LINKED] += state[_IN_LINK]


@kernel
def _read(data: Any, i: Any, end: Any) -> Any:
    """(code point at i, where the next begins); a byte that begins none is U+FFFD."""
    byte = np.int64(data[i])
    if byte < 0x80:
        return byte, i + 1
    if 0xC2 <= byte < 0xE0 and i + 1 < end and data[i + 1] & 0xC0 == 0x80:
        return (byte & 31) << 6 | np.int64(data[i + 1]) & 63, i + 2
    if 0xE0 <= byte < 0xF0 and i + 2 < end and data[i + 1] & 0xC0 == 0x80 and data[i + 2] & 0xC0 == 0x80:
        code = (byte & 15) << 12 | (np.int64(data[i + 1]) & 63) << 6 | np.int64(data[i + 2]) & 63
        if code >= 0x800 and not 0xD800 <= code < 0xE000:
            return code, i + 3
    elif 0xF0 <= byte < 0xF5 and i + 3 < end:
        code = (byte & 7) << 18 | (np.int64(data[i + 1]) & 63) << 12
        code |= (np.int64(data[i + 2]) & 63) << 6 | np.int64(data[i + 3]) & 63
        tail = (data[i + 1] & 0xC0) == 0x80 and (data[i + 2] & 0xC0) == 0x80 and (data[i + 3] & 0xC0) == 0x80
        if tail and 0x10000 <= code < 0x110000:
            return code, i + 4
    return np.int64(0xFFFD), i + 1


@kernel
def _put_text(state: Any, blocks: Any, node: Any, text: Any, data: Any, i: Any, end: Any, named: Any, out: Any) -> None:
    """Writes the characters of data[i:end], their references read.

    Args:
        named: `corpus.text.html_references.references`.
        out: room for what a reference stands for.
    """
    while i < end:
        if data[i] == 38:
            size, written = read_reference(data, i, end, named, out)
            if size:
                j = np.int64(0)
                while j < written:
                    code, j = _read(out, j, written)
                    _put(state, blocks, node, text, code)
                i += size
                continue
        code, i = _read(data, i, end)
        _put(state, blocks, node, text, code)


@kernel
def _says_none(data: Any, i: Any, end: Any) -> Any:
    """Whether a style says "display: none" or "visibility: hidden"."""
    for word, length in ((b"display:none", 12), (b"visibility:hidden", 17)):
        j, matched = i, 0
        while j < end:
            byte = data[j]
            j += 1
            if _is_space(byte):
                continue
            if 65 <= byte <= 90:
                byte |= 32
            if byte == word[matched]:
                matched += 1
                if matched == length:
                    return True
            else:
                matched = 1 if byte == word[0] else 0
    return False


@kernel
def _end_of_raw_text(data: Any, i: Any, name: Any, name_end: Any) -> Any:
    """Where the end tag of the raw text element data[name:name_end] begins, at or behind `i`; -1 without one."""
    length = name_end - name
    last = len(data) - length - 2
    while i <= last:
        if data[i] == 60 and data[i + 1] == 47:
            same = True
            for k in range(length):
                if (data[i + 2 + k] | 32) != (data[name + k] | 32):
                    same = False
                    break
            if same:
                behind = i + 2 + length
                if behind >= len(data) or data[behind] == 62 or data[behind] == 47 or _is_space(data[behind]):
                    return i
        i += 1
    return -1


@kernel
def _position(stack: Any, top: Any, tag: Any, barrier: Any, flags: Any) -> Any:
    """Where the nearest open element of this tag is in the stack, -1 where one of `barrier` kind is nearer.

    Barriers: 0 none, 1 cells and tables, 2 tables, 3 also lists, 4 all but div, address and p.
    """
    low = max(0, top - MAX_DEPTH)
    for at in range(top - 1, low - 1, -1):
        open_tag = stack[at]
        if open_tag == tag or (tag < 0 and flags[open_tag] & tags.IS_HEADING):
            return at
        if barrier == 0:
            continue
        if open_tag == _TABLE:
            return -1
        if barrier == 2:
            continue
        if flags[open_tag] & tags.IS_CELL:
            return -1
        if barrier == 3 and open_tag in _LISTS:
            return -1
        if barrier == 4 and open_tag not in _NO_BARRIER_TO_LI:
            return -1
    return -1


@kernel
def _pop_to(stack: Any, owners: Any, opened: Any, top: Any, at: Any, state: Any, flags: Any) -> Any:
    """Closes all open elements from the top down to that at place `at`; the new top."""
    while top > at:
        top -= 1
        tag = stack[top]
        opened[tag] -= 1
        if flags[tag] & tags.IS_SKIPPED:
            state[_SKIP] -= 1
        if tag in _CODE:
            state[_IN_PRE] -= 1
        if flags[tag] & tags.IS_CELL:
            state[_IN_LINK] = 0
    return top


@kernel
def _parse(
    data: Any, known_tags: Any, flags: Any, attributes: Any,
    named: Any, nodes: Any, blocks: Any, text: Any,
) -> Any:  # fmt: skip
    n = len(data)
    state = np.zeros(13, np.int64)
    size = len(nodes) + 2
    stack, owners = np.zeros(size, np.int32), np.zeros(size, np.int32)
    opened = np.zeros(_OTHER + 1, np.int32)
    no_end = np.zeros(_OTHER + 1, np.bool_)  # raw text elements that have no end tag behind this place
    spans = np.zeros(16, np.int64)
    character = np.zeros(LONGEST_REFERENCE, np.uint8)
    nodes[0, PARENT], nodes[0, TAG] = -1, _BODY
    node_count = 1
    stack[0], top = _BODY, 1
    opened[_BODY] = 1
    node = 0
    title, title_end = -1, -1
    i = 0
    while i < n and node_count < len(nodes) and top < size - 1:
        # Text up to the next "<".
        if data[i] != 60:
            j = i + 1
            while j < n and data[j] != 60:
                j += 1
            if state[_SKIP] == 0:
                if state[_FIRST] and data[i] == 10:  # the line end behind <pre> is not of the text
                    i += 1
                _put_text(state, blocks, node, text, data, i, j, named, character)
            state[_FIRST] = 0
            i = j
            continue
        if i + 1 >= n:
            break
        byte = data[i + 1]
        if byte == 33 or byte == 63:  # "<!" and "<?"
            j = i + 2
            if byte == 33 and i + 3 < n and data[i + 2] == 45 and data[i + 3] == 45:
                k = i + 4
                stop = -1
                if not no_end[_OTHER]:
                    while k < n:
                        if data[k] == 62 and data[k - 1] == 45 and (data[k - 2] == 45):
                            stop = k
                            break
                        if (
                            k + 1 < n
                            and data[k + 1] == 62
                            and data[k] == 33
                            and data[k - 1] == 45
                            and data[k - 2] == 45
                        ):
                            stop = k + 1
                            break
                        k += 1
                if stop >= 0:
                    i = stop + 1
                    continue
                no_end[_OTHER] = True  # a comment without an end: its tag alone is left out
            while j < n and data[j] != 62:
                j += 1
            i = j + 1
            continue
        closing = byte == 47
        name = i + 2 if closing else i + 1
        if name >= n or not 97 <= (data[name] | 32) <= 122:
            if closing:  # "</" and no name: a comment up to ">"
                while i < n and data[i] != 62:
                    i += 1
                i += 1
            else:
                if state[_SKIP] == 0:
                    _put(state, blocks, node, text, 60)
                i += 1
            continue
        key = FNV_BASIS
        j = name
        while j < n and not _is_space(data[j]) and data[j] != 47 and data[j] != 62:
            byte = data[j]
            key = (key ^ np.uint64(byte | 32 if 65 <= byte <= 90 else byte)) * FNV_PRIME
            j += 1
        name_end = j
        slot = slot_of(known_tags.keys, key)
        tag = known_tags.values[slot] if slot >= 0 else _OTHER
        # Attributes.
        spans[:] = 0
        hidden = link = closed_itself = False
        while j < n and data[j] != 62:
            byte = data[j]
            if _is_space(byte) or byte == 47:
                closed_itself = byte == 47
                j += 1
                continue
            closed_itself = False
            key = FNV_BASIS
            while j < n and not _is_space(data[j]) and data[j] != 61 and data[j] != 62 and data[j] != 47:
                byte = data[j]
                key = (key ^ np.uint64(byte | 32 if 65 <= byte <= 90 else byte)) * FNV_PRIME
                j += 1
            if j < n and data[j] == 61 and key == FNV_BASIS:  # "=" where a name should be
                j += 1
                continue
            k = j
            while k < n and _is_space(data[k]):
                k += 1
            value = value_end = j
            if k < n and data[k] == 61:
                k += 1
                while k < n and _is_space(data[k]):
                    k += 1
                if k < n and (data[k] == 34 or data[k] == 39):
                    quote = data[k]
                    value = k + 1
                    k = value
                    while k < n and data[k] != quote:
                        k += 1
                    value_end = k
                    j = k + 1
                else:
                    value = k
                    while k < n and not _is_space(data[k]) and data[k] != 62:
                        k += 1
                    value_end = j = k
            slot = slot_of(attributes.keys, key)
            if slot >= 0:
                attribute = attributes.values[slot]
                if attribute <= _ITEMPROP:
                    spans[2 * attribute], spans[2 * attribute + 1] = value, value_end
                elif attribute == _STYLE:
                    hidden = hidden or _says_none(data, value, value_end)
                elif attribute == _HIDDEN_NAME:
                    hidden = True
                elif attribute == _ARIA_HIDDEN:
                    hidden = hidden or (value_end - value == 4 and (data[value] | 32) == 116)
                else:
                    link = True
        if j >= n:
            break  # a tag that the page does not end
        i = j + 1
        kind = flags[tag]
        if closing:
            if tag == _BR:
                state[_BREAKS] += 1
            elif tag == _A:
                state[_IN_LINK] = 0
            elif tag == _SUP:
                state[_SUPER] = 0
            elif tag == _P and opened[_P] == 0:
                if state[_SKIP] == 0:
                    _flush(state, blocks, node)
            elif tag != _BODY and kind & (tags.IS_BLOCK | tags.IS_SKIPPED):
                barrier = 1
                if tag == _TABLE:
                    barrier = 0
                elif tag in (_TR, _TBODY, _THEAD, _TFOOT) or kind & tags.IS_CELL:
                    barrier = 2
                elif tag == _LI:
                    barrier = 3
                at = -1
                if kind & tags.IS_HEADING:
                    at = _position(stack, top, -1, 1, flags)
                elif opened[tag]:
                    at = _position(stack, top, tag, barrier, flags)
                if at > 0:
                    if state[_SKIP] == 0:
                        _flush(state, blocks, node)
                    top = _pop_to(stack, owners, opened, top, at, state, flags)
                    node = owners[top - 1]
            continue
        if tag in (_BODY, _HTML):
            if tag == _BODY:
                for k in range(4):
                    if spans[2 * k + 1] > spans[2 * k] and nodes[0, CLASS + 2 * k + 1] == 0:
                        nodes[0, CLASS + 2 * k], nodes[0, CLASS + 2 * k + 1] = spans[2 * k], spans[2 * k + 1]
            continue
        if kind & tags.IS_RAW and not no_end[tag]:
            stop = _end_of_raw_text(data, i, name, name_end)
            if stop < 0 and tag in (_SCRIPT, _STYLE_TAG):
                stop = n
            if stop >= 0:
                if tag == _TITLE and title < 0 and state[_SKIP] == 0:
                    title, title_end = i, stop
                elif tag == _XMP and state[_SKIP] == 0:
                    _flush(state, blocks, node)
                    state[_IN_PRE] += 1
                    k = i
                    while k < stop:
                        code, k = _read(data, k, stop)
                        _put(state, blocks, node, text, code)
                    _flush(state, blocks, node)
                    state[_IN_PRE] -= 1
                i = stop
                continue
            no_end[tag] = True
        if kind & tags.IS_SKIPPED:
            if not closed_itself and not kind & tags.IS_RAW:
                stack[top], owners[top] = tag, node
                top += 1
                opened[tag] += 1
                state[_SKIP] += 1
            continue
        if not kind & tags.IS_BLOCK:
            if state[_SKIP]:
                continue
            if tag == _BR:
                if state[_IN_PRE]:
                    _put(state, blocks, node, text, 10)
                else:
                    state[_BREAKS] += 1
            elif tag == _HR:
                _flush(state, blocks, node)
            elif tag == _A:
                state[_IN_LINK] = 1 if link else 0
            elif tag == _IMG:
                state[_FLAG] |= AFTER_IMAGE if state[_AT] == state[_BEGIN] else 0
            elif tag == _SUP:
                state[_SUPER] = 1
            continue
        # A block begins: end tags that it implies.
        at = -1
        if kind & tags.ENDS_P and opened[_P]:
            at = _position(stack, top, _P, 1, flags)
        if tag == _LI and opened[_LI]:
            found = _position(stack, top, _LI, 4, flags)
            at = found if found >= 0 and (at < 0 or found < at) else at
        elif tag in (_DD, _DT) and opened[_DD] + opened[_DT]:
            for other in (_DD, _DT):
                found = _position(stack, top, other, 4, flags)
                at = found if found >= 0 and (at < 0 or found < at) else at
        elif kind & tags.IS_CELL and opened[_TD] + opened[_TH] + opened[_CAPTION]:
            for other in (_TD, _TH, _CAPTION):
                found = _position(stack, top, other, 2, flags) if opened[other] else -1
                at = found if found >= 0 and (at < 0 or found < at) else at
        elif tag == _TR and opened[_TR]:
            at = _position(stack, top, _TR, 2, flags)
        elif tag in (_TBODY, _THEAD, _TFOOT) and opened[_TABLE]:
            for other in (_TBODY, _THEAD, _TFOOT, _TR, _CAPTION):
                found = _position(stack, top, other, 2, flags) if opened[other] else -1
                at = found if found >= 0 and (at < 0 or found < at) else at
        elif kind & tags.IS_HEADING and flags[stack[top - 1]] & tags.IS_HEADING:
            at = top - 1
        if state[_SKIP] == 0:
            _flush(state, blocks, node)
        if at > 0:
            top = _pop_to(stack, owners, opened, top, at, state, flags)
            node = owners[top - 1]
        if state[_SKIP] == 0:
            row = nodes[node_count]
            if nodes[node, DEPTH] >= MAX_DEPTH:
                node = nodes[node, PARENT]
            row[PARENT], row[TAG], row[DEPTH] = node, tag, nodes[node, DEPTH] + 1
            row[HIDDEN] = hidden or nodes[node, HIDDEN]
            for k in range(4):
                row[CLASS + 2 * k], row[CLASS + 2 * k + 1] = spans[2 * k], spans[2 * k + 1]
            node = node_count
            node_count += 1
        stack[top], owners[top] = tag, node
        top += 1
        opened[tag] += 1
        if tag in _CODE:
            state[_IN_PRE] += 1
            state[_FIRST] = 1
        if kind & tags.IS_CELL:
            state[_IN_LINK] = 0
    _flush(state, blocks, node)
    return node_count, state[_COUNT], state[_AT], title, title_end
