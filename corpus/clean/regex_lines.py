"""Takes out lines, or pieces of lines, that regular expressions of yours match."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from corpus.rules import Cleaned, Cleaner
from corpus.text.counts import Count, count_rows
from corpus.text.lines import Pieces, join_lines, split_lines


class RegexLines(Cleaner):
    r"""Lines are what line feeds separate. First lines in which an expression of `drop` matches go; then, of those that
    stay, what the expressions of `cut` match, one after the other, and the lines that have nothing but white space left
    by that. A document without any line that is not blank is dropped, as `empty`.

    Expressions are those of RE2 (github.com/google/re2/wiki/Syntax), which takes time proportional to the text whatever
    they are: no look-around and no back-references; `\w`, `\d` and `\s` are of ASCII, `\pL` is any letter, `(?i)` at
    the start ignores case, `^` and `$` are the ends of the line. A carriage return that ends a line is no part of it,
    and stays.

    Attributes:
        drop, cut: the expressions.
        max_words: lines of more words, between white space, stay as they are; None looks at all.
    """

    reasons: ClassVar[tuple[str, ...]] = ("empty",)

    drop: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    max_words: int | None = Field(default=None, ge=0)

    @field_validator("drop", "cut")
    @classmethod
    def _are_expressions(cls, expressions: tuple[str, ...]) -> tuple[str, ...]:
        for expression in expressions:
            try:
                pc.match_substring_regex(pa.array([""]), expression)
            except pa.ArrowInvalid as error:
                message = str(error).partition("\n")[0]
                raise ValueError(f"{expression!r} is no regular expression of RE2: {message}") from None
        return expressions

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        lines = split_lines(batch.column("text"))
        words = count_rows(lines.text)[:, Count.WORDS]
        considered = np.ones(len(words), np.bool_) if self.max_words is None else words <= self.max_words
        lines, kept = edit_lines(lines, considered, self.drop, self.cut)
        return cleaned_lines(lines, kept)


def edit_lines(
    lines: Pieces, considered: npt.NDArray[np.bool_], drop: tuple[str, ...], cut: tuple[str, ...]
) -> tuple[Pieces, npt.NDArray[np.bool_]]:
    """(lines without what `cut` matches, which of them stay). Pieces that are not `considered` stay as they are."""
    places = np.flatnonzero(considered)
    whole = lines.text.take(pa.array(places))
    some = pc.replace_substring_regex(whole, r"\r\z", "")
    dropped = np.zeros(len(some), np.bool_)
    for expression in drop:
        dropped |= np.asarray(pc.match_substring_regex(some, expression))
    changed = some
    for expression in cut:
        changed = pc.replace_substring_regex(changed, expression, "")
    if cut:
        other = np.asarray(pc.not_equal(some, changed))
        # A line that an expression left alone keeps its "\r", and one that was cut gets it back.
        ends = pc.if_else(pc.ends_with(whole, "\r"), "\r", "")
        blank = np.asarray(pc.equal(pc.utf8_trim_whitespace(changed), ""))
        dropped |= other & blank
        changed = pc.binary_join_element_wise(changed, ends.cast(changed.type), pa.scalar("", changed.type))
        text = pc.replace_with_mask(lines.text, pa.array(considered), changed)
        lines = Pieces(text, lines.starts)
    kept = np.ones(len(lines.text), np.bool_)
    kept[places[dropped]] = False
    return lines, kept


def cleaned_lines(lines: Pieces, kept: npt.NDArray[np.bool_]) -> Cleaned:
    """The lines that stay, put together; `empty` where no word is left."""
    text, kept_lines = join_lines(lines, kept)
    reason = pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), "empty", pa.scalar(None, pa.string()))
    return Cleaned(text, reason, kept_lines)
