"""Which blocks stay: by the model that is in the package, on pages written here."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import UserError
from corpus.text.web import extractors
from corpus.text.web.extractors import main_text
from corpus.text.web.features import FEATURES, features
from corpus.text.web.main_text import Model, kept_blocks, model
from corpus.text.web.parse import parse

PARAGRAPHS = [
    f"<p>Paragraph {number} tells that the harbour master wrote the tide table again, and nailed it to the door of the "
    "shed, where everybody who went out in the morning could read it.</p>"
    for number in range(6)
]
MENU = "".join(f'<li><a href="/{number}">Section {number}</a></li>' for number in range(12))
PAGE = (
    "<!doctype html><html><head><title>Tides</title></head><body>"
    f'<nav><ul class="menu">{MENU}</ul></nav><main><article><h1>Tides</h1>{{}}</article></main>'
    f'<footer><ul>{MENU}</ul><p>Copyright 2024 Harbour Ltd. All rights reserved.</p></footer></body></html>'
)  # fmt: skip


def article(inside: str) -> str:
    return main_text(PAGE.format("".join(PARAGRAPHS[:3]) + inside + "".join(PARAGRAPHS[3:])))


def test_the_text_stays_and_what_is_around_it_goes() -> None:
    text = article("")
    assert all(f"Paragraph {number}" in text for number in range(6))
    assert "Section" not in text
    assert "Copyright" not in text


@pytest.mark.parametrize(
    ("inside", "kept"),
    [
        ("<ul><li>a first point<li>a second point<li>third</ul>", "- a first point\n- a second point\n- third"),
        ("<ol><li>boil water<li>add tea</ol>", "1. boil water\n2. add tea"),
        ("<pre>def f(x):\n    return x + 1\n</pre>", "def f(x):\n    return x + 1"),
        ("<pre><code>a = 1\nb = 2</code></pre>", "a = 1\nb = 2"),
        (
            "<table><tr><th>Port<th>High<th>Low</tr><tr><td>Dover<td>6.7<td>0.8</tr><tr><td>Hull<td>7.1<td>1.0</table>",
            "Port | High | Low\nDover | 6.7 | 0.8\nHull | 7.1 | 1.0",
        ),
        ("<dl><dt>Ebb<dd>the tide that goes out<dt>Flood<dd>the tide that comes in</dl>", "the tide that comes in"),
        ("<blockquote><p>Time and tide wait for no man.</p></blockquote>", "Time and tide wait for no man."),
    ],
)  # fmt: skip
def test_lists_code_and_tables_inside_the_text_stay(inside: str, kept: str) -> None:
    assert kept in article(inside)
    # Wherever they stand: directly in the body, or deep in other elements.
    assert kept in main_text(f"<body>{''.join(PARAGRAPHS[:3])}{inside}{''.join(PARAGRAPHS[3:])}</body>")
    assert kept in article("<div>" * 5 + inside + "</div>" * 5)


def test_hidden_text_goes_unless_it_is_the_page() -> None:
    assert "secret" not in article("<div style='display:none'><p>A secret that nobody reads on this page.</p></div>")
    hidden = f"<body><div style='visibility: hidden'>{''.join(PARAGRAPHS)}</div></body>"
    assert "Paragraph 3" in main_text(hidden)


def test_markdown_has_headings() -> None:
    text = main_text(PAGE.format(PARAGRAPHS[0] + "<h2>High water</h2>" + "".join(PARAGRAPHS[1:])), form="markdown")
    assert "\n\n## High water\n\n" in text


@given(
    st.lists(st.sampled_from([*PARAGRAPHS, MENU, "<div>", "</div>", "<ul>", "</ul>", "<table><tr><td>", "x", "<nav>"]))
)
@settings(deadline=None)
def test_any_page_gives_some_of_its_blocks_in_order(pieces: list[str]) -> None:
    page = parse("".join(pieces).encode())
    kept = kept_blocks(page)
    assert (np.diff(kept) > 0).all()
    assert len(page.blocks) == 0 or len(kept) > 0
    rows = features(page, model().hints, model().words)
    assert rows.shape == (len(page.blocks), FEATURES)
    assert np.isfinite(rows).all()


def test_a_model_is_written_and_read(tmp_path: Path) -> None:
    page = parse(PAGE.format("".join(PARAGRAPHS)).encode())
    model().write(str(tmp_path / "model.npz"))
    again = Model.read(tmp_path / "model.npz")
    assert kept_blocks(page, again).tolist() == kept_blocks(page).tolist()


def test_trafilatura_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(UserError, match=r"pip install '\.\[trafilatura\]'"):
        main_text("<p>x", extractor="trafilatura")


def test_trafilatura_finds_it_too() -> None:
    pytest.importorskip("trafilatura", exc_type=ImportError)
    html = PAGE.format("".join(PARAGRAPHS[:3]) + "<h2>High water</h2>" + "".join(PARAGRAPHS[3:]))
    assert "Paragraph 5" in main_text(html, extractor="trafilatura")
    assert "## High water" in main_text(html, extractor="trafilatura", form="markdown")


def test_an_error_of_trafilaturas_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def extract(*arguments: object, **options: object) -> str:
            raise RecursionError("too deep")

    monkeypatch.setattr(extractors, "trafilatura", lambda: Broken)
    with pytest.raises(extractors.BadHtml, match="RecursionError: too deep"):
        main_text("<p>x", extractor="trafilatura")
