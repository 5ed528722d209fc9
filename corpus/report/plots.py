"""Plots as SVG for a page, drawn by matplotlib: in the page's own colours, so that they are dark where the page is."""

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from corpus.errors import UserError
from corpus.visible import visible

WIDTH, HEIGHT = 5.0, 2.0
"""Inches of a histogram; the page makes it as wide as there is room."""
_BAR = 0.26
"""Inches of height of a bar with its label."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.6, 0.2, 0.08, 0.45
"""Inches around the axes of a histogram. matplotlib's own layout would draw each plot twice to find them."""
_LETTER = 0.075
"""Inches of the width of a letter."""
LONGEST_NAME = 28

_COLOURS = {"ink": "#010203", "kept": "#010204", "dropped": "#010205", "limit": "#010206", "rule": "#010207"}
"""Stand for the variables of the page's style sheet: matplotlib knows no variables."""
_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "corpus",  # the same numbers give the same bytes
    "text.parse_math": False,  # a label may hold a dollar sign
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _COLOURS["ink"],
    "axes.edgecolor": _COLOURS["rule"],
    "axes.labelcolor": _COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _COLOURS["ink"],
    "ytick.color": _COLOURS["ink"],
}


def require() -> Any:
    """The library matplotlib.

    Raises:
        UserError: it is not installed.
    """
    try:
        import matplotlib
        import matplotlib.figure
    except ModuleNotFoundError:
        raise UserError("matplotlib is not installed: pip install '.[pipelines]' in the project's folder") from None
    return matplotlib


def histogram(edges: Sequence[float], counts: Sequence[int], limits: Sequence[float], label: str, log: bool) -> str:
    """An SVG element: a bar of `counts[i]` from `edges[i]` to `edges[i + 1]`, and a line at each of `limits`.

    Args:
        label: of the axis of values.
        log: that axis is logarithmic.
    """

    def draw(axes: Any) -> None:
        axes.stairs(counts, edges, fill=True, color=_COLOURS["kept"])
        for limit in limits:
            axes.axvline(limit, color=_COLOURS["limit"], linewidth=1.5)
        if log:
            axes.set_xscale("log")
            axes.minorticks_off()
        axes.xaxis.set_major_formatter(_plain)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(visible(label))
        axes.set_ylabel("documents")
        axes.yaxis.set_major_formatter(_plain)
        axes.locator_params(axis="y", nbins=4, integer=True)

    return _svg(draw, HEIGHT, _LEFT)


def bars(names: Sequence[str], values: Sequence[float], label: str, dropped: Sequence[float] | None = None) -> str:
    """An SVG element: a horizontal bar for each name, the first on top; `dropped` stands behind `values`, in the colour
    of what went."""

    labels = [visible(name) if len(name) <= LONGEST_NAME else f"{visible(name[:LONGEST_NAME])}…" for name in names]

    def draw(axes: Any) -> None:
        places = range(len(names))
        axes.barh(places, values, color=_COLOURS["kept"], height=0.7)
        if dropped is not None:
            axes.barh(places, dropped, left=values, color=_COLOURS["dropped"], height=0.7)
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.set_xlabel(visible(label))
        axes.xaxis.set_major_formatter(_plain)
        axes.locator_params(axis="x", nbins=5)

    return _svg(draw, _TOP + _BOTTOM + _BAR * len(names), 0.2 + _LETTER * max(map(len, labels)))


def _plain(value: float, _: int) -> str:
    """Of an axis: 1,000,000 as 1M."""
    if not value:
        return "0"
    size = min(max(int(math.log10(abs(value)) // 3), 0), 5)
    return f"{value / 1000**size:g}" + ("", "k", "M", "G", "T", "P")[size]


def _svg(draw: Callable[[Any], None], height: float, left: float) -> str:
    """
    Args:
        left: inches between the edge of the figure and the axes, for what stands there.
    """
    matplotlib = require()
    with matplotlib.rc_context(_STYLE):
        figure = matplotlib.figure.Figure(figsize=(WIDTH, height))
        room = WIDTH - left - _RIGHT, height - _TOP - _BOTTOM
        draw(figure.add_axes((left / WIDTH, _BOTTOM / height, room[0] / WIDTH, room[1] / height)))
        sink = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(sink, format="svg", transparent=True, metadata=nothing)
    return _in_page(sink.getvalue())


def _in_page(svg: str) -> str:
    """As an element of a page that has others like it: without the head of a file, without ids but those that are
    referred to, which are made of what they name, and with the page's colours and letters."""
    element = svg[svg.index("<svg") :]
    wanted = set(re.findall(r"#([\w-]+)[\")]", element))
    element = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in wanted else "", element)
    element = re.sub(r"<style.*?</style>|font-family: [^;]*; ", "", element)
    element = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', element, count=1)
    element = element.replace("xlink:href", "href")
    for name, colour in _COLOURS.items():
        element = element.replace(colour, f"var(--{name})")
    return element.strip()
