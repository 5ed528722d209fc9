"""What a finished step holds, for a person at a terminal."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.storage import exists
from corpus.trace import document_at, input_of

SHOWN_ALIKE = 12
"""Words of a passage that two texts have in common that are shown at each of its ends."""


@dataclass(frozen=True)
class Partner:
    """The document for which another one was dropped as a duplicate.

    Attributes:
        score: how similar they are.
        text: None where it is not here: it is in an earlier run, of which there is an index, or its step is gone.
    """

    id: str
    score: float
    text: str | None


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
    found = document_at(folder, decision["partner_part"], decision["partner_row"])
    return Partner(decision["partner"], decision["score"], None if found is None else found["text"])


def compared(one: str, other: str) -> Iterator[tuple[Literal["both", "one", "other"], str]]:
    """Passages of both texts in order, by which of them have it; of what both have, where it is long, the words at its
    ends."""
    ours, theirs = (re.findall(r"\S+\s*", text) for text in (one, other))
    words, others = ([word.strip() for word in some] for some in (ours, theirs))
    for kind, a, b, c, d in SequenceMatcher(None, words, others, autojunk=False).get_opcodes():
        if kind == "equal":
            alike = ours[a:b]
            if len(alike) > 2 * SHOWN_ALIKE + 4:
                between = f"\n... {len(alike) - 2 * SHOWN_ALIKE:,} words alike ...\n"
                alike = [*alike[:SHOWN_ALIKE], between, *alike[-SHOWN_ALIKE:]]
            passage = "".join(alike)
            yield "both", passage if passage[-1].isspace() else f"{passage} "
            continue
        if a < b:
            yield "one", "".join(ours[a:b]).rstrip()
        if c < d:
            yield "other", "".join(theirs[c:d]).rstrip()


def differences(one: str, other: str) -> str:
    """Both texts as one: `[-what only the first has-]`, `{+what only the second has+}`, and of what both have, where it
    is long, the words at its ends."""
    marked = {"both": "{}", "one": "[-{}-] ", "other": "{{+{}+}} "}
    return "".join(marked[who].format(passage) for who, passage in compared(one, other)).rstrip()


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
    for body in folder.manifest()["parts"]:
        here = {name for rule, some in body["dropped"].items() for one in some for name in (one, f"{rule}.{one}")}
        path = folder.meta("samples", body["part"])
        if (reason is not None and reason not in here) or not exists(path):
            continue
        for batch in read_part(path):
            for row in batch.to_pylist():
                named = (row["reason"], f"{row['step']}.{row['reason']}")
                if (reason is None and row["reason"] == "kept") or reason in named:
                    yield {**row, "part": body["part"]}
                    found += 1
                    if found == limit:
                        return
