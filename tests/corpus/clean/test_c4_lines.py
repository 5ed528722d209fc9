"""C4's rules against a plain Python reading of `clean_page` (tensorflow_datasets/text/c4_utils.py)."""

import gzip
import json
import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.c4_lines import C4Lines
from corpus.errors import UserError
from corpus.rules import Cleaned
from corpus.text.sentences import count_sentences
from corpus.text.unicode import classes

CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
SENTENCE_END = re.compile(r"""[.?!]+["')\]}’”]*(?:\s|\Z)""")
GOOD = "This is a line of six words."

Result = tuple[str | None, str, list[int]]


def sentences(line: str) -> int:
    ends = [match.end() for match in SENTENCE_END.finditer(line)]
    return len(ends) + bool(line[ends[-1] if ends else 0 :].strip())


def reference(text: str, rule: C4Lines) -> Result:
    """(reason, text, kept lines); "" and no lines for a dropped page."""
    if len(text) > rule.max_chars:
        return "too_long", "", []
    lines, numbers, total, number = [], [], 0, -1
    for raw in text.splitlines(keepends=True):
        number += 1
        here, number = number, number if raw.endswith("\n") else number - 1
        line = raw.strip()
        if not line:
            continue
        if any(len(word) > rule.max_word_length for word in line.split()):
            continue
        line = CITATION.sub("", line)
        if rule.end_mark and (not line.endswith((".", "?", "!", '"')) or line.endswith("...")):
            continue
        if len(line.split()) < rule.min_words:
            continue
        lower = line.lower()
        if "lorem ipsum" in lower:
            return "lorem_ipsum", "", []
        if "javascript" in lower:
            continue
        if "{" in line:
            return "curly_brace", "", []
        if any(phrase in lower for phrase in POLICY):
            continue
        total += sentences(line)
        lines.append(line)
        numbers.append(here)
    if total < rule.min_sentences:
        return "too_few_sentences", "", []
    return None, "\n".join(lines).strip(), numbers


def batch(*texts: str, languages: Sequence[str | None] | None = None) -> pa.RecordBatch:
    columns = {"text": pa.array(texts, pa.large_string())}
    columns["language"] = pa.array(languages or [None] * len(texts), pa.string())
    return pa.RecordBatch.from_pydict(columns)


def rows(cleaned: Cleaned) -> list[Result]:
    """What a dropped row holds is not part of the contract, so it is left out."""
    assert cleaned.kept_lines is not None
    columns = (cleaned.reason.to_pylist(), cleaned.text.to_pylist(), cleaned.kept_lines.to_pylist())
    return [(r, "" if r else t, [] if r else k) for r, t, k in zip(*columns, strict=True)]


def check(texts: list[str], rule: C4Lines | None = None) -> None:
    rule = rule or C4Lines()
    assert rows(rule.clean(batch(*texts))) == [reference(text, rule) for text in texts]


@given(st.lists(st.text(), max_size=5))
def test_any_text(texts: list[str]) -> None:
    check(texts)
    check(texts, C4Lines(min_words=0, min_sentences=0, max_word_length=3, max_chars=10))
    check(texts, C4Lines(min_words=0, min_sentences=0, end_mark=False))


PIECES = [
    *("word ", "a b c d e ", "é ", ". ", ".", "?", "!", '"', "”", ")", "...", "…"),
    *("\n", "\n", "\r\n", "\r", "\x85", "\u2028", "\u2029", "\x1c", "\v", "\xa0", "\u3000", " "),
    *("[1]", "[]", "[٣]", "[edit]", "[citation needed]", "[", "]", "[[1]]", "[1"),
    *("lorem ipsum", "Lorem Ipsum", "javascript", "JavaScript", "{", "}"),
    *POLICY,
    *(phrase.replace("k", "\u212a").upper() for phrase in POLICY),
    *("cook", "ies", "policy", "use ", "İ", "K", "xxxxxxxxxxxx"),
]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), max_size=4))
def test_text_made_of_what_the_rules_look_at(texts: list[str]) -> None:
    rule = C4Lines(min_words=2, min_sentences=1, max_word_length=12)
    check(texts, rule)
    check([text + "." for text in texts], rule)
    check(texts, C4Lines(min_words=2, min_sentences=1, max_word_length=12, end_mark=False))
    check([f"{GOOD} {GOOD}\n{text} {GOOD}\n{GOOD}" for text in texts])


