import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters.madlad_quality import CURSED, MadladQuality
from tests.corpus.real_pages import judged_pages, wet_pages
from tests.corpus.text.test_sentences import reference as sentences_of


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def reference(text: str) -> dict[str, float]:
    sentences = sentences_of(text)
    flags = []
    for sentence in sentences:
        words = sentence.split()
        flags.append(
            (
                len(words) >= 12 and sum(word[0].isupper() for word in words) > len(words) / 2,
                not 20 <= len(sentence) <= 500,
                sum(c in "0123456789{}+/()>" for c in sentence) > 0.2 * len(sentence),
                any(re.search(expression.replace("$", r"\Z"), sentence, re.ASCII) for expression in CURSED),
            )
        )
    number = max(len(sentences), 1)
    names = ("list_case", "abnormal_length", "technical", "cursed")
    kinds = {name: sum(flag[place] for flag in flags) / number for place, name in enumerate(names)}
    return {"sentences": len(sentences), "questionable": sum(map(any, flags)) / number, **kinds}


def check(*texts: str) -> None:
    found = MadladQuality().score(batch(*texts))
    for row, text in enumerate(texts):
        scores = {name: found.column(name)[row].as_py() for name in found.schema.names}
        assert scores == pytest.approx(reference(text), abs=5.1e-5), text


PIECES = st.sampled_from([
    *("A sentence of ordinary length. ", "Short. ", "123 (45) {67} 89 of 10. ", "Download the mp3. ", "\n", "|"),
    *("Every Word Begins With A Capital In This List Of Many Words. ", "a b c d e f g h i j k. ", "x " * 300),
    "\ufffd" * 3,
])  # fmt: skip


@given(st.lists(st.lists(PIECES, max_size=10).map("".join), max_size=3))
def test_as_the_reference(texts: list[str]) -> None:
    check(*texts)


@given(st.text())
def test_any_text(text: str) -> None:
    check(text.encode("utf-8", "replace").decode())


def test_real_pages(shared_data: Path) -> None:
    texts = [*judged_pages(shared_data), *(page.text for page in wet_pages(shared_data))]
    check(*texts)
    rule = MadladQuality()
    assert {None, "questionable"} <= set(rule.decide(rule.score(batch(*texts))).to_pylist())


PROSE = "This is a plain sentence number {} of the page. "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("".join(PROSE.format(n) for n in "abcde"), None),
        ("".join(PROSE.format(n) for n in "abcd"), "too_few_sentences"),
        ("".join(PROSE.format(n) for n in "abcd") + "Short.", None),
        ("".join(PROSE.format(n) for n in "abcd") + "Short. Too short.", "questionable"),
        ("".join(PROSE.format(n) for n in "abcde") + "\nHome\nNews", "questionable"),
        ("", "too_few_sentences"),
        ("吾輩は猫である。" * 100, "too_few_sentences"),
        ("x" * 1_000_000, "too_few_sentences"),
    ],
)
def test_reasons(text: str, reason: str | None) -> None:
    rule = MadladQuality()
    assert rule.decide(rule.score(batch(text))).to_pylist() == [reason]


def test_fewer_kinds() -> None:
    """Dolma 3 asks for two of them (allenai/datamap-rs, configs/all_dressed/all_dressed_config.yaml)."""
    text = "".join(PROSE.format(n) for n in "abcde") + "Short. Too short. Shorter."
    rule = MadladQuality(kinds=("list_case", "cursed"))
    scores = rule.score(batch(text)).to_pydict()
    assert (scores["questionable"], scores["abnormal_length"]) == ([0.0], [0.375])
