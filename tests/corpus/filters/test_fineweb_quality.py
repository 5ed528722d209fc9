"""FineWeb's filter against a plain Python reading of datatrove's `FineWebQualityFilter`, with words by white space."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters.fineweb_quality import FinewebQuality
from corpus.schema import Document
from corpus.sources.c4 import C4
from corpus.sources.raw import list_files


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def reference(text: str) -> list[float]:
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return [0.0] * 4
    again = [line for n, line in enumerate(lines) if line in lines[:n]]
    scores = (
        sum(line.endswith((".", "'", '"', "!", "?")) for line in lines) / len(lines),
        sum(len(line) <= 30 for line in lines) / len(lines),
        sum(map(len, again)) / len(text.replace("\n", "")),
        text.count("\n") / len(text.split()),
    )
    return [round(score, 4) for score in scores]


def scored(text: str) -> list[float]:
    return [column[1].as_py() for column in FinewebQuality().score(batch("x\ny", text))]


LINES = st.sampled_from(
    ["", " ", "a", "a.", "a. ", "é!", "\u3000", "b" * 30, "b" * 31, "one two three", '"', "\r", "\x85"]
)


@given(st.lists(LINES, max_size=12).map("\n".join) | st.text("a .\n\u2028é", max_size=40))
def test_as_the_reference(text: str) -> None:
    assert scored(text) == pytest.approx(reference(text), abs=1e-9)


def test_real_pages(shared_data: Path) -> None:
    root = str(shared_data / "c4")
    found = (record for split in C4().splits(list_files(root)) for record in C4().read(root, split))
    texts = [record.text for record in found if isinstance(record, Document)][:2000]
    assert len(texts) > 300
    scores = FinewebQuality().score(batch(*texts))
    for row, text in enumerate(texts):
        assert [column[row].as_py() for column in scores] == pytest.approx(reference(text), abs=1e-9)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A line of prose, with its end.\nAnd another of more than thirty characters.", None),
        ("", "punctuated_lines"),
        ("\n".join(["No end of a sentence stands here at all"] * 8 + ["One does."]), "punctuated_lines"),
        (
            "\n".join(f"Short {n}." for n in range(3)) + "\nThis line alone is of more than thirty characters.",
            "short_lines",
        ),
        ("The same long sentence comes here twice.\n" * 2, "duplicate_chars"),
        ("Onlyonewordofoverthirtycharacters.\n\n" + "And some more words that stand below.", "feeds_per_word"),
    ],
)
def test_reasons(text: str, reason: str | None) -> None:
    rule = FinewebQuality(max_feeds_per_word=0.2) if reason == "feeds_per_word" else FinewebQuality()
    assert rule.decide(rule.score(batch(text))).to_pylist() == [reason]