def test_real_documents(shared_data: Path) -> None:
    c4 = shared_data / "c4"
    released = [
        json.loads(line)["text"]
        for path in (c4 / "LLaMA-Factory" / "c4_demo.jsonl", c4 / "c4_native_first3rows.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    check(released)
    cleaned = C4Lines().clean(batch(*released))
    assert cleaned.text.to_pylist() == released  # C4's rules leave C4 as it is
    others = [
        json.loads(line)["text"]
        for path in [c4 / "dolma" / "cc_en_head-0091.jsonl", *(shared_data / "labelled").glob("quality-dclm/*.jsonl")]
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    with gzip.open(c4 / "dolma" / "000.json.gz", "rt", encoding="utf-8") as file:
        others += [json.loads(line)["text"] for line in file]
    others += [
        path.read_text(encoding="utf-8", errors="replace") for path in (shared_data / "unicode").glob("**/*.txt")
    ]
    check(others)
    check(others, C4Lines(min_words=3, min_sentences=5))
    reasons = C4Lines().clean(batch(*others)).reason.to_pylist()
    assert {None, "too_few_sentences", "too_long"} <= set(reasons)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("This is a line of six words.", True),
        ("\u3000 This line is stripped of space! \t", True),
        ("no end mark on this one here", False),
        ("an ellipsis ends this one here...", False),
        ("this one has a real ellipsis…", False),
        ("just four words here.", False),
        ("Is this a fine question?", True),
        ('He said "this ends in quotes"', True),
        ("He said this ends in “quotes”", False),
        ("this one says javascript is needed.", False),
        ("JAVASCRIPT is needed for this one.", False),
        ("please read our terms of use.", False),
        ("this site uses coo\u212aies all day.", False),  # the Kelvin sign is a capital k
        ("{ a brace without an end mark", False),
        ("a " + "w" * 1000 + " is a long word.", True),
        ("a " + "w" * 1001 + " is too long.", False),
        ("a " + "é" * 1000 + " is a long word.", True),
    ],
)
def test_line_rules(line: str, kept: bool) -> None:
    text = f"{GOOD}\n{line}\n{GOOD}\n{GOOD}"
    [(reason, clean, numbers)] = rows(C4Lines().clean(batch(text)))
    assert reason is None
    assert clean.split("\n") == [GOOD, *([line.strip()] if kept else []), GOOD, GOOD]
    assert numbers == ([0, 1, 2, 3] if kept else [0, 2, 3])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("One [1] two[22] three four five six[edit].", "One  two three four five six."),
        ("Six words and a note here.[citation needed]", "Six words and a note here."),
        ("Full width digits are digits too [１２].", "Full width digits are digits too ."),
        ("Nested ones [[1]] are not looked at again.", "Nested ones [] are not looked at again."),
        ("These [1a] and [ 1 ] and [Edit] stay.", "These [1a] and [ 1 ] and [Edit] stay."),
        ("[1] White space behind a citation stays.", " White space behind a citation stays."),
    ],
)
def test_citations(line: str, expected: str) -> None:
    text = f"{GOOD}\n{line}\n{GOOD}\n{GOOD}"
    assert rows(C4Lines().clean(batch(text)))[0][1] == f"{GOOD}\n{expected}\n{GOOD}\n{GOOD}"


def test_the_page_is_stripped_in_the_end() -> None:
    text = f"[1] {GOOD}\n{GOOD}\n{GOOD} [2]\n{GOOD}"
    assert rows(C4Lines().clean(batch(text))) == [(None, f"{GOOD}\n{GOOD}\n{GOOD}", [0, 1, 3])]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Lorem Ipsum is not a text.", "lorem_ipsum"),
        ("lorem ipsum", None),  # dropped for want of an end mark before anybody looks
        ("if (x) { return 1; } is code.", "curly_brace"),
        ("short { line.", None),
        ("javascript { is dropped before the brace.", None),
        ("privacy policy { comes behind the brace.", "curly_brace"),
        ("lorem ipsum comes first in javascript {.", "lorem_ipsum"),
    ],
)
def test_page_rules(line: str, reason: str | None) -> None:
    text = f"{GOOD}\n{GOOD}\n{line}\n{GOOD}"
    assert C4Lines().clean(batch(text)).reason.to_pylist() == [reason]


def test_length_of_a_page() -> None:
    line = GOOD + "\n"
    page = line * (190_000 // len(line))
    page += "x" * (190_000 - len(page))
    assert C4Lines().clean(batch(page, page + "x", page[:-1] + "é", "")).reason.to_pylist() == [
        None,
        "too_long",
        None,
        "too_few_sentences",
    ]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("One. Two! Three?", 3),
        ("One sentence", 1),
        ('He said "go." Then he left.', 2),
        ("Wait?! What (really?) yes.", 3),
        ("Version 1.2.3 is out.", 1),
        ("Mr. Smith went to the U.S. again.", 3),  # Punkt, which knows abbreviations: 1
        ("Well... yes.", 2),
        ("", 0),
    ],
)
def test_count_sentences(line: str, count: int) -> None:
    data = np.frombuffer(line.encode(), np.uint8)
    assert count_sentences(data, 0, len(data), classes()) == count == sentences(line)


