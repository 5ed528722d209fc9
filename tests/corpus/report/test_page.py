"""Pages that stand alone, whatever they show."""

import re
from importlib import resources
from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.report import page
from corpus.report.page import write_page

TEMPLATES = sorted(
    path.name for path in resources.files("corpus.report").joinpath("templates").iterdir() if path.name != "base.html"
)
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=//evil.example/x onerror=alert(1)>\u202e\x1b[31m\0'\""
)


def test_every_value_is_escaped_and_shown(tmp_path: Path) -> None:
    path = str(tmp_path / "page.html")
    write_page(path, "comparison.html", first=HOSTILE, second="b", sources=[])
    text = Path(path).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert not set("\u202e\x1b\0") & set(text)
    assert text.count("&lt;/script&gt;&lt;script&gt;") == 3  # the title twice, and once in the text
    assert "⟨U+202E⟩⟨U+001B⟩[31m⟨U+0000⟩" in text


def test_a_page_that_says_the_same_is_left(tmp_path: Path) -> None:
    path = tmp_path / "page.html"

    def written(first: str) -> tuple[int, bytes]:
        write_page(str(path), "comparison.html", first=first, second="b", sources=[])
        return path.stat().st_ino, path.read_bytes()

    before = written("a")
    assert written("a") == before
    assert written("c")[0] != before[0]
    assert b"<strong>c</strong>" in written("c")[1]


def test_templates_mark_nothing_as_safe_but_plots() -> None:
    assert TEMPLATES == ["comparison.html", "parts.html", "run.html"]
    for name in TEMPLATES:
        text = resources.files("corpus.report").joinpath("templates", name).read_text("utf-8")
        assert not re.search(r"\|\s*safe|autoescape|<script|<link|<img|\bon\w+=|\bstyle=|src=|href=\"[^#]", text)
        assert re.findall(r"\{\{ ([^}]*?) \| plot \}\}", text) == {
            "comparison.html": [], "parts.html": ["one.plot"], "run.html": ["source.plot"],
        }[name]  # fmt: skip


def test_attributes_are_quoted() -> None:
    for name in [*TEMPLATES, "base.html"]:
        text = resources.files("corpus.report").joinpath("templates", name).read_text("utf-8")
        assert not re.search(r"=\s*\{\{", text)


def test_without_jinja_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    page._environment.cache_clear()
    with pytest.raises(UserError, match=r"jinja2 is not installed: pip install '\.\[pipelines\]'"):
        write_page(str(tmp_path / "page.html"), "comparison.html", first="a", second="b", sources=[])
    assert not (tmp_path / "page.html").exists()
    page._environment.cache_clear()
