from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.license_texts import find_licenses
from tests.corpus.sources.test_licenses import BSD2, BSD3, MIT, NOTICE


def test_where_the_wordings_stand() -> None:
    text = f"first\n{MIT}\nthen\n{BSD3}{NOTICE}"
    found = list(find_licenses(text))
    assert [(each.spdx, each.whole) for each in found] == [("MIT", True), ("BSD-3-Clause", True), ("Apache-2.0", False)]
    assert text[found[0].start :].startswith("Permission is hereby granted")
    assert text[: found[0].end].endswith("DEALINGS IN THE SOFTWARE")
    assert [text[start:end] for start, end in found[1].names][2:] == ["ADA LOVELACE", "ADA LOVELACE"]


def holders(text: str) -> list[list[str]]:
    return [[text[start:end] for start, end in found.names] for found in find_licenses(text)]


@given(st.sampled_from([MIT, BSD2, BSD3]), st.data())
def test_a_wording_with_a_word_more_or_less_is_none(text: str, data: st.DataObject) -> None:
    """Or the word counts as one of a holder's name, which whoever asks looks at."""
    (found,) = find_licenses(text)
    place = data.draw(st.integers(found.start + 1, found.end - 1))
    for names in holders(f"{text[:place]}xyz{text[place:]}"):
        assert "xyz" in "".join(names)
    end = place + next(length for length in range(1, 100) if text[place : place + length].strip(" \n\"',.;:()*-/"))
    less = holders(text[:place] + text[end:])
    assert less == [] or less != holders(text) or text[place:end].strip().lower() in "s12ab"
