"""Blocks of a page as text: plain, or Markdown."""

import re
from typing import NamedTuple

from corpus.text.web import tags
from corpus.text.web.parse import AFTER_BREAK, END, FLAGS, NODE, PARENT, PRE, START, TAG, Page

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
    rows = writer.rows_of_data(kept)
    at = 0
    while at < len(kept):
        row = rows.get(kept[at])
        stop = at + 1
        while row is not None and stop < len(kept) and rows.get(kept[stop]) == row:
            stop += 1
        writer.add(kept[at:stop], row)
        at = stop
    return "".join(writer.out)


class _Place(NamedTuple):
    """What stands around a block.

    Attributes:
        margins: the elements with an empty line around them, from the body down.
        items: the <li>, from the body down.
        quoted: whether there is a <blockquote>.
        level: of the nearest heading; 0 = none.
        table: the nearest <table>; -1 = none.
    """

    margins: tuple[int, ...] = ()
    items: tuple[int, ...] = ()
    quoted: bool = False
    level: int = 0
    table: int = -1


class _Writer:
    def __init__(self, page: Page, markdown: bool) -> None:
        self.out: list[str] = []
        self._markdown = markdown
        self._text = page.text.tobytes()
        self._blocks: list[list[int]] = page.blocks[:, [START, END, NODE, FLAGS]].tolist()
        self._parents: list[int] = page.nodes[:, PARENT].tolist()
        self._tags: list[int] = page.nodes[:, TAG].tolist()
        self._places: dict[int, _Place] = {-1: _Place()}  # by element
        self._last = _Place()  # of the block before
        self._items: set[int] = set()  # <li> that have begun
        self._counts: dict[int, int] = {}  # of the items of each list that have begun
        self._table = -1  # of the row before

    def rows_of_data(self, kept: list[int]) -> dict[int, int]:
        """The row of each block that stands in a row of a table of data: two cells or more, each with one short
        block."""
        if _CELLS.isdisjoint(self._tags):
            return {}
        rows: dict[int, dict[int, list[int]]] = {}
        for block in kept:
            cell = self._blocks[block][2]
            while cell >= 0 and self._tags[cell] not in _CELLS:
                cell = self._parents[cell]
            if cell >= 0 and self._tags[row := self._parents[cell]] == _TR:
                rows.setdefault(row, {}).setdefault(cell, []).append(block)
        found: dict[int, int] = {}
        for row, cells in rows.items():
            if len(cells) > 1 and all(len(some) == 1 and self._is_short(some[0]) for some in cells.values()):
                found |= {some[0]: row for some in cells.values()}
        return found

    def _is_short(self, block: int) -> bool:
        start, end, *_ = self._blocks[block]
        return end - start <= CELL_CHARACTERS

    def add(self, blocks: list[int], row: int | None) -> None:
        """One block, or those of a row of data."""
        start, end, node, flags = self._blocks[blocks[0]]
        place = self._place(node)
        text = self._text[start:end].decode("utf-8", "replace")
        if row is not None:
            cells = (self._text[start:end] for start, end, *_ in map(self._blocks.__getitem__, blocks))
            text = b" | ".join(cells).decode("utf-8", "replace").replace("\n", " ")
        elif flags & PRE:
            text = text.rstrip()
        is_apart = flags & AFTER_BREAK if place is self._last else place.margins != self._last.margins
        gap = ("\n\n" if is_apart else "\n") if self.out else ""
        table = place.table if row is not None else -1
        if self._markdown:
            text = self._as_markdown(text, place, flags, row is not None and table != self._table, len(blocks))
        self._table = table
        if place.items:
            indent, mark = self._item(place.items)
            first, *more = text.split("\n")
            below = indent + " " * len(mark)
            text = "\n".join([indent + mark + first, *(below + line if line else "" for line in more)])
        if self._markdown and place.quoted:
            text = "> " + text.replace("\n", "\n> ")
            gap = gap.replace("\n\n", "\n>\n") if self._last.quoted else gap
        self.out += [gap, text]
        self._last = place

    def _place(self, node: int) -> _Place:
        below = []
        while node not in self._places:
            below.append(node)
            node = self._parents[node]
        place = self._places[node]
        for node in reversed(below):
            tag = self._tags[node]
            place = self._places[node] = _Place(
                (*place.margins, node) if tag in _MARGIN else place.margins,
                (*place.items, node) if tag == _LI else place.items,
                place.quoted or tag == _QUOTE,
                _HEADINGS.get(tag, place.level),
                node if tag == _TABLE else place.table,
            )
        return place

    def _item(self, items: tuple[int, ...]) -> tuple[str, str]:
        """(spaces, mark) before the first line of a block: of a list's item its mark, else the spaces below it."""
        begun = items[-1] in self._items
        for item in items:
            if item not in self._items:
                self._items.add(item)
                self._counts[self._parents[item]] = self._counts.get(self._parents[item], 0) + 1
        parent = self._parents[items[-1]]
        mark = f"{self._counts[parent]}. " if self._tags[parent] == _OL else "- "
        return "  " * (len(items) - 1), " " * len(mark) if begun else mark

    def _as_markdown(self, text: str, place: _Place, flags: int, first_row: bool, cells: int) -> str:
        if flags & PRE:
            longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
            fence = "`" * (longest + 1)
            return f"{fence}\n{text}\n{fence}"
        if place.level:
            return "#" * place.level + " " + text.replace("\n", " ")
        if cells > 1:
            return f"| {text} |" + ("\n|" + " --- |" * cells if first_row else "")
        return text
