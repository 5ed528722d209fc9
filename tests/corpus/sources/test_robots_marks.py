"""What pages say to robots."""

import pytest

from corpus.sources.robots_marks import robots_marks


@pytest.mark.parametrize(
    ("tags", "html", "marks"),
    [
        ((), "<p>robots are nice</p>", []),
        ((), '<meta name="robots" content="index, follow">', []),
        ((), '<meta name="robots" content="noai, noimageai">', ["noai", "noimageai"]),
        ((), "<META CONTENT='NoIndex,NoFollow' NAME=ROBOTS>", ["nofollow", "noindex"]),
        ((), "<meta name=CCBot content=nofollow><meta name=googlebot content=noindex>", ["nofollow"]),
        ((), '<meta name="description" content="robots, noindex">', []),
        ((), '<meta property=og:title content="robots: noindex">', []),
        ((), '<meta name="robots" content="none">', ["none"]),
        (("noai", "noindex, nofollow"), "", ["noai", "nofollow", "noindex"]),
        (("ccbot: noindex",), "", ["noindex"]),
        (("googlebot: noindex", "otherbot: noai, noindex"), "", []),
        (("max-snippet:5, noindex", "unavailable_after: 25 Jun 2010 15:00:00 PST"), "", ["noindex"]),
        (("noindex",), "<meta name=robots content=noindex>", ["noindex"]),
    ],
)
def test_marks(tags: tuple[str, ...], html: str, marks: list[str]) -> None:
    assert robots_marks(tags, html) == marks


def test_time_is_linear_in_a_page_of_open_elements() -> None:
    assert robots_marks((), "<meta name=robots " * 20_000) == []
