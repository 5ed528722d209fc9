"""One finished step as a page shows it: what each rule dropped, with documents, and its thresholds with scores."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.clusters import largest_clusters, names_partners
from corpus.dataset import StepFolder
from corpus.filters.perplexity import Perplexity
from corpus.report.plots import histogram as draw
from corpus.show import compared, counts, partner_of, samples
from corpus.steps.rule import NamedRule
from corpus.trace import document_at
from corpus.tuning.border import Neighbour, borders
from corpus.tuning.histogram import Histogram, Wanted, histograms
from corpus.tuning.stored import chain_of, name_of, numeric_thresholds, stored_parts

SAMPLES = 3
"""Documents that are shown of each reason, and on each side of a threshold."""
SPARE = 20
"""More of them that are looked for, at most, to stand in for those that someone asked to take out."""
CLUSTERS = 5
SHOWN_CHARACTERS = 1000
LANGUAGES = 5
"""Whose perplexity is drawn."""

Passages = Sequence[tuple[str, str]]
"""(who has it: both, one or other; the passage), as `corpus.show.compared` gives them."""


@dataclass(frozen=True)
class Excerpt:
    """A document, or a raw record that gave none.

    Attributes:
        name: its id, or the place of a record.
        note: what else there is to say of it.
        text: its beginning; of a record what is wrong with it.
        cut: the text goes on.
        passages: of a document and the one for which it went, in place of the text.
    """

    name: str
    note: str
    text: str
    cut: bool = False
    passages: Passages | None = None


@dataclass(frozen=True)
class Removed:
    """What one reason dropped."""

    rule: str
    reason: str
    documents: int
    samples: list[Excerpt]


@dataclass(frozen=True)
class Distribution:
    """A histogram and how it is told.

    Attributes:
        plot: an SVG element.
        limits: what the lines in it are.
        rows: of the table that says the same: from, to, documents.
    """

    title: str
    plot: str
    limits: str
    documents: int
    rows: list[tuple[str, str, int]]


@dataclass(frozen=True)
class ShownThreshold:
    """A threshold that dropped something.

    Attributes:
        name: RULE.FIELD.
        condition: what is kept, as in `characters >= 300`.
        dropped: documents, for its reason.
        scores: of all documents that reached the rule.
    """

    name: str
    condition: str
    reason: str
    dropped: int
    scores: Distribution
    kept_side: list[Excerpt]
    dropped_side: list[Excerpt]


@dataclass(frozen=True)
class ShownCluster:
    """Near duplicates, of which one stayed: it and the one that is least like it, as one text."""

    documents: int
    least: float
    most: float
    id: str
    gone: str
    passages: Passages | None


@dataclass(frozen=True)
class ShownStep:
    """One step of one source; counts are those of its manifest."""

    name: str
    folder: StepFolder
    manifest: Mapping[str, Any]
    removed: list[Removed]
    thresholds: list[ShownThreshold]

    @property
    def dropped(self) -> int:
        return sum(one.documents for one in self.removed)

    @property
    def text_dropped(self) -> int:
        """Bytes of UTF-8, those that cleaners took out of documents that stayed among them."""
        return int(self.manifest["text_bytes"]["in"] - self.manifest["text_bytes"]["out"])


def looked_for(hidden: Collection[str]) -> int:
    """Documents to look for, so that some are left to show."""
    return SAMPLES + min(SPARE, len(hidden))


def shown_step(folder: StepFolder, hidden: Collection[str] = ()) -> ShownStep:
    """A finished step.

    Args:
        hidden: ids of documents that are not to be shown.
    """
    manifest = folder.manifest()
    removed = [
        Removed(rule, reason, count, list(_samples(folder, rule, reason, hidden)))
        for rule, reason, count in counts(folder)
    ]
    thresholds = [] if manifest["step"] == "extract" else _thresholds(folder, manifest, hidden)
    return ShownStep(manifest["step"], folder, manifest, removed, thresholds)


def _samples(folder: StepFolder, rule: str, reason: str, hidden: Collection[str]) -> Iterator[Excerpt]:
    left = SAMPLES
    for row in samples(folder, f"{rule}.{reason}", looked_for(hidden)):
        if left and row["id"] not in hidden:
            left -= 1
            yield _sample(folder, row, hidden)


def _sample(folder: StepFolder, row: Mapping[str, Any], hidden: Collection[str]) -> Excerpt:
    places = (row["file"], row["member"], None if row["record"] is None else f"record {row['record']}")
    place = ", ".join(place for place in places if place is not None)
    partner = partner_of(folder, row)
    if partner is not None and partner.id not in hidden:
        note = f"similarity {partner.score:.3f} to {partner.id}"
        if partner.text is None:
            return excerpt(row["id"], f"{note}, whose text is not in this run", row["text"])
        passages = list(compared(row["text"][:SHOWN_CHARACTERS], partner.text[:SHOWN_CHARACTERS]))
        return Excerpt(row["id"], note, "", passages=passages)
    text = row["text"] if row["text"] is not None else row["detail"] or ""
    return excerpt(row["id"] or place, place if row["id"] else "", text)


def excerpt(name: str, note: str, text: str) -> Excerpt:
    """The beginning of a document."""
    return Excerpt(name, note, text[:SHOWN_CHARACTERS], len(text) > SHOWN_CHARACTERS)


def _thresholds(folder: StepFolder, manifest: Mapping[str, Any], hidden: Collection[str]) -> list[ShownThreshold]:
    """Those that dropped something, by the counts of their reasons."""
    found = [
        (named, threshold, count)
        for named, threshold in numeric_thresholds(chain_of(folder))
        if (count := manifest["dropped"].get(named.key, {}).get(threshold.reason))
        and threshold.value(named.rule) is not None
    ]
    if not found:
        return []
    pairs = [(named, threshold) for named, threshold, _ in found]
    columns = [f"{named.key}.{threshold.mark.score}" for named, threshold in pairs]
    values = [threshold.value(named.rule) for named, threshold in pairs]
    scores = histograms(folder, [Wanted(column, (value,)) for column, value in zip(columns, values, strict=True)])
    shown = []
    near = borders(folder, pairs, looked_for(hidden))
    for (named, threshold, count), value, histogram, border in zip(found, values, scores, near, strict=True):
        if histogram is None:
            continue
        score = threshold.mark.score
        condition = f"{score} {threshold.mark.side} {value:,}"
        distribution_ = distribution(name_of(named, threshold), histogram, (value,), score, f"{condition} is kept")
        sides = [_neighbours(side, hidden) for side in (border.kept, border.dropped)]
        shown.append(
            ShownThreshold(name_of(named, threshold), condition, threshold.reason, count, distribution_, *sides)
        )
    return shown


def _neighbours(some: list[Neighbour], hidden: Collection[str]) -> list[Excerpt]:
    shown = [one for one in some if one.id not in hidden][:SAMPLES]
    return [excerpt(one.id, f"score {one.score:,}", one.text) for one in shown]


def distribution(title: str, histogram: Histogram, limits: tuple[float, ...], label: str, told: str) -> Distribution:
    """A histogram with lines at some values, drawn and as a table.

    Args:
        label: of the axis of values.
        told: what the lines are.
    """
    edges = histogram.edges.tolist()
    numbers = histogram.counts.tolist()
    rows = [
        (_number(low), _number(high), count)
        for low, high, count in zip(edges, edges[1:], numbers, strict=False)
        if count
    ]
    return Distribution(title, draw(edges, numbers, limits, label, histogram.log), told, sum(numbers), rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def lengths(folder: StepFolder) -> list[Distribution]:
    """Of the documents that came into a step, where one of its filters stored their characters."""
    columns = [
        f"{named.key}.characters"
        for named in _filters(folder)
        if "characters" in type(named.filter).score_names()
    ]  # fmt: skip
    found = histograms(folder, [Wanted(column) for column in columns])
    return [
        distribution(column, histogram, (), "characters", "")
        for column, histogram in zip(columns, found, strict=True)
        if histogram is not None
    ]


@dataclass(frozen=True)
class ShownPerplexity:
    """What a perplexity filter found.

    Attributes:
        buckets: (language, bucket, documents, whether the bucket is kept).
        languages: of those with the most documents, the perplexity with both cut-offs.
    """

    rule: str
    buckets: list[tuple[str, str, int, bool]]
    languages: list[Distribution]


def perplexities(folder: StepFolder) -> Iterator[ShownPerplexity]:
    """Of each perplexity filter of a step."""
    for named in _filters(folder):
        if not isinstance(named.rule, Perplexity):
            continue
        rule, total = named.rule, dict[tuple[str, str], int]()
        for part in stored_parts(folder, chain_of(folder)):
            column = f"{named.key}.perplexity_language"
            if column not in part.scores.schema.names:
                continue
            rows = part.scores.column(column).is_valid().to_numpy().nonzero()[0]
            scores = part.scores_of(named, rows)
            for pair in zip(
                scores.column("perplexity_language").to_pylist(), rule.buckets(scores).to_pylist(), strict=True
            ):
                total[pair] = total.get(pair, 0) + 1
        by_language: dict[str, int] = {}
        for (language, _), count in total.items():
            by_language[language] = by_language.get(language, 0) + count
        ordered = sorted(by_language, key=lambda language: (-by_language[language], language))
        buckets = [
            (language, bucket, total[language, bucket], bucket in rule.keep)
            for language in ordered
            for bucket in ("head", "middle", "tail", "all")
            if (language, bucket) in total
        ]
        yield ShownPerplexity(named.key, buckets, _perplexity_plots(folder, named, rule, ordered))


def _perplexity_plots(
    folder: StepFolder, named: NamedRule, rule: Perplexity, languages: list[str]
) -> list[Distribution]:
    drawn = [language for language in languages if language in rule.cutoffs][:LANGUAGES]
    column, by = f"{named.key}.perplexity", f"{named.key}.perplexity_language"
    wanted = [Wanted(column, rule.cutoffs[language], (by, language)) for language in drawn]
    return [
        distribution(
            f"{named.key}, {language}", histogram, rule.cutoffs[language], "perplexity",
            "head is below the first line, middle below the second, tail behind it",
        )
        for language, histogram in zip(drawn, histograms(folder, wanted), strict=True)
        if histogram is not None
    ]  # fmt: skip


def _filters(folder: StepFolder) -> list[NamedRule]:
    if folder.manifest()["step"] == "extract":
        return []
    return [named for named in chain_of(folder) if named.is_filter]


def shown_clusters(folders: list[StepFolder], hidden: Collection[str] = ()) -> list[ShownCluster]:
    """The largest clusters of a dedup, in all folders of its; empty where it does not say what went for what."""
    shown = []
    for cluster in largest_clusters(folders, CLUSTERS) if names_partners(folders) else ():
        gone, stayed = (document_at(folders[0], *place) for place in (cluster.gone, cluster.stayed))
        if cluster.id in hidden or (gone and gone["id"] in hidden):
            continue
        passages = None
        if gone and stayed:
            passages = list(compared(gone["text"][:SHOWN_CHARACTERS], stayed["text"][:SHOWN_CHARACTERS]))
        name = gone["id"] if gone else "a document of a step that is gone"
        shown.append(ShownCluster(cluster.documents, cluster.least, cluster.most, cluster.id, name, passages))
    return shown
