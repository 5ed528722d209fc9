"""What a person is warned of."""

from typing import Any

import pytest

from corpus.dataset import StepFolder
from corpus.dedup.near import Near
from corpus.dedup.substring import Substring
from corpus.filters.length import Length
from corpus.filters.stats import Stats
from corpus.report.step import ShownStep
from corpus.report.warn import warnings_of
from corpus.steps.rule import NamedRule

LENGTH, NEAR, STATS = (
    NamedRule("length", Length()).identity(),
    NamedRule("near", Near()).identity(),
    NamedRule("stats", Stats()).identity(),
)
CUTS, DROPS, REPORTS = (
    NamedRule("substring", Substring(action=action)).identity() for action in ("cut", "drop", "report")
)


def step(name: str, documents: tuple[int, int], **manifest: Any) -> ShownStep:
    counts = {"in": documents[0], "out": documents[1]}
    text = manifest.pop("text", documents[1])
    body = {
        "step": name, "digest": name, "documents": counts, "text_bytes": {"in": text, "out": text}, "dedup": None,
        "rules": [], "seen": {}, "dropped": {}, **manifest,
    }  # fmt: skip
    return ShownStep(name, StepFolder(f"/{name}"), body, [], [])


EXTRACT = step("extract", (1000, 1000))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([EXTRACT], []),
        ([EXTRACT, step("length", (1000, 900), rules=[LENGTH], seen={"length": 1000},
                        dropped={"length": {"too_short": 100}})], []),
        ([EXTRACT, step("length", (1000, 1000), rules=[LENGTH], seen={"length": 1000})],
         ["web: length never fired: it dropped none of 1,000 documents"]),
        ([EXTRACT, step("stats", (1000, 1000), rules=[STATS], seen={"stats": 1000})], []),
        ([EXTRACT, step("substring", (1000, 1000), dedup=CUTS, seen={"substring": 1000})], []),
        ([EXTRACT, step("substring", (1000, 1000), dedup=REPORTS, seen={"substring": 1000})], []),
        ([EXTRACT, step("substring", (1000, 1000), dedup=DROPS, seen={"substring": 1000})],
         ["web: substring never fired: it dropped none of 1,000 documents"]),
        ([EXTRACT, step("length", (1000, 1000), rules=[LENGTH], seen={"length": 0})],
         ["web: length saw no document"]),
        ([EXTRACT, step("length", (1000, 40), rules=[LENGTH], seen={"length": 1000},
                        dropped={"length": {"too_short": 960}})],
         ["web nearly vanished: 40 of 1,000 extracted documents are left (4.0%)",
          "web nearly vanished: 40 of 1,000 extracted bytes of text are left (4.0%)",
          "web: length dropped 960 of 1,000 documents for too_short (96.0%)"]),
    ],
)  # fmt: skip
def test_of_one_source(steps: list[ShownStep], expected: list[str]) -> None:
    assert list(warnings_of({"web": steps})) == expected


def test_a_dedup_over_several_sources_is_told_of_all_of_them() -> None:
    def near(dropped: int) -> ShownStep:
        found = {"near": {"near_duplicate": dropped}} if dropped else {}
        return step("near", (1000, 1000 - dropped), dedup=NEAR, seen={"near": 1000}, dropped=found)

    assert list(warnings_of({"web": [EXTRACT, near(5)], "books": [EXTRACT, near(0)]})) == []
    both = {"web": [EXTRACT, near(0)], "books": [EXTRACT, near(0)]}
    assert list(warnings_of(both)) == ["web, books: near never fired: it dropped none of 2,000 documents"]
