"""Stored signatures as objects of datasketch: to ask which documents a text is like, and to load into an index of one's
own.

    from datasketch import MinHashLSH
    from corpus.sketches import stored_sketches

    index = MinHashLSH(threshold=0.8, num_perm=112)
    for id, sketch in stored_sketches("runs/mine/c4/20-signatures-1f3a9c2e"):
        index.insert(id, sketch)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.dedup.minhash import bands_for, permutations, signatures
from corpus.dedup.sets import encode_sets, shingle_sets, similarities
from corpus.errors import UserError
from corpus.filters.signatures import Signatures
from corpus.parts import read_part, read_row
from corpus.steps.rule import NamedRule
from corpus.text.buffers import text_buffers
from corpus.tuning.stored import chain_of, stored_parts


@dataclass(frozen=True)
class Alike:
    """A document that a text is like.

    Attributes:
        estimated: Jaccard similarity by their signatures.
        similarity: the same by their shingles.
    """

    id: str
    estimated: float
    similarity: float
    text: str


def sketch_of(text: str, rule: Signatures) -> Any:
    """The `datasketch.MinHash` of a text, as the rule makes its signature.

    Raises:
        UserError: datasketch is not installed.
    """
    found, _ = signatures(*text_buffers(pa.array([text], pa.large_string())), rule.ngram, rule.minima)
    return _sketch(found[0])


def stored_sketches(folder: str) -> Iterator[tuple[str, Any]]:
    """(id, `datasketch.MinHash`) of every document that a finished step with the rule `signatures` kept, in their
    order; those without a signature are left out.

    Raises:
        UserError: datasketch is not installed, or the step is not finished or has no such rule.
    """
    step = StepFolder(folder)
    named = _signatures_of(step)
    for id, _, _, signature in _stored(step, named):
        yield id, _sketch(signature)


def alike(folder: str, text: str, threshold: float, limit: int) -> list[Alike]:
    """The documents of a finished step that a text is like, most alike first: those that a `MinHashLSH` of datasketch
    finds, with the bands that `near` takes for this threshold, and whose similarity by shingles is at least as much.

    Takes about 100 microseconds and 7 KB of memory for each document of the step.

    Raises:
        UserError: as `stored_sketches`; or the text has no letters or digits.
    """
    step = StepFolder(folder)
    named = _signatures_of(step)
    rule = named.rule
    assert isinstance(rule, Signatures)
    asked = sketch_of(text, rule)
    own, ends = shingle_sets(*text_buffers(pa.array([text], pa.large_string())), rule.ngram)
    if not len(own):
        raise UserError("the text has no letters or digits, so it is like no other: give another one")
    bands, rows = bands_for(threshold, rule.minima)
    if bands == 1:  # datasketch takes no fewer than two
        bands, rows = 2, rule.minima // 2
    index = _datasketch().MinHashLSH(num_perm=rule.minima, params=(bands, rows))
    known: dict[tuple[int, int], tuple[str, npt.NDArray[np.uint32]]] = {}
    for id, part, row, signature in _stored(step, named):
        index.insert((part, row), _sketch(signature), check_duplication=False)
        known[part, row] = id, signature
    places = index.query(asked)
    texts = [read_row(step.data(part), row, ["text"]).column("text")[0].as_py() for part, row in places]
    others = shingle_sets(*text_buffers(pa.array(texts, pa.large_string())), rule.ngram)
    every = np.arange(len(texts))
    found = []
    exact = similarities(encode_sets(own, ends), np.zeros_like(every), *others, every).tolist()
    for place, other, similarity in zip(places, texts, exact, strict=True):
        id, signature = known[place]
        if similarity >= threshold:
            found.append(Alike(id, float(asked.jaccard(_sketch(signature))), similarity, other))
    return sorted(found, key=lambda one: (-one.similarity, one.id))[:limit]


def _stored(step: StepFolder, named: NamedRule) -> Iterator[tuple[str, int, int, npt.NDArray[np.uint32]]]:
    """(id, part, row of the step's data, signature)."""
    chain = chain_of(step)
    for part in stored_parts(step, chain):
        kept = np.flatnonzero(part.dropped_by == len(chain))
        if not len(kept):
            continue
        column = part.scores_of(named, kept).column("signature")
        ids = [id for batch in read_part(step.data(part.number), ["id"]) for id in batch.column("id").to_pylist()]
        for row, (id, signature) in enumerate(zip(ids, column.to_pylist(), strict=True)):
            if signature is not None:
                yield id, part.number, row, np.frombuffer(signature, "<u4").astype(np.uint32, copy=False)


def _signatures_of(step: StepFolder) -> NamedRule:
    for named in chain_of(step):
        if isinstance(named.rule, Signatures):
            return named
    raise UserError(f"{step.path} has no signatures: put the rule `signatures` into its steps")


def _sketch(signature: npt.NDArray[np.uint32]) -> Any:
    a, b = permutations(len(signature))
    return _datasketch().MinHash(hashvalues=signature, permutations=(a, b), scheme="affine32")


def _datasketch() -> Any:
    try:
        import datasketch
    except ImportError:
        raise UserError("datasketch is not installed: pip install '.[datasketch]' in the project's folder") from None
    return datasketch
