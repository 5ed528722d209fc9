import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.tex import FALSE, MAX_DELIMITED_CHARS, NO_VALUE, TRUE, Cursor, Frame, Parameter, join


def cursor(*texts: str) -> tuple[list[Frame], Cursor]:
    """A cursor on the last of the texts, each an expansion in the one before it."""
    frames = [Frame(text, depth) for depth, text in enumerate(texts)]
    return frames, Cursor(frames)


def scan_group(text: str, at: int) -> int | None:
    """Where the group that begins at `at` ends, character by character."""
    depth = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "%":
            end = text.find("\n", at)
            at = (len(text) if end < 0 else end) - 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return None


@given(st.text(st.sampled_from("{}[]\\%\na"), max_size=40))
def test_ends_of_groups_and_options(text: str) -> None:
    near, whole = Frame(text), Frame(text)
    whole.group_end(-1)  # makes it go over the whole text
    for at, character in enumerate(text):
        escaped = (at - len(text[:at].rstrip("\\"))) % 2 == 1
        commented = "%" in text[text.rfind("\n", 0, at) + 1 : at]
        if escaped or commented:
            continue
        if character == "{":
            assert near.group_end(at) == Frame(text).group_end(at) == whole.group_end(at) == scan_group(text, at)
        if character == "[":
            assert near.option_end(at) == Frame(text).option_end(at) == whole.option_end(at)


def test_groups_that_are_deep_or_far() -> None:
    assert Frame("{" * 50 + "}" * 50).group_end(0) == 100
    assert Frame("{" * 50 + "}" * 49).group_end(0) is None
    assert Frame("{" + "a" * 10_000 + "}b").group_end(0) == 10_002
    assert Frame(r"{\url{a%b}}").group_end(0) == 11


def test_options() -> None:
    assert Frame("[a]b").option_end(0) == 3
    assert Frame("[{]}]").option_end(0) == 5
    assert Frame("[[a]]").option_end(0) == 4
    assert Frame("[a}]").option_end(0) is None
    assert Frame("[a\n\nb]").option_end(0) is None
    assert Frame("[" + "a" * MAX_DELIMITED_CHARS + "]").option_end(0) is None


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("{a} {b}c", [Parameter("m"), Parameter("m")], ["a", "b"]),
        ("ab", [Parameter("m"), Parameter("m")], ["a", "b"]),
        ("\\alpha b", [Parameter("m"), Parameter("m")], ["\\alpha", "b"]),
        (" % c\n {a}", [Parameter("m")], ["a"]),
        ("}", [Parameter("m")], None),
        ("\n\n{a}", [Parameter("m")], None),
        ("{a", [Parameter("m")], None),
        ("[x]{a}", [Parameter("o", default="d"), Parameter("m")], ["x", "a"]),
        ("{a}", [Parameter("o", default="d"), Parameter("m")], ["d", "a"]),
        ("*{a}", [Parameter("s", "*"), Parameter("m")], [TRUE, "a"]),
        ("{a}", [Parameter("s", "*"), Parameter("m")], [FALSE, "a"]),
        ("(x)y", [Parameter("d", "()"), Parameter("m")], ["x", "y"]),
        ("y", [Parameter("d", "()"), Parameter("m")], [NO_VALUE, "y"]),
        ("{x}y", [Parameter("g")], ["x"]),
        ("_{a}^b", [Parameter("e", "^_")], ["b", "a"]),
        ("(x,y)", [Parameter("l", "("), Parameter("u", ","), Parameter("u", ")")], ["x", "y"]),
        ("({x,1},y)", [Parameter("l", "("), Parameter("u", ","), Parameter("u", ")")], ["x,1", "y"]),
        ("x\n\ny.", [Parameter("u", ".")], None),
        ("x}.", [Parameter("u", ".")], None),
        ("x\\.y.", [Parameter("u", ".")], ["x\\.y"]),
        ("a\\endx b\\end", [Parameter("u", "\\end")], None),
    ],
)
def test_arguments(text: str, parameters: list[Parameter], expected: list[str] | None) -> None:
    assert cursor(text)[1].arguments(parameters) == expected


def test_arguments_go_on_below_an_expansion_that_is_at_its_end() -> None:
    frames, at = cursor("rest {b}c", "", "a ")
    frames[0].at = 5
    at = Cursor(frames)
    assert at.arguments([Parameter("m"), Parameter("m")]) == ["a", "b"]
    at.accept()
    assert [frame.text[frame.at :] for frame in frames] == ["c"]


def test_nothing_is_consumed_before_it_is_accepted() -> None:
    frames, at = cursor("{a}b")
    assert at.arguments([Parameter("m")]) == ["a"]
    assert frames[0].at == 0
    at.accept()
    assert frames[0].at == 3


def test_a_letter_does_not_become_part_of_a_control_word() -> None:
    assert join(["\\alpha", "b"]) == "\\alpha b"
    assert join(["\\alpha", "", "1"]) == "\\alpha1"
    assert join(["\\\\alpha", "b"]) == "\\\\alphab"
    assert join(["a", "b"]) == "ab"


def test_long_hostile_texts_end() -> None:
    for piece in ("{", "[", "{[", "\\", "%\n", "{%}"):
        frame = Frame(piece * 100_000)
        for at in range(0, 100_000, 10):
            frame.group_end(at)
            frame.option_end(at)