def test_bad_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("darn\nbloody hell\n2g1c\nCapital\nc++\n\n", encoding="utf-8")
    rule = C4Lines(min_words=1, min_sentences=1, badwords=str(path))
    found = {
        "Darn it.": True,
        "He said darn.": True,
        "darning socks.": False,
        "Bloody  hell.": False,
        "oh bloody hell!": True,
        "darn_it.": False,
        "darné.": False,  # é is \w
        "le darné darn.": True,
        "see 2g1c here.": True,
        "Capital letters.": False,  # only the text is lower-cased
        "I like c++.": True,
        "javascript darn.": False,  # the line is gone
    }
    text = list(found)
    reasons = rule.clean(batch(*text)).reason.to_pylist()
    reasons[-1] = None if reasons[-1] == "too_few_sentences" else reasons[-1]
    assert reasons == ["bad_word" if bad else None for bad in found.values()]


def test_bad_words_where_no_spaces_are_written(tmp_path: Path) -> None:
    """`get_badwords_filter_fn` of c4_utils.py asks for no ends of words in Japanese, Thai and Chinese."""
    path = tmp_path / "words.txt"
    path.write_text("わるいことば\nbadword\n女の子\n性\n", encoding="utf-8")
    rule = C4Lines(min_words=0, min_sentences=0, badwords=str(path))
    cases = [
        ("港長はわるいことばを言った.", "ja", True),
        ("港長はわるいことばを言った.", "ja-JP", True),
        ("港長はわるいことばを言った.", "zh", True),
        ("港長はわるいことばを言った.", "th", True),
        ("港長はわるいことばを言った.", "en", False),
        ("港長はわるいことばを言った.", None, False),
        ("これ わるいことば です.", "en", True),
        ("This badwords is here.", "ja", True),
        ("This badwords is here.", "en", False),
        ("女の子 です.", "ja", False),
        ("女の子 です.", "zh", True),
        ("性 です.", "zh-Hant", False),
        ("性 です.", "ja", True),
    ]
    found = rule.clean(batch(*[text for text, _, _ in cases], languages=[language for _, language, _ in cases]))
    assert found.reason.to_pylist() == ["bad_word" if bad else None for _, _, bad in cases]
    path.write_text("女の子", encoding="utf-8")
    assert rule.clean(batch("女の子.", "女の子.", languages=["ja", "en"])).reason.to_pylist() == [None, "bad_word"]


def test_bad_words_of_the_list_c4_used(shared_data: Path) -> None:
    path = next((shared_data / "models-wordlists").glob("*/ldnoobw/en"))
    words = path.read_text(encoding="utf-8").split("\n")
    expression = re.compile(r"(?:\W|^)({})(?:\W|$)".format("|".join(re.escape(word) for word in words if word)))
    texts = [
        json.loads(line)["text"]
        for line in (shared_data / "c4" / "LLaMA-Factory" / "c4_demo.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    reasons = C4Lines(badwords=str(path)).clean(batch(*texts)).reason.to_pylist()
    assert reasons == ["bad_word" if expression.search(text.lower()) else None for text in texts]
    assert 0 < reasons.count("bad_word") < 10


def test_a_bad_word_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the list"):
        C4Lines(badwords=str(tmp_path / "none")).clean(batch(GOOD))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        C4Lines(badwords=str(tmp_path / "binary")).clean(batch(GOOD))
    (tmp_path / "empty").write_text("\n \n")
    with pytest.raises(UserError, match="holds no word"):
        C4Lines(badwords=str(tmp_path / "empty")).clean(batch(GOOD))


def test_slices_many_lines_and_no_documents() -> None:
    rule = C4Lines()
    page = "\n".join([GOOD, "x"] * 5000)
    cleaned = rule.clean(batch("x", page, "y").slice(1, 1))
    assert rows(cleaned) == [(None, "\n".join([GOOD] * 5000), list(range(0, 10_000, 2)))]
    assert rows(rule.clean(batch())) == []
    assert cleaned.kept_lines is not None
    assert cleaned.kept_lines.type == pa.list_(pa.uint32())
    assert pickle.loads(pickle.dumps(rule)) == rule
