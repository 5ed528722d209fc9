import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters.characters import Characters


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


@given(st.text("a1 \n.²٣é\ufffd\0中") | st.text())
def test_as_python_counts(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    number = max(len(text), 1)
    found = {name: column[0] for name, column in Characters().score(batch(text)).to_pydict().items()}
    symbols = sum(not c.isalnum() and not c.isspace() for c in text)
    digits, spaces = sum(map(str.isdecimal, text)), sum(map(str.isspace, text))
    expected = {"digits": digits / number, "symbols": symbols / number, "spaces": spaces / number}
    assert found == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A line of prose, as it should be.", None),
        ("", None),
        ("call 12345 or 67890", "digits"),
        ("a|b|c|d|e", "symbols"),
        ("a b c d e f", "spaces"),
        ("1" * 15 + "a" * 85, None),
        ("1" * 16 + "a" * 84, "digits"),
        ("\ufffd" * 10, "symbols"),
        ("吾輩は猫である。", None),
    ],
)
def test_reasons(text: str, reason: str | None) -> None:
    rule = Characters()
    assert rule.decide(rule.score(batch(text))).to_pylist() == [reason]
