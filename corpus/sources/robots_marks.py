"""What a page says of itself to robots: the X-Robots-Tag of its header, and its meta elements for robots."""

import re
from collections.abc import Iterable

ROBOTS = frozenset({"", "robots", "ccbot"})
"""Whom a mark is for: all, by no name or by the name of the meta element, or Common Crawl."""
_HEAD = 1 << 16  # characters in which a meta element is looked for
_META = re.compile(r"<meta\s[^<>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z][\w-]*)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_SPELLINGS = ("robots", "ROBOTS", "Robots", "ccbot", "CCBot")
_VALUED = ("max-", "unavailable_after")  # marks that have a value behind a colon, as a robot's name has marks


def robots_marks(tags: Iterable[str], html: str) -> list[str]:
    """The marks that forbid something ("noai", "noindex", "none", ...) in lower case, each once, sorted.

    Args:
        tags: values of X-Robots-Tag. What stands for robots that are not in `ROBOTS` is left out.
    """
    found: set[str] = set()
    for tag in tags:
        robot, colon, marks = tag.partition(":")
        if not colon or "," in robot or robot.strip().lower().startswith(_VALUED):
            robot, marks = "", tag
        if robot.strip().lower() in ROBOTS:
            found |= _marks(marks)
    end = html.find("</head", 0, _HEAD)
    end = _HEAD if end < 0 else end
    if any(html.find(spelling, 0, end) >= 0 for spelling in _SPELLINGS):
        for element in _META.finditer(html, 0, end):
            of = {name.lower(): one or other or bare for name, one, other, bare in _ATTRIBUTE.findall(element[0])}
            if of.get("name", "-").strip().lower() in ROBOTS:
                found |= _marks(of.get("content", ""))
    return sorted(found)


def _marks(text: str) -> set[str]:
    return {mark for part in re.split(r"[,;\s]+", text.lower()) if (mark := part.strip()).startswith("no")}
