"""HTML to plain text in which blocks stay blocks: paragraphs, lists, code, quotes, tables.

One pass over the bytes, no tree: white space, line breaks and dropped elements are those of `innerText` in the HTML
standard (https://html.spec.whatwg.org/multipage/dom.html#the-innertext-idl-attribute). What a page shows by layout,
and `innerText` loses, is written in the marks of Markdown, with which such text is typed:

- an empty line around paragraphs, headings, lists, tables, quotes and code; a new line for any other block and `<br>`;
- `<pre>`: its characters as they are, without the indentation of a list around it, so that code stays valid;
- `<li>`: `- ` or its number (`<ol start>`, `<li value>`), and the lines of the item indented by the mark's width;
- `<blockquote>`: `> ` in front of each line;
- `<td>`, `<th>`: a row on one line, ` | ` between its cells;
- `<sup>`, `<sub>`: `10^5`, `x_i`, `2^(n+1)`; as they are where no character stands in front (small print), and for
  `1st`, `nth`, `[1]`, `®` and the like;
- `<q>`: `"` on both sides.

Images, scripts, styles and form fields give nothing, and links their text. Tags that are never closed lose no text.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from corpus.kernel import kernel
from corpus.text.hashing import Hashes, hash_bytes
from corpus.text.html_references import LONGEST_REFERENCE, read_reference, references

MAX_NESTING = 16
"""Lists, quotes, cells and tables inside each other; deeper ones give their text without marks."""

# What an element does. A name that is not here is inline: it does nothing.
_INLINE, _BLOCK, _PARAGRAPH, _BREAK, _CODE, _BULLETS, _NUMBERS, _ITEM, _QUOTE, _TABLE, _ROW, _CELL = range(12)
_SUPERSCRIPT, _SUBSCRIPT, _QUOTED, _DROPPED = range(12, 16)

_ELEMENTS = {
    _BLOCK: "address article aside body caption center dd details dialog dir div dt fieldset figcaption footer form "
    "header hgroup html legend main menu nav option search section summary tbody tfoot thead",
    _PARAGRAPH: "dl figure h1 h2 h3 h4 h5 h6 hr p",
    _BREAK: "br",
    _CODE: "listing pre xmp",
    _BULLETS: "ul",
    _NUMBERS: "ol",
    _ITEM: "li",
    _QUOTE: "blockquote",
    _TABLE: "table",
    _ROW: "tr",
    _CELL: "td th",
    _SUPERSCRIPT: "sup",
    _SUBSCRIPT: "sub",
    _QUOTED: "q",
    _DROPPED: "audio canvas datalist iframe noembed noframes noscript object script select style svg template textarea "
    "title video",
}
_LONGEST_NAME = max(len(name) for names in _ELEMENTS.values() for name in names.split())

# Places in the kernel's state.
_AT = 0  # bytes written
_BREAKS = 1  # line breaks due before the next character: 2 make an empty line
_SPACE = 2  # 1: a space is due
_NO_BREAK_SPACES = 3  # how many are due
_BARS = 4  # bars between cells that are due
_DEPTH = 5  # how much is open of lists, items, quotes, tables and cells
_LINE_QUOTES = 6  # quotes around the last line written
_CELL_STARTS = 7  # 1: nothing is written yet of this cell
_ROW_STARTS = 8  # 1: nothing is written yet of this row
_RAISED = 9  # superscripts and subscripts that are open
_IN_CODE = 10  # 1 + the blocks that are open inside; 0 outside
_CODE_END = 11  # behind the last visible character of the code; 0 before the first
_CODE_LINE = 12  # 1: the line of code has a character
_CODE_BEGUN = 13  # 1: the breaks in front of the code are written
_BEFORE_AT = 14  # three of the above, as they were before that
_BEFORE_BREAKS = 15
_BEFORE_QUOTES = 16
_SIZE = 17

# Columns of the stack of what is open.
_KIND = 0
_NUMBER = 1  # of an item, or `_BULLET`; of a list: of its next item; of a table: cells begun in the row
_UNWRITTEN = 2  # 1: the item's mark is not written yet

_BULLET = -(1 << 62)
_ENDINGS = "e è o a st nd rd th er re ers res nde eme ème ère ier ième me os as ra ro ta to te de"
"""Of English and Romance ordinals."""
_ENDING_KEYS = np.array([int.from_bytes(ending.encode(), "big") for ending in _ENDINGS.split()], np.int64)
_TH = int.from_bytes(b"th", "big")
_LARGEST_NUMBER = 999_999_999
_WIDEST_INDENT = 4
_MAX_RAISED = 4
_MAX_DUE = 64  # bars, or no-break spaces
_SLACK = 1024  # more bytes than are due in front of one character, with the margins of two lines

_TAB, _LINE_FEED, _RETURN, _BLANK = 9, 10, 13, 32


class Tags(NamedTuple):
    """Elements for the kernel, sorted by the XXH64 of their names in lower case, and what each does."""

    names: Hashes
    kinds: npt.NDArray[np.int64]


@cache
def _tags() -> Tags:
    kinds = {xxhash.xxh64_intdigest(name.encode()): kind for kind, names in _ELEMENTS.items() for name in names.split()}
    ordered = sorted(kinds)
    return Tags(np.array(ordered, np.uint64), np.array([kinds[name] for name in ordered], np.int64))


def html_text(html: str) -> str:
    """The text of an HTML fragment or page, as this module's docstring says; no white space at its end.

    Lone surrogates become U+FFFD. Time and memory are linear in the length.
    """
    return html_texts([html])[0]


def html_texts(fragments: Sequence[str]) -> list[str]:
    """`html_text` of each; one call for many short ones is several times as fast."""
    encoded = [html.encode("utf-8", "surrogatepass") for html in fragments]
    data = np.frombuffer(b"".join(encoded), np.uint8)
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(html) for html in encoded], out=offsets[1:])
    ends = np.zeros(len(encoded) + 1, np.int64)
    size = 2 * len(data) + 2 * _SLACK
    while True:
        out = np.empty(size, np.uint8)
        if _convert_rows(data, offsets, out, ends, _tags(), references()):
            break
        size *= 2
    text = out[: ends[-1]].tobytes()
    return [text[start:end].decode("utf-8", "replace").rstrip() for start, end in pairwise(ends.tolist())]


@kernel
def _convert_rows(data: Any, offsets: Any, out: Any, ends: Any, tags: Any, references: Any) -> Any:
    """Writes the text of each data[offsets[row]:offsets[row + 1]] to out[ends[row]:ends[row + 1]]. False where `out` is
    too small."""
    for row in range(len(offsets) - 1):
        written = _convert(data[offsets[row] : offsets[row + 1]], out[ends[row] :], tags, references)
        if written < 0:
            return False
        ends[row + 1] = ends[row] + written
    return True


@kernel
def _convert(data: Any, out: Any, tags: Any, references: Any) -> Any:
    """Writes the text of `data` to `out`; gives how many bytes, or -1 where `out` is too small."""
    s = np.zeros(_SIZE, np.int64)
    stack = np.zeros((MAX_NESTING, 3), np.int64)
    raised = np.zeros((_MAX_RAISED, 2), np.int64)  # kind, and where the text begins in `out`, or -1
    name = np.zeros(_LONGEST_NAME, np.uint8)
    character = np.zeros(LONGEST_REFERENCE, np.uint8)
    # What is known not to come any more: the end tag of each element, then `-->`, `"` and `'` in a tag.
    never_closed = np.zeros(len(tags.names) + 3, np.bool_)
    end = len(data)
    last = end - 1  # the last `>`
    while last >= 0 and data[last] != ord(">"):
        last -= 1
    i = 0
    while i < end:
        if s[_AT] + _SLACK > len(out):
            return -1
        byte = np.int64(data[i])
        if byte == ord("<"):
            after = _declaration_end(data, i, last, never_closed)
            if after:
                i = after
                continue
            closing = i + 1 < end and data[i + 1] == ord("/")
            begin = i + 2 if closing else i + 1
            after = _tag_end(data, begin, last, never_closed)
            if after:
                i = after
                row = _find_tag(data, begin, after, name, tags)
                kind = tags.kinds[row] if row >= 0 else _INLINE
                if kind == _DROPPED:
                    if not closing and not never_closed[row]:
                        i = _element_end(data, after, name, tags.names[row])
                        if not i:
                            never_closed[row] = True
                            i = after
                elif closing:
                    _end(out, s, stack, raised, kind)
                elif kind != _INLINE:
                    _start(data, begin, after, out, s, stack, raised, kind)
                    if kind == _CODE:  # a line end directly behind the tag is not part of the code
                        i += i < end and data[i] == _RETURN
                        i += i < end and data[i] == _LINE_FEED
                continue
        elif byte == ord("&"):
            read, written = read_reference(data, i, end, references, character)
            if read:
                if written == 2 and character[0] == 0xC2 and character[1] == 0xA0 and not s[_IN_CODE]:
                    s[_NO_BREAK_SPACES] = min(s[_NO_BREAK_SPACES] + 1, _MAX_DUE)
                else:
                    for k in range(written):
                        _put(out, s, stack, np.int64(character[k]))
                i += read
                continue
        elif byte == 0xC2 and i + 1 < end and data[i + 1] == 0xA0 and not s[_IN_CODE]:
            s[_NO_BREAK_SPACES] = min(s[_NO_BREAK_SPACES] + 1, _MAX_DUE)
            i += 2
            continue
        if byte == _RETURN:  # HTML reads \r\n and \r as \n
            byte = np.int64(_LINE_FEED)
            i += i + 1 < end and data[i + 1] == _LINE_FEED
        _put(out, s, stack, byte)
        i += 1
        if byte > _BLANK:
            i = _copy_line(data, i, end, out, s)
    if s[_IN_CODE]:
        _end_code(s)
    return s[_AT]


@kernel
def _copy_line(data: Any, i: Any, end: Any, out: Any, s: Any) -> Any:
    """Copies what needs no second look: the characters and single spaces behind a visible character. Gives where it
    stopped."""
    at = s[_AT]
    end = min(end, i + len(out) - _SLACK - at)
    while i < end:
        byte = data[i]
        if byte <= _BLANK:
            if byte != _BLANK or i + 1 >= end or data[i + 1] <= _BLANK:
                break
            # In front of these a space may be one too many.
            if data[i + 1] == ord("<") or data[i + 1] == ord("&") or data[i + 1] == 0xC2:
                break
        elif byte == ord("<") or byte == ord("&") or byte == 0xC2:
            break
        out[at] = byte
        at += 1
        i += 1
    if s[_IN_CODE]:
        s[_CODE_END] = at
    s[_AT] = at
    return i


# ---- Tags


@kernel
def _declaration_end(data: Any, i: Any, last: Any, never_closed: Any) -> Any:
    """Behind the comment, `<!...>`, `<?...>` or `</...>` without a name that begins at byte i; 0 where none does. Of a
    comment that is never closed only its `<!--` goes."""
    end = len(data)
    if i + 3 < end and data[i + 1] == ord("!") and data[i + 2] == ord("-") and data[i + 3] == ord("-"):
        at = i + 2  # the dashes that open a comment may close it: <!-->
        while not never_closed[-3] and at + 2 < end:
            if data[at] == ord("-") and data[at + 1] == ord("-") and data[at + 2] == ord(">"):
                return at + 3
            at += 1
        never_closed[-3] = True
        return i + 4
    if i + 1 >= last:
        return 0
    second = data[i + 1]
    if second == ord("/"):
        if _is_letter(data[i + 2]):
            return 0
    elif second != ord("!") and second != ord("?"):
        return 0
    at = i + 2
    while data[at] != ord(">"):
        at += 1
    return at + 1


@kernel
def _tag_end(data: Any, i: Any, last: Any, never_closed: Any) -> Any:
    """Behind the `>` of the tag whose name begins at byte i, or 0 where none does. A `>` in a quoted value does not
    count, unless the quotes are never closed."""
    if i >= last or not _is_letter(data[i]):
        return 0
    after_equals = False
    while data[i] != ord(">"):
        byte = data[i]
        if after_equals and (byte == ord('"') or byte == ord("'")):
            kind = -2 if byte == ord('"') else -1
            if not never_closed[kind]:
                at = i + 1
                while at < last and data[at] != byte:
                    at += 1
                never_closed[kind] = at == last
                if at < last:
                    i = at
        after_equals = byte == ord("=") or (after_equals and byte <= _BLANK)
        i += 1
    return i + 1


@kernel
def _find_tag(data: Any, i: Any, end: Any, name: Any, tags: Any) -> Any:
    """Row of the element whose name begins at byte i, or -1."""
    size = 0
    while i < end and data[i] > _BLANK and data[i] != ord(">") and data[i] != ord("/"):
        if size == len(name):
            return -1
        name[size] = _lower(data[i])
        size += 1
        i += 1
    key = hash_bytes(name, 0, size, 0)
    row = np.searchsorted(tags.names, key)
    return row if row < len(tags.names) and tags.names[row] == key else -1


@kernel
def _element_end(data: Any, i: Any, name: Any, key: Any) -> Any:
    """Behind the next end tag of the element whose name has the hash `key`, or 0. `name` is scratch space."""
    end = len(data)
    while i + 2 < end:
        if data[i] == ord("<") and data[i + 1] == ord("/"):
            size = 0
            at = i + 2
            while at < end and size < len(name) and _is_letter(data[at]):
                name[size] = _lower(data[at])
                size += 1
                at += 1
            if hash_bytes(name, 0, size, 0) == key:
                while at < end and data[at] != ord(">"):
                    at += 1
                return min(at + 1, end)
        i += 1
    return 0


@kernel
def _number_of(data: Any, i: Any, end: Any, letter: Any, default: Any) -> Any:
    """The integer of the attribute of five letters that begins with `letter` (`start`, `value`), or `default`. The
    tag is data[i:end], from its name on."""
    while i < end and data[i] > _BLANK and data[i] != ord("/"):
        i += 1
    while i < end:
        while i < end and (data[i] <= _BLANK or data[i] == ord("/")):
            i += 1
        begin = i
        while i < end and data[i] > _BLANK and data[i] != ord("=") and data[i] != ord("/"):
            i += 1
        found = i - begin == 5 and _lower(data[begin]) == letter
        while i < end and data[i] <= _BLANK:
            i += 1
        if i >= end or data[i] != ord("="):
            continue
        i += 1
        while i < end and data[i] <= _BLANK:
            i += 1
        quote = data[i] if i < end and (data[i] == ord('"') or data[i] == ord("'")) else 0
        i += quote != 0
        if found:
            return _read_integer(data, i, end, default)
        while i < end and (data[i] != quote if quote else data[i] > _BLANK):
            i += 1
        i += quote != 0
    return default


@kernel
def _read_integer(data: Any, i: Any, end: Any, default: Any) -> Any:
    while i < end and data[i] <= _BLANK:
        i += 1
    negative = i < end and data[i] == ord("-")
    if i < end and (negative or data[i] == ord("+")):
        i += 1
    first = i
    number = 0
    while i < end and _is_digit(data[i]):
        number = min(number * 10 + data[i] - ord("0"), _LARGEST_NUMBER)
        i += 1
    if i == first:
        return default
    return -number if negative else number


@kernel
def _is_letter(byte: Any) -> Any:
    return ord("a") <= (byte | 32) <= ord("z")


@kernel
def _lower(byte: Any) -> Any:
    return byte | 32 if ord("A") <= byte <= ord("Z") else byte


# ---- Elements


@kernel
def _start(data: Any, begin: Any, after: Any, out: Any, s: Any, stack: Any, raised: Any, kind: Any) -> None:
    """What the start tag data[begin:after] does."""
    if kind in (_SUPERSCRIPT, _SUBSCRIPT):
        _raise(out, s, raised, kind)
        return
    if kind == _QUOTED:
        _put(out, s, stack, ord('"'))
        return
    s[_RAISED] = 0
    if s[_IN_CODE]:
        if kind == _BREAK:
            _put_code(out, s, stack, _LINE_FEED)
        else:
            s[_IN_CODE] += 1
            _edge_in_code(out, s, stack)
        return
    if kind == _BREAK:
        _due(s, min(2, s[_BREAKS] + 1))
    elif kind == _BLOCK:
        _due(s, 1)
    elif kind == _PARAGRAPH:
        _due(s, 2)
    elif kind == _ROW:
        _leave_cell(s)
        _due(s, 1)
        table = _innermost(s, stack, _TABLE)
        if table >= 0:
            s[_DEPTH] = table + 1
            stack[table, _NUMBER] = 0
            s[_ROW_STARTS] = 1
    elif kind == _CELL:
        _start_cell(s, stack)
    elif kind == _TABLE:
        _due(s, 1 if _innermost(s, stack, _TABLE) >= 0 else 2)
        _open(s, stack, kind, 0)
    else:
        _leave_cell(s)
        if kind == _ITEM:
            _start_item(data, begin, after, s, stack)
        elif kind == _CODE:
            _start_code(out, s, stack)
        else:
            _due(s, 1 if kind != _QUOTE and _is_in(s, stack, _ITEM) else 2)
            _open(s, stack, kind, _number_of(data, begin, after, ord("s"), 1) if kind == _NUMBERS else 0)


@kernel
def _end(out: Any, s: Any, stack: Any, raised: Any, kind: Any) -> None:
    """What an end tag does."""
    if kind == _INLINE:
        return
    if kind in (_SUPERSCRIPT, _SUBSCRIPT):
        _lower_again(out, s, raised, kind)
        return
    if kind == _QUOTED:
        _put(out, s, stack, ord('"'))
        return
    s[_RAISED] = 0
    if s[_IN_CODE]:
        if kind == _CODE:
            _end_code(s)
            return
        if s[_IN_CODE] > 1:
            s[_IN_CODE] -= 1
            _edge_in_code(out, s, stack)
            return
        if _innermost(s, stack, kind) < 0:
            return
        _end_code(s)  # what is around the code ends
    if kind == _BLOCK:
        _due(s, 1)
    elif kind == _PARAGRAPH:
        _due(s, 2)
    elif kind == _BREAK:  # </br> is read as <br>
        _due(s, min(2, s[_BREAKS] + 1))
    elif kind == _CELL:
        s[_CELL_STARTS] = 0
        _close(s, stack, kind)
    elif kind != _CODE:
        _leave_cell(s)
        _close(s, stack, _CELL if kind == _ROW else kind)
        s[_LINE_QUOTES] = min(s[_LINE_QUOTES], _quotes(s, stack))  # the next quote is another one
        inner = kind != _QUOTE and (_is_in(s, stack, _ITEM) or _is_in(s, stack, _CELL))
        _due(s, 1 if inner or kind in (_ITEM, _ROW) else 2)


@kernel
def _due(s: Any, breaks: Any) -> None:
    """At least so many line breaks before the next character; none at the start of a cell."""
    s[_SPACE] = s[_NO_BREAK_SPACES] = 0
    if not s[_CELL_STARTS]:
        s[_BREAKS] = max(s[_BREAKS], breaks)


@kernel
def _leave_cell(s: Any) -> None:
    """What begins now has lines of its own, in a cell too."""
    s[_CELL_STARTS] = s[_BARS] = 0


@kernel
def _is_in(s: Any, stack: Any, kind: Any) -> Any:
    """Whether the innermost of what is open is of a kind."""
    return s[_DEPTH] > 0 and stack[s[_DEPTH] - 1, _KIND] == kind


@kernel
def _open(s: Any, stack: Any, kind: Any, number: Any) -> None:
    depth = s[_DEPTH]
    if depth < MAX_NESTING:
        stack[depth, _KIND] = kind
        stack[depth, _NUMBER] = number
        stack[depth, _UNWRITTEN] = kind == _ITEM
        s[_DEPTH] += 1


@kernel
def _close(s: Any, stack: Any, kind: Any) -> None:
    """Closes the innermost of a kind, with what is open in it."""
    depth = _innermost(s, stack, kind)
    if depth >= 0:
        s[_DEPTH] = depth


@kernel
def _innermost(s: Any, stack: Any, kind: Any) -> Any:
    """Depth of the innermost of a kind, or -1. A table hides what is outside, and from items a list does."""
    for depth in range(s[_DEPTH] - 1, -1, -1):
        found = stack[depth, _KIND]
        if found == kind:
            return depth
        if found == _TABLE or (kind == _ITEM and found in (_BULLETS, _NUMBERS)):
            return -1
    return -1


@kernel
def _start_item(data: Any, begin: Any, after: Any, s: Any, stack: Any) -> None:
    _due(s, 1)
    if _is_in(s, stack, _ITEM):
        s[_DEPTH] -= 1
    number = _BULLET
    if _is_in(s, stack, _NUMBERS):
        number = _number_of(data, begin, after, ord("v"), stack[s[_DEPTH] - 1, _NUMBER])
        stack[s[_DEPTH] - 1, _NUMBER] = min(number + 1, _LARGEST_NUMBER)
    _open(s, stack, _ITEM, number)


@kernel
def _start_cell(s: Any, stack: Any) -> None:
    table = _innermost(s, stack, _TABLE)
    if table < 0:
        _due(s, 1)
        return
    s[_SPACE] = s[_NO_BREAK_SPACES] = 0
    if stack[table, _NUMBER] == 0:
        s[_BARS] = 0
    else:
        s[_BARS] = min(s[_BARS] + 1, _MAX_DUE)
        if not s[_ROW_STARTS]:
            s[_BREAKS] = 0
    stack[table, _NUMBER] += 1
    s[_DEPTH] = table + 1
    _open(s, stack, _CELL, 0)
    s[_CELL_STARTS] = 1


# ---- Superscripts and subscripts


@kernel
def _raise(out: Any, s: Any, raised: Any, kind: Any) -> None:
    """Notes where a superscript begins: -1 where no character stands directly in front of it."""
    if s[_RAISED] == _MAX_RAISED:
        return
    at = s[_AT]
    free = at == 0 or s[_BREAKS] or s[_SPACE] or s[_NO_BREAK_SPACES] or s[_BARS]
    if not free:
        before = out[at - 1]
        free = before <= _BLANK or before == ord("(") or before == ord("[") or before == ord("{")
    raised[s[_RAISED], 0] = kind
    raised[s[_RAISED], 1] = -1 if free else at
    s[_RAISED] += 1


@kernel
def _lower_again(out: Any, s: Any, raised: Any, kind: Any) -> None:
    """Puts the mark in front of the superscript that ends here, and parentheses around it where it would not be seen
    how far it goes."""
    if not s[_RAISED]:
        return
    s[_RAISED] -= 1
    start, end = raised[s[_RAISED], 1], s[_AT]
    if start < 0 or start == end or raised[s[_RAISED], 0] != kind:
        return
    first = start + (out[start] == _BLANK)
    if _has_its_mark(out, first, end) or _is_joined(out, first, end, kind):
        return
    parentheses = not _is_one(out, first, end)
    moved = start + 1 + parentheses - first
    for i in range(end - 1, first - 1, -1):
        out[i + moved] = out[i]
    out[start] = ord("^") if kind == _SUPERSCRIPT else ord("_")
    end += moved
    if parentheses:
        out[start + 1] = ord("(")
        out[end] = ord(")")
        end += 1
    s[_AT] = end
    if s[_IN_CODE]:
        s[_CODE_END] = end


@kernel
def _is_one(out: Any, start: Any, end: Any) -> Any:
    """One character; letters and digits with at most a sign in front, or, of digits, behind; or what is in parentheses
    already."""
    if out[start] == ord("(") and out[end - 1] == ord(")"):
        return True
    size = 0
    plain = digits = True
    for i in range(start, end):
        byte = out[i]
        size += byte & 0xC0 != 0x80
        digit = _is_digit(byte)
        sign = byte == ord("+") or byte == ord("-")
        digits = digits and (digit or (sign and i == end - 1))
        plain = plain and (byte >= 0x80 or digit or _is_letter(byte) or (sign and i == start))
    return plain or digits or size == 1


@kernel
def _is_joined(out: Any, start: Any, end: Any, kind: Any) -> Any:
    """What is written on the line as it is: the number behind a chemical element (H2O), and endings of ordinals (1st,
    nth, XIXe)."""
    before = out[start - 1]
    if kind == _SUBSCRIPT:
        capital = ord("A") <= before <= ord("Z")
        if not capital and start > 1 and ord("a") <= before <= ord("z"):
            capital = ord("A") <= out[start - 2] <= ord("Z")
        return _is_digit(out[start]) and (capital or before == ord(")") or before == ord("]"))
    key = 0
    for i in range(start, min(end, start + 7)):
        key = key * 256 + _lower(out[i])
    numeral = _is_digit(before)
    for letter in b"IVXLCDMN":  # Roman, or No
        numeral = numeral or before == letter
    ordinal = False
    for ending in _ENDING_KEYS:
        ordinal = ordinal or key == ending
    return (numeral and ordinal) or (key == _TH and _is_letter(before))


@kernel
def _is_digit(byte: Any) -> Any:
    return ord("0") <= byte <= ord("9")


@kernel
def _has_its_mark(out: Any, start: Any, end: Any) -> Any:
    """`[1]`, `*`, what has its mark already, and the lone signs © ® ° º ª † ‡ ′ ″ ℠ ™."""
    first = out[start]
    if first == ord("[") or first == ord("^") or first == ord("_") or first == ord("*"):
        return True
    if end - start == 2 and first == 0xC2:
        second = out[start + 1]
        return second == 0xA9 or second == 0xAE or second == 0xB0 or second == 0xBA or second == 0xAA
    if end - start == 3 and first == 0xE2:
        pair = out[start + 1] * 256 + out[start + 2]
        dagger = pair == 0x80A0 or pair == 0x80A1
        prime = pair == 0x80B2 or pair == 0x80B3
        return dagger or prime or pair == 0x84A0 or pair == 0x84A2
    return False


# ---- Characters


@kernel
def _put(out: Any, s: Any, stack: Any, byte: Any) -> None:
    """One byte of text."""
    if s[_IN_CODE]:
        _put_code(out, s, stack, byte)
    elif byte > _BLANK:
        _begin(out, s, stack)
        _write(out, s, byte)
    elif byte == _BLANK or _TAB <= byte <= _RETURN:  # other control characters show nothing
        s[_SPACE] = 1


@kernel
def _write(out: Any, s: Any, byte: Any) -> None:
    out[s[_AT]] = byte
    s[_AT] += 1


@kernel
def _begin(out: Any, s: Any, stack: Any) -> None:
    """Writes what is due in front of a character: a new line with its margin, bars, or spaces."""
    if s[_BREAKS] or not s[_AT]:
        _new_line(out, s, stack)
    elif s[_BARS] or s[_SPACE]:
        _write(out, s, _BLANK)
    for _ in range(s[_BARS]):
        _write(out, s, ord("|"))
        _write(out, s, _BLANK)
    for _ in range(s[_NO_BREAK_SPACES]):
        _write(out, s, 0xC2)
        _write(out, s, 0xA0)
    s[_BREAKS] = s[_BARS] = s[_SPACE] = s[_NO_BREAK_SPACES] = s[_CELL_STARTS] = s[_ROW_STARTS] = 0


@kernel
def _quotes(s: Any, stack: Any) -> Any:
    """How many are open."""
    count = 0
    for depth in range(s[_DEPTH]):
        count += stack[depth, _KIND] == _QUOTE
    return count


@kernel
def _new_line(out: Any, s: Any, stack: Any) -> None:
    quotes = _quotes(s, stack)
    if s[_AT]:
        _write(out, s, _LINE_FEED)
        if s[_BREAKS] > 1:  # an empty line, inside the quotes that go on
            _margin(out, s, stack, min(quotes, s[_LINE_QUOTES]), False)
            _write(out, s, _LINE_FEED)
    _margin(out, s, stack, quotes, True)
    s[_LINE_QUOTES] = quotes


@kernel
def _margin(out: Any, s: Any, stack: Any, quotes: Any, whole: Any) -> None:
    """What a line begins with: marks and indentation of all that is open, or as far as the last of so many quotes."""
    for depth in range(s[_DEPTH]):
        if not whole and not quotes:
            break
        kind, number = stack[depth, _KIND], stack[depth, _NUMBER]
        if kind == _QUOTE:
            _write(out, s, ord(">"))
            _write(out, s, _BLANK)
            quotes -= 1
        elif kind == _ITEM and not s[_IN_CODE]:
            if whole and stack[depth, _UNWRITTEN]:
                stack[depth, _UNWRITTEN] = 0
                _mark(out, s, number)
            else:
                for _ in range(_indent(number)):
                    _write(out, s, _BLANK)
    if not whole:
        while out[s[_AT] - 1] == _BLANK:
            s[_AT] -= 1


@kernel
def _mark(out: Any, s: Any, number: Any) -> None:
    if number < 0:
        _write(out, s, ord("-"))
    if number != _BULLET:
        number = abs(number)
        scale = 1
        while scale * 10 <= number:
            scale *= 10
        while scale:
            _write(out, s, ord("0") + number // scale % 10)
            scale //= 10
        _write(out, s, ord("."))
    _write(out, s, _BLANK)


@kernel
def _indent(number: Any) -> Any:
    """Columns that the other lines of an item begin with."""
    if number == _BULLET:
        return 2
    return 3 if 0 <= number < 10 else _WIDEST_INDENT


# ---- Code


@kernel
def _start_code(out: Any, s: Any, stack: Any) -> None:
    _due(s, 2)
    for depth in range(s[_DEPTH]):
        if stack[depth, _UNWRITTEN]:  # an item that begins with code: its mark gets a line
            _begin(out, s, stack)
            s[_AT] -= 1
            s[_BREAKS] = 1
            break
    s[_IN_CODE] = 1
    s[_CODE_END] = s[_CODE_LINE] = s[_CODE_BEGUN] = 0


@kernel
def _put_code(out: Any, s: Any, stack: Any, byte: Any) -> None:
    """One byte of code. Empty lines in front of it are left out."""
    if byte == _LINE_FEED:
        if not s[_CODE_END]:
            _take_back(s)
            return
        if not s[_CODE_LINE] and out[s[_AT] - 1] == _BLANK:
            s[_AT] -= 1  # of a quote's mark
        s[_BREAKS] = 1
        _new_line(out, s, stack)
        s[_BREAKS] = s[_CODE_LINE] = 0
        return
    if byte < _BLANK and byte != _TAB:
        return
    if not s[_CODE_BEGUN]:
        s[_BEFORE_AT], s[_BEFORE_BREAKS], s[_BEFORE_QUOTES] = s[_AT], s[_BREAKS], s[_LINE_QUOTES]
        _begin(out, s, stack)
        s[_CODE_BEGUN] = 1
    _write(out, s, byte)
    s[_CODE_LINE] = 1
    if byte > _BLANK:
        s[_CODE_END] = s[_AT]


@kernel
def _edge_in_code(out: Any, s: Any, stack: Any) -> None:
    """A block in code begins or ends: what follows is on another line."""
    if s[_CODE_LINE]:
        _put_code(out, s, stack, _LINE_FEED)


@kernel
def _take_back(s: Any) -> None:
    """Undoes what was written of the code, which was white space."""
    if s[_CODE_BEGUN]:
        s[_AT], s[_BREAKS], s[_LINE_QUOTES] = s[_BEFORE_AT], s[_BEFORE_BREAKS], s[_BEFORE_QUOTES]
    s[_CODE_BEGUN] = s[_CODE_LINE] = 0


@kernel
def _end_code(s: Any) -> None:
    if s[_CODE_END]:
        s[_AT] = s[_CODE_END]
    else:
        _take_back(s)
    s[_IN_CODE] = 0
    _due(s, 2)
