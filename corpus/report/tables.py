"""The look of every table on the terminal."""

from collections.abc import Sequence

from rich.table import Table


def new_table(title: str, left: Sequence[str], right: Sequence[str], last: str | None = None) -> Table:
    """An empty table: columns of text, columns of numbers, and maybe a last one of text that wraps."""
    result = Table(title=title, box=None, padding=(0, 1, 0, 0), header_style="underline", title_justify="left")
    for heading in left:
        result.add_column(heading, no_wrap=True)
    for heading in right:
        result.add_column(heading, justify="right", no_wrap=True)
    if last is not None:
        result.add_column(last, overflow="fold")
    return result
