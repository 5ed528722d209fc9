import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.counts import Count, count_rows, share


def reference(text: str) -> list[int]:
    words = text.split()
    counts = {
        Count.CHARACTERS: len(text),
        Count.LETTERS: sum(map(str.isalpha, text)),
        Count.CAPITALS: sum(map(str.isupper, text)),
        Count.DIGITS: sum(map(str.isdecimal, text)),
        Count.SPACES: sum(map(str.isspace, text)),
        Count.SYMBOLS: sum(not c.isalnum() and not c.isspace() for c in text),
        Count.FEEDS: text.count("\n"),
        Count.WORDS: len(words),
        Count.CAPITALISED: sum(word[0].isupper() for word in words),
    }
    return [counts[count] for count in Count]


TEXTS = st.text("aA1 \n\t\u2028É²½٣_.ǅⒶ中\U0001d400") | st.text()


@given(st.lists(TEXTS, max_size=5))
def test_as_python_counts(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    rows = pa.array(["x", *texts], pa.large_string()).slice(1)
    assert count_rows(rows).tolist() == [reference(text) for text in texts]


def test_share() -> None:
    counts = count_rows(pa.array(["a1", "", "12 ", "\ufffd" * 3 + "\0"]))
    assert share(counts[:, Count.DIGITS], counts[:, Count.CHARACTERS]).tolist() == [0.5, 0.0, 0.6667, 0.0]
    assert counts[3, Count.SYMBOLS] == 4
