"""Two texts printed as one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from corpus.show import SHOWN_ALIKE, differences

texts = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=14).map(" ".join)


@given(texts, texts)
def test_each_text_is_there_without_the_marks_of_the_other(one: str, other: str) -> None:
    both = differences(one, other)
    assert re.sub(r"\{\+.*?\+\}|\[-|-\]", " ", both).split() == one.split()
    assert re.sub(r"\[-.*?-\]|\{\+|\+\}", " ", both).split() == other.split()
    assert ("[-" in both or "{+" in both) == (one.split() != other.split())


def test_long_passages_alike_are_cut() -> None:
    words = [f"w{n}" for n in range(100)]
    first, last = " ".join(words[:SHOWN_ALIKE]), " ".join(words[-SHOWN_ALIKE:])
    expected = f"{first} \n... {100 - 2 * SHOWN_ALIKE} words alike ...\n{last} {{+end+}}"
    assert differences(" ".join(words), " ".join([*words, "end"])) == expected
