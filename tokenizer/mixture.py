"""Which sequence of which source is trained on when: a pure function of a counter. docs/tokens.md, "Order"."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.errors import DamagedFile, UserError
from corpus.kernel import kernel
from corpus.llama import TABLE_1
from corpus.storage import digest_of, join, parent, read_json, relative, resolve, write_json
from tokenizer.index import MATERIALISED, TokenIndex, index_of, read_index
from tokenizer.order import invert, permute, round_keys
from tokenizer.shards import ShardHeader

Indices = npt.NDArray[np.int64]

MAX_PERIOD = 1 << 20
"""Shares whose common denominator is larger are refused: their schedule would fill memory."""


class Schedule:
    """An endless sequence of sources in which every prefix holds each share, to within one.

    After k steps a source of share p was taken floor(kp) or ceil(kp) times, for every k and every source. (Taking
    the source with the largest deficit does not achieve that: with many sources its error grows past one.)

    How. The x-th time (x = 0, 1, ...) that a source is taken is a job of one step. It may run from step floor(x / p)
    on, and must have run after ceil((x + 1) / p) steps. Then of the jobs run in the first k steps each has
    floor(x / p) <= k - 1, so x < kp, and there are at most ceil(kp); and the jobs with x + 1 <= kp, floor(kp) of
    them, are all due and have run. Each step runs, of the jobs that may run, the one that is due first.

    Why that keeps every due step. For unit jobs with whole release and due steps, earliest-due-first meets every due
    step whenever it can be done at all, and it can (Hall's theorem, for intervals) when no interval of steps [a, b)
    must hold more than b - a jobs. The jobs of one source that lie wholly in it have x >= ap and x + 1 <= bp: at most
    floor(bp) - ceil(ap) <= (b - a)p. Over all sources that adds up to at most b - a, as the shares add up to 1.

    After D steps, D the common denominator of the shares, every source stands exactly at its share and all begins
    anew: one period of D entries is the whole schedule, and a count or a seek costs one look-up.

    Attributes:
        period: D.
    """

    def __init__(self, shares: tuple[Fraction, ...]) -> None:
        """`shares` are positive and add up to 1; ties go to the earlier one.

        Raises:
            ValueError: they are not, or the period is longer than `MAX_PERIOD`.
        """
        if not shares or min(shares) <= 0 or sum(shares) != 1:
            raise ValueError("shares must be positive and add up to 1")
        self.period = lcm(*(share.denominator for share in shares))
        if self.period > MAX_PERIOD:
            raise ValueError(f"the common denominator of the shares is {self.period}, over {MAX_PERIOD}")
        self._each = np.array([int(share * self.period) for share in shares], np.int64)
        self._source = np.empty(self.period, np.int64)
        self._turn = np.empty(self.period, np.int64)
        _earliest_due_first(self._each, self._source, self._turn)
        self._places = [np.flatnonzero(self._source == s) for s in range(len(shares))]

    def source_of(self, k: Indices) -> tuple[Indices, Indices]:
        """(source, how many times it was taken before) of each step k >= 0; same shape as k."""
        full, rest = np.divmod(np.asarray(k, np.int64), self.period)
        source = self._source[rest]
        return source, full * self._each[source] + self._turn[rest]

    def step_of(self, source: int, turn: Indices) -> Indices:
        """The inverse of `source_of`: the step at which `source` is taken for the `turn`-th time, from 0."""
        full, rest = np.divmod(np.asarray(turn, np.int64), self._each[source])
        return full * self.period + self._places[source][rest]

    def counts(self, k: int) -> list[int]:
        """How many of the first k steps each source has."""
        full, rest = divmod(k, self.period)
        return [
            full * int(each) + int(np.searchsorted(places, rest))
            for each, places in zip(self._each, self._places, strict=True)
        ]


@kernel
def _earliest_due_first(each: Any, source: Any, turn: Any) -> None:
    """Fills one period: source and turn of each step. `each` is how often each source is in it."""
    period = len(source)
    taken = np.zeros(len(each), np.int64)
    for k in range(period):
        best = -1
        best_due = np.int64(0)
        for s in range(len(each)):
            # floor(x / p) <= k, and ceil((x + 1) / p), with p = each / period.
            if taken[s] * period < (k + 1) * each[s]:
                due = ((taken[s] + 1) * period + each[s] - 1) // each[s]
                if best < 0 or due < best_due:
                    best = s
                    best_due = due
        source[k] = best
        turn[k] = taken[best]
        taken[best] += 1


@dataclass(frozen=True)
class MixtureSource:
    """One source of a mixture.

    Attributes:
        share: of the training sequences; exact.
        folder: its token folder.
    """

    name: str
    share: Fraction
    folder: str
    index: TokenIndex


@dataclass(frozen=True)
class Usage:
    """What a run takes of one source.

    Attributes:
        available: sequences in one epoch.
        drawn: sequences the run takes.
        unused: sequences it never takes.
        repeated: times that it takes a sequence it has taken before.
    """

    name: str
    share: Fraction
    available: int
    drawn: int

    @property
    def epochs(self) -> Fraction:
        return Fraction(self.drawn, self.available)

    @property
    def unused(self) -> int:
        return max(0, self.available - self.drawn)

    @property
    def repeated(self) -> int:
        return max(0, self.drawn - self.available)


@dataclass(frozen=True)
class Mixture:
    """The order of a training run.

    Sequence i of a source is its tokens [iL, iL + L], L + 1 of them, over the concatenation of its shards: the last
    one is the first of the next sequence, so that every token but the first is a label once an epoch. The tail that
    does not fill a sequence is left.

    Attributes:
        sources: sorted by name.
        sequences: in the run. The order does not depend on it: a longer run begins with the same sequences.
        sequence_length: L, tokens predicted in one sequence.
        seed: of the order within epochs.
    """

    sources: tuple[MixtureSource, ...]
    sequences: int
    sequence_length: int
    seed: int

    @cached_property
    def schedule(self) -> Schedule:
        return Schedule(tuple(source.share for source in self.sources))

    @cached_property
    def available(self) -> tuple[int, ...]:
        """Sequences of each source in one epoch."""
        return tuple(available_sequences(source.index.tokens, self.sequence_length) for source in self.sources)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, hexadecimal, over all that the order and the tokens depend on; `sequences` is not among it."""
        return digest_of(
            {
                "seed": self.seed,
                "sequence_length": self.sequence_length,
                "tokenizer": self.sources[0].index.header.tokenizer,
                "sources": [
                    {
                        "name": source.name,
                        "share": str(source.share),
                        "shards": [shard.digest for shard in source.index.shards],
                    }
                    for source in self.sources
                ],
            }
        )

    @property
    def materialised_header(self) -> ShardHeader:
        """Of shards that hold the sequences in order: their documents are the sequences of this mixture."""
        first = self.sources[0].index.header
        return ShardHeader(first.vocab_size, first.tokenizer, self.fingerprint, -1, -1)

    def locate(self, k: Indices) -> tuple[Indices, Indices, Indices]:
        """(source, epoch, sequence in the source) of the k-th training sequence, for an array of k; same shapes.

        Raises:
            IndexError: the run has no such sequence.
        """
        k = np.asarray(k, np.int64)
        if k.size:
            self.check(int(k.min()), int(k.max()))
        source, turn = self.schedule.source_of(k)
        epoch, sequence = np.empty_like(turn), np.empty_like(turn)
        for s in np.unique(source):
            of_source = source == s
            epoch[of_source], within = np.divmod(turn[of_source], self.available[s])
            for e in np.unique(epoch[of_source]):
                keys = round_keys(self.seed, self.sources[s].name, int(e))
                now = of_source & (epoch == e)
                sequence[now] = permute(within[epoch[of_source] == e], self.available[s], keys)
        return source, epoch, sequence

    def check(self, first: int, last: int) -> None:
        """Raises IndexError where the run has no sequence `first` or `last`."""
        if first < 0 or last >= self.sequences:
            raise IndexError(f"sequences {first} to {last} of a run of {self.sequences}")

    def positions(self, source: int, epoch: int, sequence: Indices) -> Indices:
        """The inverse of `locate`: the k of each sequence of a source in one epoch; same shape as `sequence`.

        The order has no end: k may be `sequences` or more, where the run does not come to it.
        """
        n = self.available[source]
        keys = round_keys(self.seed, self.sources[source].name, epoch)
        return self.schedule.step_of(source, epoch * n + invert(sequence, n, keys))

    def usage(self) -> list[Usage]:
        """Per source; drawn over available is the epochs."""
        return [
            Usage(source.name, source.share, available, drawn)
            for source, available, drawn in zip(
                self.sources, self.available, self.schedule.counts(self.sequences), strict=True
            )
        ]

    def shares_got(self) -> dict[str, float]:
        """The share of the run's sequences that each source really has."""
        return {use.name: use.drawn / self.sequences for use in self.usage()}

    def table(self) -> str:
        """The usage of each source, in tokens, beside Table 1 of the LLaMA-1 paper where it has one of that name.

        Drawn, less repeated, plus never used is what a source has; what does not fill a sequence is never used.
        """
        rows = [("source", "share", "paper", "drawn", "available", "epochs", "paper", "repeated", "never used")]
        totals = np.zeros(4, np.int64)
        for use, source in zip(self.usage(), self.sources, strict=True):
            share, epochs, _ = TABLE_1.get(use.name, ("", "", 0.0))
            drawn, repeated = use.drawn * self.sequence_length, use.repeated * self.sequence_length
            counts = [drawn, source.index.tokens, repeated, source.index.tokens - drawn + repeated]
            totals += counts
            drawn_, tokens_, repeated_, unused_ = (f"{count:,}" for count in counts)
            rows.append(
                (use.name, f"{float(use.share):.1%}", share, drawn_, tokens_, f"{float(use.epochs):.2f}", epochs,
                 repeated_, unused_)
            )  # fmt: skip
        drawn_, tokens_, repeated_, unused_ = (f"{total:,}" for total in totals)
        rows.append(("all", "100.0%", "", drawn_, tokens_, "", "", repeated_, unused_))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )


