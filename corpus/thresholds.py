"""Thresholds of a filter: a field says, where it stands, which score it is compared with and what it gives as reason.

    max_hash_ratio: Annotated[float, AtMost("hash_ratio", "too_many_hashes")] = 0.1

A field that is a tuple has one mark for each of its values. From the marks come what the filter decides, which fields
leave its stored scores as they are, and what `corpus rules` and the documentation say of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel


@dataclass(frozen=True)
class Decides:
    """Marks a field that only `decide` reads: another value decides again, and scores nothing again.

    By itself for filters that decide in their own way; the marks below compare.

    Attributes:
        score: the column of the scores that the field is about.
        reason: of a document that is dropped; the name of the score unless it is given.
    """

    side: ClassVar[str] = ""

    score: str
    reason: str = ""


@dataclass(frozen=True)
class AtLeast(Decides):
    """Kept is a score of at least the field's value, and a null one."""

    side: ClassVar[str] = ">="

    def fails(self, scores: pa.Array, limit: Any) -> pa.Array:
        return pc.less(scores, limit)


@dataclass(frozen=True)
class AtMost(Decides):
    """Kept is a score of at most the field's value, and a null one."""

    side: ClassVar[str] = "<="

    def fails(self, scores: pa.Array, limit: Any) -> pa.Array:
        return pc.greater(scores, limit)


@dataclass(frozen=True)
class OneOf(Decides):
    """Kept is a score that is one of the field's values; a null one is not."""

    side: ClassVar[str] = "one of"

    def fails(self, scores: pa.Array, limit: Any) -> pa.Array:
        return pc.invert(pc.is_in(scores, value_set=pa.array(limit, scores.type)))


class Threshold(NamedTuple):
    """One mark of one field.

    Attributes:
        place: of the value in a field that is a tuple, else None.
    """

    field: str
    place: int | None
    mark: Decides

    @property
    def reason(self) -> str:
        return self.mark.reason or self.mark.score

    def value(self, settings: BaseModel) -> Any:
        value = getattr(settings, self.field)
        return value if self.place is None else value[self.place]


def thresholds_of(settings: type[BaseModel]) -> Iterator[Threshold]:
    """Those of a class, in the order of its fields."""
    for name, field in settings.model_fields.items():
        marks = [mark for mark in field.metadata if isinstance(mark, Decides)]
        for place, mark in enumerate(marks):
            yield Threshold(name, place if len(marks) > 1 else None, mark)


def check_order(settings: BaseModel) -> None:
    """
    Raises:
        ValueError: the least that is kept of a score is over the most, so that nothing would be kept.
    """
    given = [(one, value) for one in thresholds_of(type(settings)) if (value := one.value(settings)) is not None]
    for low, least in given:
        for high, most in given:
            sides = isinstance(low.mark, AtLeast) and isinstance(high.mark, AtMost)
            if sides and low.mark.score == high.mark.score and least > most:
                where = f"{low.field} {least} is over {high.field} {most}"
                raise ValueError(f"{where}, so no document could be kept: lower the one or raise the other")


def compare(settings: BaseModel, scores: pa.RecordBatch) -> pa.Array:
    """String array: the reason of the first threshold, in the order of the fields, that a document is on the wrong side
    of, else null. A field that is None compares nothing."""
    conditions = [
        (threshold.reason, threshold.mark.fails(scores.column(threshold.mark.score), value))
        for threshold in thresholds_of(type(settings))
        if isinstance(threshold.mark, AtLeast | AtMost | OneOf)
        and (value := threshold.value(settings)) is not None
    ]  # fmt: skip
    return first_reason(scores.num_rows, conditions)


def first_reason(rows: int, conditions: Iterable[tuple[str, pa.Array]]) -> pa.Array:
    """String array of `rows` reasons: of each row the first whose condition holds, else null.

    A condition is a boolean array of `rows` values; null counts as false.
    """
    given = list(conditions)
    if rows == 0 or not given:
        return pa.nulls(rows, pa.string())
    cases = pa.StructArray.from_arrays(
        [condition.fill_null(False) for _, condition in given], names=[str(place) for place in range(len(given))]
    )
    return pc.case_when(cases, *(pa.scalar(reason, pa.string()) for reason, _ in given))
