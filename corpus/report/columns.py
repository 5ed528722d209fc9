"""What the columns of a source's documents say of all of them: languages, licences, hosts of URLs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import Part, StepFolder
from corpus.parts import read_part
from corpus.tuning.stored import chain_of, stored_parts

LOOKED_AT = 2_000_000
"""Documents of a step whose columns are read, in parts evenly spaced over it: a few seconds' worth."""
TOP = 100
"""Hosts in a table."""
LISTED = 30
"""Languages and licences in a table; the others are added up."""
OTHERS = "others"

_HOST = r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/?#@]*@)?(?:[wW]{3}\.)?(?P<host>\[[^\]/?#]*\]|[^/?#:]*)"


@dataclass(frozen=True)
class Survival:
    """What became of the documents that have one value of a column.

    Attributes:
        before, after: documents; `before` counts those that went too.
    """

    value: str
    before: int
    after: int

    @property
    def dropped(self) -> int:
        return self.before - self.after


@dataclass(frozen=True)
class SourceColumns:
    """Of the documents of one source.

    Attributes:
        documents: that were looked at after the last step, and `of` how many.
        languages, licenses: (value, documents after the last step), most first; "" where there is none.
        kept_hosts, dropped_hosts: up to `TOP` hosts of URLs, those with the most documents kept, and dropped, first.
    """

    documents: int
    of: int
    languages: list[tuple[str, int]]
    licenses: list[tuple[str, int]]
    kept_hosts: list[Survival]
    dropped_hosts: list[Survival]


def columns_of(first: StepFolder, last: StepFolder) -> SourceColumns:
    """Of the same parts of the first and the last step of a source; no text is read."""
    parts = last.parts()
    chosen = _chosen(first.parts())
    counts = _counts(last, chosen, ["language", "license", "url"])
    before = counts["url"] if first == last else _counts(first, chosen, ["url"])["url"]
    hosts = [Survival(host, count, counts["url"][host]) for host, count in before.items() if host]
    looked_at = sum(part.documents for part in parts if part.number in chosen)
    return SourceColumns(
        looked_at,
        sum(part.documents for part in parts),
        _listed(counts["language"]),
        _listed(counts["license"]),
        sorted(hosts, key=lambda one: (-one.after, one.value))[:TOP],
        sorted((one for one in hosts if one.dropped), key=lambda one: (-one.dropped, one.value))[:TOP],
    )


def scored_languages(folder: StepFolder) -> list[Survival]:
    """By language, the documents that the first filter of a step which stores one found it in, and those of them that
    the step kept; most first."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    chain = chain_of(folder)
    named = next((one for one in chain if one.is_filter and "language" in one.filter.score_names()), None)
    for part in stored_parts(folder, chain) if named else ():
        if named and f"{named.key}.language" in part.scores.schema.names:
            languages = part.scores.column(f"{named.key}.language").combine_chunks()
            _add(before, languages)
            _add(after, languages.filter(pa.array(part.dropped_by == len(chain))))
    found = [Survival(value, count, after[value]) for value, count in before.items() if value]
    found.sort(key=lambda one: (-one.before, one.value))
    rest = found[LISTED:]
    if rest:
        found[LISTED:] = [Survival(OTHERS, sum(one.before for one in rest), sum(one.after for one in rest))]
    return found


def _chosen(parts: Sequence[Part]) -> set[int]:
    """Numbers of parts, evenly spaced, that hold at most about `LOOKED_AT` documents."""
    documents = sum(part.documents for part in parts)
    count = len(parts) if documents <= LOOKED_AT else max(1, len(parts) * LOOKED_AT // documents)
    return {parts[place].number for place in np.linspace(0, len(parts) - 1, count).astype(int)}


def _counts(folder: StepFolder, parts: set[int], columns: list[str]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in columns}
    for part in sorted(parts):
        for batch in read_part(folder.data(part), columns):
            for name in columns:
                column = batch.column(name)
                _add(counts[name], hosts(column) if name == "url" else column)
    return counts


def hosts(urls: pa.Array) -> pa.Array:
    """The host of each URL in small letters, without `www.`; null where there is none."""
    found = pc.extract_regex(urls, _HOST)
    return pc.ascii_lower(pc.struct_field(found, "host"))


def _add(counts: Counter[str], values: pa.Array) -> None:
    for entry in pc.value_counts(values.cast(pa.string())).to_pylist():
        counts[entry["values"] or ""] += entry["counts"]


def _listed(counts: Counter[str]) -> list[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(count for _, count in ordered[LISTED:])
    return [*ordered[:LISTED], *([(OTHERS, rest)] if rest else [])]
