"""Drops pages with many sentences that read like lists, menus or noise: the document rules of MADLAD-400."""

from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.rules import Filter
from corpus.text.counts import Count, count_rows, share
from corpus.text.sentences import split_sentences
from corpus.thresholds import AtLeast, AtMost

TECHNICAL = "[0-9{}+/()>]"
CURSED = (
    *(" №", "\ufffd{3}", r"\|\s*$", r" nr\.$", "aute irure dolor ", " sunt in culpa qui ", "orem ipsum "),
    *(" quis nostrud ", " adipisicing ", " dolore eu ", " cupidatat ", "autem vel eum", "wisi enim ad", " sex "),
    *(" porn ", "黄色电影", "mp3", "ownload", r"Vol\.", r" Ep\.", "Episode", r" г\.\s*$", r" кг\.\s*$", r" шт\."),
    *("Develop", "Facebook", " crusher ", " xxx ", r"(?: \.\.\.){9}", r"(?: \.\.\.\.){9}", "(?: [^ ]){9}"),
    r", \.\.,,\? \.\.,,\? \.\.,,\? \.\.,,\?",
)
"""The paper's list, as expressions of RE2."""
_CURSED = "|".join(f"(?:{expression})" for expression in CURSED)


class MadladQuality(Filter):
    """Kudugunta et al. 2023 (arXiv 2309.04662), section 2.3: a document of fewer than 5 sentences is dropped, and one
    of whose sentences more than a fifth are questionable. Questionable is a sentence of at least 12 words of which more
    than half begin with a capital; of fewer than 20 or more than 500 characters; with more than a fifth of its
    characters among `0-9{}+/()>`; or with one of the expressions that the paper calls cursed (" sex ", "ownload", ...).

    Sentences end as in `c4_lines`, and with their line. The paper's first rule, that a sentence is of another language
    than its document, is not here. AI2's datamap-rs, whose `madlad400_sentence_annotator` is the only code that is
    public, lets sentences go on from line to line, counts bytes for characters, and looks for the cursed expressions
    with their backslashes ("Vol\\.").

    Score columns: `sentences` (int64), `questionable` (share of the sentences), and the share of each kind by itself:
    `list_case`, `abnormal_length`, `technical`, `cursed`; four decimals, 0 without sentences. Reasons:
    `too_few_sentences`, `questionable`.

    Attributes:
        min_sentences: 5.
        max_questionable: 0.2.
        min_chars, max_chars: 20 and 500, of a sentence.
        kinds: that make a sentence questionable (Dolma 3: list_case and cursed).
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    other_scores: ClassVar[tuple[str, ...]] = ("list_case", "abnormal_length", "technical", "cursed")

    min_sentences: Annotated[int, AtLeast("sentences", "too_few_sentences")] = 5
    max_questionable: Annotated[float, AtMost("questionable")] = 0.2
    min_chars: int = Field(default=20, ge=0)
    max_chars: int = Field(default=500, ge=0)
    kinds: tuple[Literal["list_case", "abnormal_length", "technical", "cursed"], ...] = Field(
        default=("list_case", "abnormal_length", "technical", "cursed"), min_length=1
    )

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        sentences = split_sentences(batch.column("text"))
        counts = count_rows(sentences.text)
        characters, words = counts[:, Count.CHARACTERS], counts[:, Count.WORDS]
        technical = np.asarray(pc.count_substring_regex(sentences.text, TECHNICAL))
        kinds = {
            "list_case": (words >= 12) & (2 * counts[:, Count.CAPITALISED] > words),
            "abnormal_length": (characters < self.min_chars) | (characters > self.max_chars),
            "technical": 5 * technical > characters,
            "cursed": np.asarray(pc.match_substring_regex(sentences.text, _CURSED)),
        }
        kinds = {"questionable": np.logical_or.reduce([kinds[kind] for kind in self.kinds]), **kinds}
        number = np.diff(sentences.starts)
        shares = {name: pa.array(share(sentences.sums(bad.astype(np.int64)), number)) for name, bad in kinds.items()}
        return pa.RecordBatch.from_pydict({"sentences": pa.array(number), **shares})
