"""Rules from a plain Python function of one document. Quick to write, and slow: a kernel works on whole batches.

    from corpus.per_document import PerDocument

    @PerDocument.filter(version=1)
    def few_digits(text: str, metadata: dict[str, Any], *, most: float = 0.2) -> tuple[bool, str]:
        "Drops documents of many digits."
        return sum(map(str.isdigit, text)) <= most * len(text), "many_digits"

    @PerDocument.cleaner(version=1)
    def no_tabs(text: str, metadata: dict[str, Any]) -> str:
        "Tabs become spaces."
        return text.replace("\\t", " ")

A recipe names them as any other rule, `- my_package.rules:few_digits: {most: 0.1}`: what follows the `*` are their
settings. Counting, samples and stored scores are those of every rule.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar, get_type_hints

import pyarrow as pa
from pydantic import create_model

from corpus.errors import UserError
from corpus.rules import Cleaned, Cleaner, Filter, Rule

T = TypeVar("T", bound=Rule)
Function = Callable[..., Any]


class PerDocument:
    """Makes a rule of a function `(text, metadata, *, settings...)`.

    `metadata` has the document's own, and its columns besides the text: `id`, `source`, `language`, `license`, `url`,
    `timestamp`.
    """

    @staticmethod
    def filter(version: int = 1, keeps: float = 1.0) -> Callable[[Function], type[Filter]]:
        """Of a function that gives (keep, reason); the reason, in snake_case, counts where it does not keep.

        Args:
            version: raised when the function gives something else, so that finished steps are done again.
            keeps: the share of the text that it is expected to keep, for `corpus plan`.
        """
        return lambda function: _made(function, _Filter, version, keeps)

    @staticmethod
    def cleaner(version: int = 1, keeps: float = 1.0) -> Callable[[Function], type[Cleaner]]:
        """Of a function that gives the new text; a document without any left is dropped as `empty`. The arguments are
        those of `filter`."""
        return lambda function: _made(function, _Cleaner, version, keeps)


def is_per_document(rule: type[Rule]) -> bool:
    return issubclass(rule, _Filter | _Cleaner)


class _Filter(Filter):
    """Score columns: `keep`, and `reason` where it is false."""

    other_scores: ClassVar[tuple[str, ...]] = ("keep", "reason")
    function: ClassVar[Function]

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        decisions = [self._checked(given) for given in _results(self, self.function, batch)]
        return pa.RecordBatch.from_pydict(
            {
                "keep": pa.array([keep for keep, _ in decisions], pa.bool_()),
                "reason": pa.array([None if keep else reason for keep, reason in decisions], pa.string()),
            }
        )

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        return scores.column("reason")

    def _checked(self, given: Any) -> tuple[bool, str]:
        if isinstance(given, tuple) and len(given) == 2:
            keep, reason = given
            if isinstance(keep, bool) and isinstance(reason, str) and (keep or reason):
                return keep, reason
        raise UserError(f"{type(self).__name__} gave {given!r}: give (keep, reason), as in (False, 'many_digits')")


class _Cleaner(Cleaner):
    reasons: ClassVar[tuple[str, ...]] = ("empty",)
    function: ClassVar[Function]

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        texts = [self._checked(given) for given in _results(self, self.function, batch)]
        reasons = [None if text.strip() else "empty" for text in texts]
        return Cleaned(pa.array(texts, pa.large_string()), pa.array(reasons, pa.string()))

    def _checked(self, given: Any) -> str:
        if isinstance(given, str):
            return given
        raise UserError(f"{type(self).__name__} gave {given!r}: give the new text")


def _made(function: Function, base: type[T], version: int, keeps: float) -> type[T]:
    """A class under the function's name, in its module, so that it can be sent to a worker. The parameters behind the
    `*` are its fields."""
    hints = get_type_hints(function)
    settings: dict[str, Any] = {
        parameter.name: (
            hints.get(parameter.name, Any),
            ... if parameter.default is inspect.Parameter.empty else parameter.default,
        )
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    made: Any = create_model(
        function.__name__, __base__=base, __module__=function.__module__, __doc__=function.__doc__, **settings
    )
    made.__qualname__ = function.__qualname__
    made.version, made.keeps, made.function = version, keeps, staticmethod(function)
    return made


def _results(rule: Rule, function: Function, batch: pa.RecordBatch) -> Iterator[Any]:
    """What the function gives for each document.

    Raises:
        RuntimeError: it raised; the message names the document.
    """
    settings = {name: getattr(rule, name) for name in type(rule).model_fields}
    others = batch.drop_columns(["text", "origin", "kept_lines"]).to_pylist()
    for text, columns in zip(batch.column("text").to_pylist(), others, strict=True):
        own = columns.pop("metadata")
        metadata = {**(json.loads(own) if own else {}), **columns}
        try:
            yield function(text, metadata, **settings)
        except Exception as error:
            name, what = type(rule).__name__, f"{type(error).__name__}: {error}"
            raise RuntimeError(f"{name} failed on the document {columns['id']} ({what})") from error
