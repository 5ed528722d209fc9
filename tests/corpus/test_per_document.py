"""Rules from a function of one document: as filters and cleaners they are what every rule is."""

import pickle
from typing import Any

import pyarrow as pa
import pytest

from corpus.errors import UserError
from corpus.per_document import PerDocument, is_per_document
from corpus.schema import Document, Origin, document_batch
from corpus.steps.chain import apply_chain
from corpus.steps.rule import NamedRule


@PerDocument.filter(version=3, keeps=0.5)
def few_digits(text: str, metadata: dict[str, Any], *, most: float = 0.2) -> tuple[bool, str]:
    """Drops documents of many digits."""
    return sum(map(str.isdigit, text)) <= most * len(text), "many_digits"


@PerDocument.filter()
def of_me(text: str, metadata: dict[str, Any], *, author: str) -> tuple[bool, str]:
    return (metadata["author"], metadata["url"]) == (author, "u"), "of_another"


@PerDocument.cleaner(version=2)
def first_word(text: str, metadata: dict[str, Any]) -> str:
    return text.partition(" ")[0]


@PerDocument.filter()
def gives_none(text: str, metadata: dict[str, Any]) -> Any:
    return None


@PerDocument.cleaner()
def fails(text: str, metadata: dict[str, Any]) -> str:
    return text[100]


def batch(*texts: str) -> pa.RecordBatch:
    made = [
        Document(f"d{n}", text, Origin("f", record=n), url="u", metadata={"author": "me" if n else "you"})
        for n, text in enumerate(texts)
    ]
    return document_batch(made, "mine")


def test_a_filter_keeps_or_gives_its_reason() -> None:
    rule = few_digits()
    scores = rule.score(batch("words", "1234", "12 words and more"))
    assert scores.to_pydict() == {"keep": [True, False, True], "reason": [None, "many_digits", None]}
    assert rule.decide(scores).to_pylist() == [None, "many_digits", None]
    assert few_digits(most=1.0).score(batch("1234"))["keep"].to_pylist() == [True]


def test_it_says_of_itself_what_a_rule_says() -> None:
    assert (few_digits.version, few_digits.keeps, few_digits.__name__) == (3, 0.5, "few_digits")
    assert few_digits.__doc__ == "Drops documents of many digits."
    assert list(few_digits.model_fields) == ["most"]
    assert is_per_document(few_digits)
    rule = pickle.loads(pickle.dumps(few_digits(most=0.3)))
    assert rule == few_digits(most=0.3)


def test_settings_are_typed() -> None:
    with pytest.raises(ValueError, match="valid number"):
        few_digits(most="many")
    with pytest.raises(ValueError, match="Field required"):
        of_me()


def test_the_function_sees_columns_and_metadata() -> None:
    assert of_me(author="me").score(batch("a", "b"))["keep"].to_pylist() == [False, True]


def test_a_cleaner_gives_new_text_and_drops_what_is_left_empty() -> None:
    cleaned = first_word().clean(batch("two words", " nothing first"))
    assert cleaned.text.to_pylist() == ["two", ""]
    assert cleaned.reason.to_pylist() == [None, "empty"]


def test_they_go_through_the_chain_as_others_do() -> None:
    rules = [NamedRule("few_digits", few_digits()), NamedRule("first_word", first_word())]
    applied = list(apply_chain(batch("two words", "1234"), None, rules))
    assert [one.before.num_rows for one in applied] == [2, 1]
    assert applied[-1].after["text"].to_pylist() == ["two"]


@pytest.mark.parametrize("given", [(True,), ("yes", "no"), (False, ""), None, "text"])
def test_a_wrong_answer_of_a_filter_is_told(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gives_none, "function", staticmethod(lambda text, metadata: given))
    with pytest.raises(UserError, match=r"gives_none gave .*: give \(keep, reason\)"):
        gives_none().score(batch("a"))


def test_a_failure_names_the_document() -> None:
    with pytest.raises(RuntimeError, match=r"fails failed on the document d0 \(IndexError: string index"):
        fails().clean(batch("short"))
