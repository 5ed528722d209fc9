import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.regex_lines import RegexLines
from corpus.errors import UserError
from corpus.recipe.load import load, parse_rules

Result = tuple[str | None, str, list[int]]


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def rows(rule: RegexLines, *texts: str) -> list[Result]:
    cleaned = rule.clean(batch(*texts))
    assert cleaned.kept_lines is not None
    columns = (cleaned.reason.to_pylist(), cleaned.text.to_pylist(), cleaned.kept_lines.to_pylist())
    return list(zip(*columns, strict=True))


def reference(rule: RegexLines, text: str) -> Result:
    kept = []
    for number, line in enumerate(text.split("\n")):
        line, end = (line[:-1], "\r") if line.endswith("\r") else (line, "")
        new = line
        if rule.max_words is None or len(line.split()) <= rule.max_words:
            if any(re.search(expression, line, re.ASCII) for expression in rule.drop):
                continue
            for expression in rule.cut:
                new = re.sub(expression, "", new, flags=re.ASCII)
            if new != line and not new.strip():
                continue
        kept.append((number, new + end))
    text = "\n".join(line for _, line in kept)
    return None if text.strip() else "empty", text, [number for number, _ in kept]


PIECES = st.sampled_from(["share", "Share", " ", "x", "3 likes", "\n", "\n", "\r", "\r\n", "é", "—", "1", "a b c d"])


@given(st.lists(st.lists(PIECES, max_size=10).map("".join), max_size=4), st.none() | st.integers(0, 4))
def test_as_the_reference(texts: list[str], max_words: int | None) -> None:
    rule = RegexLines(drop=(r"^\d+ likes$", "é—"), cut=("(?i)share ?", r"\d", "x$"), max_words=max_words)
    assert rows(rule, *texts) == [reference(rule, text) for text in texts]


def test_a_text_and_its_lines() -> None:
    rule = RegexLines(drop=("^Share",), cut=(r" *\[ad\]",))
    text = "A first line. [ad]\n\n[ad]\nShare on\nA last line."
    assert rows(rule, text, "", "\n\n", "[ad]") == [
        (None, "A first line.\n\nA last line.", [0, 1, 4]),
        ("empty", "", [0]),
        ("empty", "\n\n", [0, 1, 2]),
        ("empty", "", []),
    ]


def test_a_carriage_return_is_no_part_of_its_line() -> None:
    text = "drop me b\r\nfirst [ad]\r\n[ad]\r\nlast\r"
    assert rows(RegexLines(drop=("b$",), cut=(r" ?\[ad\]$",)), text) == [(None, "first\r\nlast\r", [1, 3])]


def test_an_expression_that_takes_forever_elsewhere() -> None:
    text = "a" * 50_000 + "b\n" + "\ufffd\0" * 1000
    assert rows(RegexLines(drop=("(a+)+$",)), text) == [(None, text, [0, 1])]


def test_a_wrong_expression_is_told_with_its_line(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    source = "sources:\n  c4:\n    input: raw\n    steps:\n      - regex_lines: {drop: ['(?<=a)b']}\n"
    recipe.write_text(f"format: 1\noutput: out\n{source}")
    with pytest.raises(UserError, match=r"recipe.yaml:7: drop: .* is no regular expression of RE2"):
        load(str(recipe))
    with pytest.raises(UserError, match="is no regular expression"):
        parse_rules(["regex_lines: {cut: ['(']}"])