def available_sequences(tokens: int, sequence_length: int) -> int:
    """How many sequences of L + 1 tokens, overlapping by one, a source gives in an epoch."""
    return max(0, tokens - 1) // sequence_length


def make_mixture(
    shares: Mapping[str, str | float],
    folders: Mapping[str, str],
    tokens: int | None,
    sequence_length: int = 2048,
    seed: int = 0,
    max_epochs: float = 4.0,
) -> Mixture:
    """A mixture of finished token folders.

    Args:
        shares: source -> share of the tokens, as a decimal or "1/3"; taken exactly, and they add up to 1.
        folders: source -> token folder, for each source that has a share.
        tokens: to train on; rounded down to whole sequences. None = as many as `max_epochs` of the scarcest source
            allow.
        max_epochs: more passes over a source than this are an error. The default is where Muennighoff et al.
            ("Scaling Data-Constrained Language Models", 2023) find repeated data to be worth less than new.

    Raises:
        UserError: shares that are not numbers, not positive or do not add up to 1; a source without a folder; folders
            made with different tokenizers; a source with too few tokens.
    """
    for name in sorted(shares):
        if name not in folders:
            raise UserError(f"the mixture names the source {name}, which has no tokens: tokenise it, or leave it out")
    sources = tuple(
        MixtureSource(name, _fraction(name, shares[name]), folders[name], read_index(folders[name]))
        for name in sorted(shares)
    )
    total = sum((source.share for source in sources), Fraction(0))
    if total != 1:
        raise UserError(f"the shares of the mixture add up to {float(total):g} and must add up to 1: correct them")
    first = sources[0]
    for source in sources:
        if source.index.header.tokenizer != first.index.header.tokenizer:
            raise UserError(
                f"{source.folder} was made with the tokenizer {source.index.header.tokenizer[:8]} and {first.folder} "
                f"with {first.index.header.tokenizer[:8]}: run tokenize again for one of them"
            )
        if not available_sequences(source.index.tokens, sequence_length):
            raise UserError(
                f"the source {source.name} has {source.index.tokens} tokens, fewer than one sequence of "
                f"{sequence_length + 1}: give it more documents, or take it out of the mixture"
            )
    limit = Fraction(str(max_epochs))
    allowed = {s.name: int(limit * available_sequences(s.index.tokens, sequence_length)) for s in sources}
    most = min(int(allowed[source.name] / source.share) for source in sources)
    sequences = most if tokens is None else tokens // sequence_length
    if not sequences:
        raise UserError(f"the mixture has less than one sequence of {sequence_length} tokens: ask for more tokens")
    mixture = Mixture(sources, sequences, sequence_length, seed)
    try:
        usage = mixture.usage()
    except ValueError as error:
        raise UserError(f"the shares of the mixture cannot be used: {error}; give them fewer digits") from None
    for use in usage:
        if use.drawn > allowed[use.name]:
            raise UserError(
                f"the mixture takes {float(use.epochs):.2f} epochs of {use.name}, over max_epochs {max_epochs:g} by "
                f"{(use.drawn - allowed[use.name]) * sequence_length:,} tokens: give it more documents or a smaller "
                f"share, ask for {most * sequence_length:,} tokens or fewer, or raise max_epochs"
            )
    return mixture


