"""RefinedWeb's line rules against a plain Python reading of DCLM's modifiers (baselines/mappers/modifiers.py)."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.refinedweb_lines import RefinedwebLines
from tests.corpus.real_pages import judged_pages, wet_pages

COUNTER = re.compile(
    r"^\W*\d(?:,|\.|\d)*(?:k|m|b)?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes"
    r"|downloads|views|followers)\W*$",
    re.ASCII | re.IGNORECASE,
)
CUTS = (
    re.compile(r"\s?items in cart", re.ASCII | re.IGNORECASE),
    re.compile(r"\s?read more\.\.\.$", re.ASCII | re.IGNORECASE),
    re.compile(r"^sign-in\s?", re.ASCII | re.IGNORECASE),
)

Result = tuple[str | None, str, list[int]]


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def rows(*texts: str) -> list[Result]:
    cleaned = RefinedwebLines().clean(batch(*texts))
    assert cleaned.kept_lines is not None
    columns = (cleaned.reason.to_pylist(), cleaned.text.to_pylist(), cleaned.kept_lines.to_pylist())
    return list(zip(*columns, strict=True))


def reference(text: str) -> Result:
    kept = []
    for number, line in enumerate(text.split("\n")):
        words = len(line.split())
        if line:
            if sum(map(str.isupper, line)) > 0.5 * len(line) or all(map(str.isdecimal, line)) or words < 2:
                continue
            if words <= 10:
                if COUNTER.search(line):
                    continue
                before = line
                for cut in CUTS:
                    line = cut.sub("", line)
                if line != before and not line.strip():
                    continue
        kept.append((number, line))
    new = "\n".join(line for _, line in kept)
    before = len(text.split())
    removed = (before - len(new.split())) / max(before, 1)
    reason = "lines_removed" if removed > 0.05 else None if new.strip() else "empty"
    return reason, new, [number for number, _ in kept]


LONG = "This line of prose has very many words that all stay where they are, until its end. " * 4
PIECES = st.sampled_from([
    *("\n", "\n", " ", LONG, "3 likes", "1,234 VIEWS!", "1.2K shares", "12 34", "77", "TITLE IN CAPITALS", "word", "É"),
    *("٣٣", "Sign-in ", "sign-in", "2 items in cart", "Read more...", "read more…", "a b", "\ufffd", "\0", "\u3000"),
])  # fmt: skip


@given(st.lists(st.lists(PIECES, max_size=10).map("".join), max_size=4))
def test_as_the_reference(texts: list[str]) -> None:
    assert rows(*texts) == [reference(text) for text in texts]


@given(st.text())
def test_any_text(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert rows(text) == [reference(text)]


def test_real_pages(shared_data: Path) -> None:
    texts = [*judged_pages(shared_data), *(page.text for page in wet_pages(shared_data))]
    found = rows(*texts)
    assert found == [reference(text) for text in texts]
    assert {None, "lines_removed"} == {reason for reason, _, _ in found}


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ("MOSTLY CAPITALS here", None),
        ("Some CAPITALS in a line", "Some CAPITALS in a line"),
        ("1234567", None),
        ("12 345", "12 345"),
        ("3 likes", None),
        ("» 1.2k views", None),
        ("3 likes of mine", "3 likes of mine"),
        ("Home", None),
        ("", ""),
        ("Cart: 2 items in cart", "Cart: 2"),
        ("A story goes on. Read more...", "A story goes on."),
        ("Read more... about it", "Read more... about it"),
        ("Sign-in to see it", "to see it"),
        ("Sign-in", None),
        ("one two three four five six seven eight nine ten Read more...", ...),
    ],
)
def test_lines(line: str, new: object) -> None:
    text = f"{LONG}\n{line}\n{LONG}"
    expected = [LONG, LONG] if new is None else [LONG, line if new is ... else new, LONG]
    [(reason, found, _)] = rows(text)
    assert (reason, found.split("\n")) == (None, expected)


def test_what_is_removed_is_counted() -> None:
    cleaned = RefinedwebLines().clean(batch("a b c\nMENU\nABOUT US", "", "a b c"))
    assert cleaned.counts is not None
    assert cleaned.counts.to_pydict() == {"removed_words": [0.5, 0.0, 0.0]}
    assert cleaned.reason.to_pylist() == ["lines_removed", "empty", None]
    assert RefinedwebLines().clean(batch()).text.to_pylist() == []
