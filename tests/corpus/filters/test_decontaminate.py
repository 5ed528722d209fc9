"""Items of tests in documents, against sets of tuples of words."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import UserError
from corpus.filters.decontaminate import Decontaminate
from tests.corpus.real_pages import judged_pages, wet_pages


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def write(path: Path, *items: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")
    return str(path)


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def reference(rule: Decontaminate, items: list[tuple[str, str]], text: str) -> tuple[float, str | None, str | None]:
    """(share, item, the words of the span)"""
    best: tuple[float, str | None, str | None] = (0.0, None, None)
    words = words_of(text)
    for name, string in items:
        of_item = words_of(string)
        n = min(len(of_item), rule.ngram)
        if len(of_item) < rule.min_words:
            continue
        wanted = set(grams(of_item, n))
        places = [place for place, gram in enumerate(grams(words, n)) if gram in wanted]
        share = round(len({grams(words, n)[place] for place in places}) / len(wanted), 4)
        if share > best[0]:
            best = (share, name, " ".join(words[places[0] : places[-1] + n]))
    return best


def found(rule: Decontaminate, *texts: str) -> list[tuple[float, str | None, str | None]]:
    rows = rule.score(batch(*texts)).to_pylist()
    spans = [
        None if row["item"] is None else " ".join(words_of(text[row["span_start"] : row["span_end"]]))
        for row, text in zip(rows, texts, strict=True)
    ]
    return [(row["share"], row["item"], span) for row, span in zip(rows, spans, strict=True)]


WORDS = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)


@given(st.lists(WORDS.filter(lambda text: len(text) > 2), min_size=1, max_size=4), st.lists(WORDS, max_size=4))
def test_as_the_reference(tmp_path_factory: pytest.TempPathFactory, strings: list[str], texts: list[str]) -> None:
    path = write(tmp_path_factory.mktemp("items") / "bench.jsonl", *({"text": string} for string in strings))
    rule = Decontaminate(items=(path,), ngram=3, min_words=2)
    items = [(f"bench/{number}", string) for number, string in enumerate(strings, start=1)]
    assert found(rule, *texts) == [reference(rule, items, text) for text in texts]


QUESTION = "Which of these four gases takes up most of the air that we breathe every day on the ground?"


def test_what_an_item_is(tmp_path: Path) -> None:
    first = write(
        tmp_path / "arc.jsonl",
        {
            "id": "q7",
            "question": QUESTION,
            "choices": {"text": ["Oxygen", "A mixture of eight gases that nobody ever named"]},
        },
        {"question": "too short to be looked for"},
    )
    second = write(
        tmp_path / "other.jsonl", {"note": "not this one but all the same a long enough string of words", "q": 3}
    )
    rule = Decontaminate(items=(first, second))
    texts = [
        f"Quiz: {QUESTION.upper().replace(' ', '  - ')} Nitrogen.",
        "They found a mixture of eight gases -- that nobody ever named, and went home.",
        "a mixture of eight gases that nobody ever had named",
        "too short to be looked for",
        "Here: not this one but all the same a long enough string of words.",
        "",
        "吾輩は猫である" * 50,
    ]
    assert [(share, item) for share, item, _ in found(rule, *texts)] == [
        (1.0, "arc/q7"), (1.0, "arc/q7"), (0.0, None), (0.0, None), (1.0, "other/1"), (0.0, None), (0.0, None),
    ]  # fmt: skip
    row = rule.score(batch(texts[1])).to_pylist()[0]
    assert texts[1][row["span_start"] : row["span_end"]] == "a mixture of eight gases -- that nobody ever named"
    only = Decontaminate(items=(first, second), fields=("question",))
    assert [item for _, item, _ in found(only, *texts[:2], texts[4])] == ["arc/q7", None, None]
    reasons = rule.decide(rule.score(batch(*texts))).to_pylist()
    assert reasons == [None if item is None else "contaminated" for _, item, _ in found(rule, *texts)]


def edited(rng: random.Random, words: list[str], edits: int) -> str:
    """The words in other capitals and with other signs between them, some of them replaced."""
    words = [word.upper() if rng.random() < 0.2 else word for word in words]
    for place in rng.sample(range(len(words)), edits):
        words[place] = "edited"
    return "".join(word + rng.choice([" ", " ", ", ", "\n", " - "]) for word in words)


def test_planted_items_are_found_and_nothing_else(tmp_path: Path, shared_data: Path) -> None:
    """Passages of 40 words of one half of real pages, planted in the other. With up to two words replaced, one run of
    13 words is left of 40 at the least. Of the pages without any, none is dropped."""
    rng = random.Random(0)
    pages = [page for page in dict.fromkeys(judged_pages(shared_data)) if len(words_of(page)) > 200]
    half = len(pages) // 2
    passages = []
    for page in pages[:half]:
        start = rng.randrange(len(words_of(page)) - 40)
        passages.append(words_of(page)[start : start + 40])
    path = write(tmp_path / "planted.jsonl", *({"text": " ".join(passage)} for passage in passages))
    rule = Decontaminate(items=(path,))
    clean = [*pages[half:], *(page.text for page in wet_pages(shared_data))]
    planted = []
    for number, passage in enumerate(passages):
        text = clean[number % len(clean)]
        place = rng.randrange(len(text))
        planted.append(f"{text[:place]} {edited(rng, passage, number % 3)} {text[place:]}")
    assert [item for _, item, _ in found(rule, *planted)] == [f"planted/{n + 1}" for n in range(len(passages))]
    assert [item for _, item, _ in found(rule, *clean)] == [None] * len(clean)


def test_a_share_as_threshold(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"text": "one two three four five six seven eight nine ten"})
    rule = Decontaminate(items=(path,), ngram=3, max_share=0.5)
    texts = ["one two three four five six", "one two three four five six seven", "x"]
    assert [share for share, _, _ in found(rule, *texts)] == [0.5, 0.625, 0.0]
    assert rule.decide(rule.score(batch(*texts))).to_pylist() == [None, "contaminated", None]
    assert rule.threshold_fields() == {"max_share"}


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, text, message in [
        ("json", '{"text": "a"}\nnot json\n', r"json:2: not JSON .*: give an item a line"),
        ("list", '["a"]\n', "list:1: not an object"),
        ("short", '{"text": "a b c"}\n', "hold no string of 8 words"),
        ("empty", "\n", "hold no string of 8 words"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=message):
            Decontaminate(items=(str(tmp_path / name),)).score(batch("x"))
