import re

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.sentences import count_sentences, split_sentences
from corpus.text.unicode import classes

END = re.compile(r"""[.?!]+["')\]}’”]*(?=\s|\Z)""")


def reference(text: str) -> list[str]:
    found = []
    for line in text.split("\n"):
        ends = [match.end() for match in END.finditer(line)]
        found += [line[a:b].strip() for a, b in zip([0, *ends], [*ends, len(line)], strict=True)]
    return [sentence for sentence in found if sentence]


TEXTS = st.text("ab.?!\"') \n\r’\u2028é", max_size=30) | st.text(max_size=30)


@given(st.lists(TEXTS, max_size=4))
def test_as_the_reference(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    found = split_sentences(pa.array(["x. y.", *texts], pa.large_string()).slice(1))
    expected = [reference(text) for text in texts]
    assert found.text.to_pylist() == [sentence for some in expected for sentence in some]
    assert np.diff(found.starts).tolist() == [len(some) for some in expected]


@given(TEXTS)
def test_counting_is_splitting_one_line(text: str) -> None:
    line = text.encode("utf-8", "replace").decode().replace("\n", " ")
    data = np.frombuffer(line.encode(), np.uint8)
    assert count_sentences(data, 0, len(data), classes()) == len(reference(line))
