"""A YAML document that knows its lines, and collects mistakes until all are told."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from corpus.errors import UserError, UserErrors
from corpus.recipe.document import RecipeDocument, Where, parse_yaml, read_document

TEXT = """\
# a comment
output: run
sources:
  books:
    input: $HOME/raw
    steps:
      - gutenberg
      # between
      - length:
          min_chars: 20
          max_chars: many
      - {near: {threshold: 1,
                bands: 2}}
across: [exact, near]
nothing:
"""


def document(text: str = TEXT) -> RecipeDocument:
    return RecipeDocument("recipe.yaml", YAML(typ="rt").load(text))


def told(of: RecipeDocument) -> list[str]:
    with pytest.raises(UserErrors) as caught:
        of.raise_mistakes()
    return str(caught.value).split("\n")


class Length(BaseModel):
    model_config = ConfigDict(extra="forbid")
    min_chars: int
    max_chars: int | None = None


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ((), 1),
        (("output",), 2),
        (("sources",), 3),
        (("sources", "books", "input"), 5),
        (("sources", "books", "steps"), 6),
        (("sources", "books", "steps", 0), 7),
        (("sources", "books", "steps", 1), 9),
        (("sources", "books", "steps", 1, "length", "max_chars"), 11),
        (("sources", "books", "steps", 2, "near", "threshold"), 12),
        (("sources", "books", "steps", 2, "near", "bands"), 13),
        (("across", 1), 14),
        # What is not there has the line of the deepest node that is.
        (("sources", "books", "seteps", 3), 4),
        (("sources", "books", "steps", 9), 6),
        (("mixture", "shares"), 1),
        (("output", "a", "b"), 2),
        (("nothing", "a"), 15),
    ],
)
def test_a_mistake_stands_at_its_line(where: Where, line: int) -> None:
    of = document()
    of.mistake(where, "wrong")
    assert told(of) == [f"recipe.yaml:{line}: wrong"]


def test_mistakes_are_told_once_each_in_the_order_of_lines() -> None:
    of = document()
    of.raise_mistakes()
    for where, message in [(("across",), "c"), (("output",), "b"), (("output",), "a"), (("output",), "b")]:
        of.mistake(where, message)
    assert told(of) == ["recipe.yaml:2: a", "recipe.yaml:2: b", "recipe.yaml:14: c"]


def test_what_stands_there_or_none() -> None:
    of = document()
    assert of.value(("sources", "books", "steps", 1, "length", "min_chars")) == 20
    assert of.value(("sources", "wikipedia", "input")) is None
    assert of.value(("nothing", "more")) is None


def test_a_value_that_fits_is_typed() -> None:
    of = document("length: {min_chars: 3, max_chars: 5}\n")
    assert of.typed(("length",), Length) == Length(min_chars=3, max_chars=5)
    assert of.typed(("length",), Length, {"min_chars": 1}) == Length(min_chars=1)
    of.raise_mistakes()


def test_every_mistake_of_a_value_is_noted_with_its_own_line() -> None:
    of = document("length:\n  max_chars: many\n  min_char: 3\n")
    assert of.typed(("length",), Length, other_keys=["optional"]) is None
    assert told(of) == [
        "recipe.yaml:1: the key min_chars is missing",
        "recipe.yaml:2: max_chars: input should be a valid integer, unable to parse string as an integer, found 'many'",
        "recipe.yaml:3: unknown key min_char; known are min_chars, max_chars, optional",
    ]


def test_a_value_that_fits_no_type_of_a_union_is_one_mistake() -> None:
    class Share(BaseModel):
        share: int | float | bool

    of = document("mixture:\n  share: [1]\n")
    assert of.typed(("mixture",), Share) is None
    assert len(told(of)) == 1


def test_variables_stand_in_every_string_and_unknown_ones_stay() -> None:
    of = document('a: $HOME/x\nb: ["${HOME}", {c: $NO}]\nd: 5\n$HOME: e\n')
    of.expand({"HOME": "/h"})
    assert of.value(("a",)) == "/h/x"
    assert of.value(("b",)) == ["/h", {"c": "$NO"}]
    assert of.value(("$HOME",)) == "e"
    of.mistake(("b", 1, "c"), "still known")
    assert told(of) == ["recipe.yaml:2: still known"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", r"recipe\.yaml:1: not valid YAML: "),
        (b"a: 1\nb: {c: 2\n", r"recipe\.yaml:3: not valid YAML: "),
        (b"a: 1\na: 2\n", r"recipe\.yaml:2: not valid YAML: found duplicate key \"a\""),
        (b"- a\n", r"recipe\.yaml:1: a recipe is a map with the keys format, output"),
        (b"", r"recipe\.yaml:1: a recipe is a map with the keys format, output"),
        (b"a: \xff\n", r"recipe\.yaml: not UTF-8 \(invalid start byte at byte 3\): save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_document(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_document(str(path), ["format", "output"])
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.yaml: No such file or directory: give the path of a recipe file"):
        read_document(str(tmp_path / "no.yaml"), ["format"])


def test_yaml_of_an_option() -> None:
    assert parse_yaml("--rule", "length: {min_chars: 3}") == {"length": {"min_chars": 3}}
    with pytest.raises(UserError, match=r"^--rule '\{a' is not valid YAML: "):
        parse_yaml("--rule", "{a")


VALUES = st.recursive(
    st.integers() | st.text("ab$", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), VALUES, min_size=1), st.data())
def test_any_node_of_any_document_has_the_line_it_was_written_at(body: dict[str, Any], data: st.DataObject) -> None:
    """Written as YAML with a mark in the place of one value, the mistake is at the line of its mark."""
    from io import StringIO

    where: list[Any] = []
    node: Any = body
    while isinstance(node, dict | list) and node and (not where or data.draw(st.booleans())):
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        parent, node = node, node[key]
        where.append(key)
    parent[where[-1]] = "HERE"
    stream = StringIO()
    writer = YAML()
    writer.width = 10**6
    writer.dump(body, stream)
    lines = stream.getvalue().splitlines()
    of = document(stream.getvalue())
    of.mistake(tuple(where), "wrong")
    (line,) = [number for number, text in enumerate(lines, 1) if "HERE" in text]
    assert told(of) == [f"recipe.yaml:{line}: wrong"]
