"""What the columns of a source's documents say of all of them: languages, licences, hosts of URLs."""

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
    after = _counts(last, chosen, ["language", "license", "url"])
    before = after["url"] if first == last else _counts(first, chosen, ["url"])["url"]
    survival = before.join(after["url"], "values", right_suffix=" after", use_threads=False)
    survival = survival.set_column(2, "after", pc.fill_null(survival.column("counts after"), 0))
    survival = survival.append_column("dropped", pc.subtract(survival.column("counts"), survival.column("after")))
    hosts = survival.filter(pc.not_equal(survival.column("values"), ""))
    return SourceColumns(
        sum(part.documents for part in parts if part.number in chosen),
        sum(part.documents for part in parts),
        _listed(after["language"]),
        _listed(after["license"]),
        _top(hosts, "after"),
        _top(hosts.filter(pc.greater(hosts.column("dropped"), 0)), "dropped"),
    )


def _top(hosts: pa.Table, column: str) -> list[Survival]:
    """Those with the most documents in a column, by name where they have as many."""
    rows = hosts.sort_by([(column, "descending"), ("values", "ascending")]).slice(0, TOP).to_pylist()
    return [Survival(row["values"], row["counts"], row["after"]) for row in rows]


def scored_languages(folder: StepFolder) -> list[Survival]:
    """By language, the documents that the first filter of a step which stores one found it in, and those of them that
    the step kept; most first."""
    before: list[pa.StructArray] = []
    after: list[pa.StructArray] = []
    chain = chain_of(folder)
    named = next((one for one in chain if one.is_filter and "language" in one.filter.score_names()), None)
    for part in stored_parts(folder, chain) if named else ():
        if named and f"{named.key}.language" in part.scores.schema.names:
            languages = part.scores.column(f"{named.key}.language").combine_chunks()
            before.append(pc.value_counts(languages))
            after.append(pc.value_counts(languages.filter(pa.array(part.dropped_by == len(chain)))))
    kept = dict(zip(*_added(after).to_pydict().values(), strict=True))
    found = [
        Survival(value, count, kept.get(value, 0))
        for value, count in zip(*_added(before).to_pydict().values(), strict=True)
        if value
    ]
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


def _counts(folder: StepFolder, parts: set[int], columns: list[str]) -> dict[str, pa.Table]:
    """Of each column the values, "" where there is none, and how many documents have them (`values`, `counts`)."""
    found: dict[str, list[pa.StructArray]] = {name: [] for name in columns}
    for part in sorted(parts):
        for batch in read_part(folder.data(part), columns):
            for name in columns:
                column = batch.column(name).cast(pa.string())
                values = hosts(column) if name == "url" else column
                found[name].append(pc.value_counts(values.fill_null("")))
    return {name: _added(some) for name, some in found.items()}


def _added(some: list[pa.StructArray]) -> pa.Table:
    """The counts of several batches."""
    schema = pa.schema([("values", pa.string()), ("counts", pa.int64())])
    every = pa.Table.from_batches([pa.RecordBatch.from_struct_array(counts) for counts in some], schema)
    added = every.group_by("values", use_threads=False).aggregate([("counts", "sum")])
    return added.rename_columns({"counts_sum": "counts"})


def hosts(urls: pa.Array) -> pa.Array:
    """The host of each URL in small letters, without `www.`; null where there is none."""
    found = pc.extract_regex(urls, _HOST)
    return pc.ascii_lower(pc.struct_field(found, "host"))


def _listed(counts: pa.Table) -> list[tuple[str, int]]:
    ordered = counts.sort_by([("counts", "descending"), ("values", "ascending")]).to_pydict()
    pairs = list(zip(ordered["values"], ordered["counts"], strict=True))
    rest = sum(count for _, count in pairs[LISTED:])
    return [*pairs[:LISTED], *([(OTHERS, rest)] if rest else [])]
