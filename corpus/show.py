"""What a finished step holds, for a person at a terminal."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part, read_row
from corpus.storage import exists, read_json, resolve
from corpus.trace import input_of

SHOWN_ALIKE = 12
"""Words of a passage that two texts have in common that are shown at each of its ends."""


@dataclass(frozen=True)
class Partner:
    """The document for which another one was dropped as a duplicate.

    Attributes:
        score: how similar they are.
    """

    id: str
    score: float
    text: str


def partner_of(folder: StepFolder, sample: Mapping[str, object]) -> Partner | None:
    """For which document the dedup of a step dropped a sampled one; None where it does not say that, or where the step
    before is gone."""
    manifest = folder.manifest()
    path = folder.meta("dedup", int(str(sample["part"])))
    dedup = manifest["dedup"]
    if dedup is None or dedup["rule"] != sample["step"] or not exists(path):
        return None
    decisions = pa.Table.from_batches(list(read_part(path)))
    before = input_of(folder, manifest).data(int(str(sample["part"])))
    if "partner" not in decisions.schema.names or not exists(before):
        return None
    ids = pa.chunked_array([batch.column("id") for batch in read_part(before, ["id"])])
    rows = decisions.column("row").to_pylist()
    decision = decisions.slice(rows.index(ids.index(sample["id"]).as_py()), 1).to_pylist()[0]
    index = read_json(folder.dedup_index)
    first, place = max((first, place) for first, place in index["inputs"] if first <= decision["partner_part"])
    found = StepFolder(resolve(place, folder.path)).data(decision["partner_part"] - first)
    if not exists(found):
        return None
    text = read_row(found, decision["partner_row"], ["text"]).column("text")[0].as_py()
    return Partner(decision["partner"], decision["score"], text)


def differences(one: str, other: str) -> str:
    """Both texts as one: `[-what only the first has-]`, `{+what only the second has+}`, and of what both have, where it
    is long, the words at its ends."""
    ours, theirs = (re.findall(r"\S+\s*", text) for text in (one, other))
    out = []
    words, others = ([word.strip() for word in some] for some in (ours, theirs))
    for kind, a, b, c, d in SequenceMatcher(None, words, others, autojunk=False).get_opcodes():
        if kind == "equal":
            alike = ours[a:b]
            if len(alike) > 2 * SHOWN_ALIKE + 4:
                between = f"\n... {len(alike) - 2 * SHOWN_ALIKE:,} words alike ...\n"
                alike = [*alike[:SHOWN_ALIKE], between, *alike[-SHOWN_ALIKE:]]
            passage = "".join(alike)
            out.append(passage if passage[-1].isspace() else f"{passage} ")
            continue
        out.append(f"[-{''.join(ours[a:b]).rstrip()}-] " if a < b else "")
        out.append(f"{{+{''.join(theirs[c:d]).rstrip()}+}} " if c < d else "")
    return "".join(out).rstrip()


def counts(folder: StepFolder) -> Iterator[tuple[str, str, int]]:
    """(rule, reason, documents dropped) of the whole step."""
    for rule, reasons in folder.manifest()["dropped"].items():
        for reason, count in reasons.items():
            yield rule, reason, count


def samples(folder: StepFolder, reason: str | None, limit: int) -> Iterator[dict[str, object]]:
    """Up to `limit` sampled rows (`corpus.steps.samples.SAMPLE_SCHEMA`, and `part`, the number of their part): dropped
    for `reason`, or kept when it is None.

    `reason` is "REASON" or "RULE.REASON".

    Raises:
        UserError: nothing in this step was dropped for that reason.
    """
    found = 0
    known = {name for rule, reason_, _ in counts(folder) for name in (reason_, f"{rule}.{reason_}")}
    if reason is not None and reason not in known:
        names = ", ".join(sorted(f"{rule}.{reason_}" for rule, reason_, _ in counts(folder))) or "nothing"
        raise UserError(f"{folder.path}: nothing was dropped for {reason}; dropped were {names}")
    for part in folder.parts():
        path = folder.meta("samples", part.number)
        for batch in read_part(path) if exists(path) else ():
            for row in batch.to_pylist():
                named = (row["reason"], f"{row['step']}.{row['reason']}")
                if (reason is None and row["reason"] == "kept") or reason in named:
                    yield {**row, "part": part.number}
                    found += 1
                    if found == limit:
                        return
