"""Blocks of a page as text: plain, or Markdown."""

import re

from corpus.text.web import tags
from corpus.text.web.parse import AFTER_BREAK, FLAGS, NODE, PARENT, PRE, TAG, Ints, Page

CELL_CHARACTERS = 200
"""Longest cell of a table of data; in longer ones stand paragraphs, and the table is a layout."""

_T = tags.TAG
_WITH_MARGIN = (
    "p h1 h2 h3 h4 h5 h6 pre blockquote ul ol dl table figure form fieldset address listing xmp article section"
)
_MARGIN = frozenset(_T[name] for name in _WITH_MARGIN.split())
"""Elements with an empty line around them (https://html.spec.whatwg.org/multipage/rendering.html, and sections)."""
_CELLS = frozenset({_T["td"], _T["th"]})
_LI, _OL, _TR, _TABLE, _QUOTE = _T["li"], _T["ol"], _T["tr"], _T["table"], _T["blockquote"]
_HEADINGS = {_T[f"h{level}"]: level for level in range(1, 7)}
_FENCE = re.compile("`{3,}")


def render(page: Page, kept: list[int], markdown: bool = False) -> str:
    """The text of blocks, in order.

    A line for each line of the page; an empty line where a browser leaves a margin. Items of lists begin with "- " or
    their number, two spaces deeper for each list around; cells of a row of data stand on one line, with " | " between.
    With `markdown` also: "#" before headings, "> " before quotations, a fence around code, tables as pipe tables.
    """
    writer = _Writer(page, markdown)
    rows = _rows_of_data(page, kept)
    at = 0
    while at < len(kept):
        row = rows.get(kept[at])
        stop = at + 1
        while row is not None and stop < len(kept) and rows.get(kept[stop]) == row:
            stop += 1
        writer.add(kept[at:stop], row)
        at = stop
    return "".join(writer.out)


class _Writer:
    def __init__(self, page: Page, markdown: bool) -> None:
        self.out: list[str] = []
        self._page = page
        self._markdown = markdown
        self._parents: list[int] = page.nodes[:, PARENT].tolist()
        self._tags: list[int] = page.nodes[:, TAG].tolist()
        self._last: list[int] = []  # the elements of the block before, from the body down
        self._items: set[int] = set()  # <li> that have begun
        self._counts: dict[int, int] = {}  # of the items of a numbered list
        self._table = -1

    def add(self, blocks: list[int], row: int | None) -> None:
        """One block, or those of a row of data."""
        block = blocks[0]
        path = self._path(int(self._page.blocks[block, NODE]))
        flags = int(self._page.blocks[block, FLAGS])
        text = self._page.block_text(block)
        if flags & PRE:
            text = text.rstrip()
        if row is not None:
            text = " | ".join(self._page.block_text(cell).replace("\n", " ") for cell in blocks)
        gap = self._gap(path, bool(flags & AFTER_BREAK)) if self.out else ""
        indent, mark = self._item(path)
        table = next((node for node in reversed(path) if self._tags[node] == _TABLE), -1) if row is not None else -1
        if self._markdown:
            text = self._as_markdown(text, path, flags, row is not None and table != self._table, len(blocks))
        self._table = table
        first, *more = text.split("\n")
        lines = [indent + mark + first, *((indent + " " * len(mark) + line if line else "") for line in more)]
        if self._markdown and any(self._tags[node] == _QUOTE for node in path):
            lines = ["> " + line for line in lines]
            gap = gap.replace("\n\n", "\n>\n") if any(self._tags[node] == _QUOTE for node in self._last) else gap
        self.out += [gap, "\n".join(lines)]
        self._last = path

    def _path(self, node: int) -> list[int]:
        path = []
        while node >= 0:
            path.append(node)
            node = self._parents[node]
        return path[::-1]

    def _gap(self, path: list[int], after_break: bool) -> str:
        """The line end, or empty line, between the block before and this one."""
        if after_break and path == self._last:
            return "\n\n"
        same = 0
        for one, other in zip(path, self._last, strict=False):
            if one != other:
                break
            same += 1
        return "\n\n" if any(self._tags[node] in _MARGIN for node in (*path[same:], *self._last[same:])) else "\n"

    def _item(self, path: list[int]) -> tuple[str, str]:
        """(spaces, mark) before the first line of a block: of a list's item its mark, else the spaces below it."""
        items = [node for node in path if self._tags[node] == _LI]
        if not items:
            return "", ""
        begun = items[-1] in self._items
        self._items.update(items)
        parent = self._parents[items[-1]]
        mark = "- "
        if self._tags[parent] == _OL:
            if not begun:
                self._counts[parent] = self._counts.get(parent, 0) + 1
            mark = f"{self._counts[parent]}. "
        return "  " * (len(items) - 1), " " * len(mark) if begun else mark

    def _as_markdown(self, text: str, path: list[int], flags: int, first_row: bool, cells: int) -> str:
        if flags & PRE:
            longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
            fence = "`" * (longest + 1)
            return f"{fence}\n{text}\n{fence}"
        level = next((_HEADINGS[self._tags[node]] for node in reversed(path) if self._tags[node] in _HEADINGS), 0)
        if level:
            return "#" * level + " " + text.replace("\n", " ")
        if cells > 1:
            return f"| {text} |" + ("\n|" + " --- |" * cells if first_row else "")
        return text


def _rows_of_data(page: Page, kept: list[int]) -> dict[int, int]:
    """The row of each block that stands in a row of a table of data: two cells or more, each with one short block."""
    if not any(tag in _CELLS for tag in page.nodes[:, TAG].tolist()):
        return {}
    parents: list[int] = page.nodes[:, PARENT].tolist()
    tag: list[int] = page.nodes[:, TAG].tolist()
    cells: dict[int, dict[int, list[int]]] = {}
    for block in kept:
        node = int(page.blocks[block, NODE])
        cell = node
        while cell >= 0 and tag[cell] not in _CELLS:
            cell = parents[cell]
        if cell >= 0 and tag[parents[cell]] == _TR:
            cells.setdefault(parents[cell], {}).setdefault(cell, []).append(block)
    found: dict[int, int] = {}
    for row, blocks in cells.items():
        short = all(len(some) == 1 and _size(page.blocks, some[0]) <= CELL_CHARACTERS for some in blocks.values())
        if short and len(blocks) > 1:
            found |= {some[0]: row for some in blocks.values()}
    return found


def _size(blocks: Ints, block: int) -> int:
    return int(blocks[block, 1] - blocks[block, 0])