def _fraction(name: str, share: str | float) -> Fraction:
    try:
        value = Fraction(str(share))
    except (ValueError, ZeroDivisionError):
        raise UserError(f"the share of {name} in the mixture is {share!r}: give a number such as 0.045") from None
    if value <= 0:
        raise UserError(f"the share of {name} in the mixture is {share}: give more than 0, or leave it out")
    return value


def mixture_digest(mixture: Mixture) -> str:
    """Of the order and its length."""
    return digest_of({"fingerprint": mixture.fingerprint, "sequences": mixture.sequences})


def manifest_path(mixture: Mixture, run: str) -> str:
    """`mixture-<digest>/manifest.json` below the folder of a run."""
    return join(run, f"mixture-{mixture_digest(mixture)[:8]}", "manifest.json")


def write_manifest(mixture: Mixture, run: str) -> str:
    """Commits the manifest of an order below the folder of a run and returns its path.

    It holds all that a reader needs beside the shards; token folders are named relative to it.
    """
    path = manifest_path(mixture, run)
    folder = parent(path)
    write_json(
        path,
        {
            "fingerprint": mixture.fingerprint,
            "sequences": mixture.sequences,
            "sequence_length": mixture.sequence_length,
            "seed": mixture.seed,
            "sources": [
                {
                    "name": source.name,
                    "share": str(source.share),
                    "folder": relative(source.folder, folder),
                    "index": asdict(source.index),
                }
                for source in mixture.sources
            ],
        },
    )
    return path


def materialised_folder(manifest: str) -> str:
    """Where the sequences of an order lie, once they are materialised: beside its manifest."""
    return join(parent(manifest), MATERIALISED)


def read_manifest(path: str) -> Mixture:
    """The mixture of a manifest.

    Raises:
        UserError: there is no such file.
        DamagedFile: it was altered, or is of another format.
    """
    try:
        body = read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: check the path, or run mix") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: give the manifest.json in it") from None
    folder = parent(path)
    try:
        mixture = Mixture(
            sources=tuple(
                MixtureSource(
                    source["name"],
                    Fraction(source["share"]),
                    resolve(source["folder"], folder),
                    index_of(source["index"]),
                )
                for source in body["sources"]
            ),
            sequences=body["sequences"],
            sequence_length=body["sequence_length"],
            seed=body["seed"],
        )
        whole = mixture.fingerprint == body["fingerprint"]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedFile(f"{path} is not a manifest of an order ({error!r}): run mix again") from None
    if not whole:
        raise DamagedFile(f"{path} was altered: its fingerprint does not fit what it lists; run mix again")
    return mixture
