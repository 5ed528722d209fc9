"""A step's folder: where its parts, sidecars, decisions and manifest are, and when it is finished."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.errors import UserError
from corpus.parts import read_part
from corpus.storage import digest_of, exists, join, names, read_json, write_json


@dataclass(frozen=True)
class Part:
    """One finished part, as the manifest of its step lists it.

    Attributes:
        digest: SHA-256 of the Parquet file.
        text_bytes: UTF-8 bytes of text.
        group: the snapshot it belongs to, or "".
    """

    number: int
    digest: str
    documents: int
    text_bytes: int
    group: str = ""


@dataclass(frozen=True)
class StepFolder:
    """Paths inside one step's folder (docs/format.md, "A run")."""

    path: str

    def data(self, part: int) -> str:
        return join(self.path, "data", f"part-{part:05d}.parquet")

    def sidecar(self, part: int) -> str:
        return join(self.path, "meta", "parts", f"part-{part:05d}.json")

    def meta(self, kind: str, part: int) -> str:
        """`kind` is scores, decisions, samples or dedup."""
        return join(self.path, "meta", kind, f"part-{part:05d}.parquet")

    @property
    def dedup_folder(self) -> str:
        return join(self.path, "meta", "dedup")

    @property
    def dedup_index(self) -> str:
        return join(self.dedup_folder, "index.json")

    @property
    def manifest_path(self) -> str:
        return join(self.path, "meta", "manifest.json")

    @property
    def finished(self) -> bool:
        return exists(self.manifest_path)

    def manifest(self) -> dict[str, Any]:
        """Raises UserError when the step is not finished."""
        if not self.finished:
            raise UserError(
                f"{self.path} has no meta/manifest.json: name the folder of a step, or run this one again to its end"
            )
        return read_json(self.manifest_path)

    def manifest_digest(self) -> str:
        """SHA-256 over what the step holds: not over `input`, so that raw files and runs can be moved, and not over
        `versions`, which are recorded only."""
        return digest_of({key: value for key, value in self.manifest().items() if key not in ("input", "versions")})

    def parts(self) -> list[Part]:
        return [
            Part(p["part"], p["data"]["digest"], p["documents"]["out"], p["text_bytes"]["out"], p["group"])
            for p in self.manifest()["parts"]
        ]


def group_parts(parts: Sequence[Part], limit: int) -> list[list[Part]]:
    """Consecutive parts, in groups of at most `limit` bytes of text; a larger part stands alone."""
    groups: list[list[Part]] = []
    held = 0
    for part in parts:
        if not groups or held + part.text_bytes > limit:
            groups.append([])
            held = 0
        groups[-1].append(part)
        held += part.text_bytes
    return groups


def matching_sidecar(folder: StepFolder, part: int, expected: dict[str, Any]) -> dict[str, Any] | None:
    """The sidecar of a part when it says that the part was made from exactly this input, else None.

    `expected` holds the keys that must be equal: step digest, input digest and, after a dedup, the digest of its
    decisions.
    """
    path = folder.sidecar(part)
    if not exists(path) or not exists(folder.data(part)):
        return None
    body = read_json(path)
    return body if all(body.get(key) == value for key, value in expected.items()) else None


def claim(folder: StepFolder, digest: str) -> None:
    """Refuses a folder named by hand that holds the result of something else.

    Raises:
        UserError: with both digests.
    """
    if folder.finished:
        found = folder.manifest()["digest"]
    else:
        sidecars = names(join(folder.path, "meta", "parts"))
        if not sidecars:
            return
        found = read_json(join(folder.path, "meta", "parts", sidecars[0]))["step"]
    if found != digest:
        raise UserError(
            f"{folder.path} holds the result of step {found[:8]}, and this one is {digest[:8]}: "
            "name another folder, or remove it"
        )


def finish(
    folder: StepFolder, header: dict[str, Any], sidecars: Iterable[dict[str, Any]], required: Iterable[str] = ()
) -> dict[str, Any]:
    """Adds up the sidecars and writes the manifest, which finishes the step.

    `required` are the rules that must have seen a document.

    Every count adds up here: documents in = documents out + the sum of reasons, for each part and in all.

    Raises:
        UserError: the counts of a part do not add up, a required rule saw no document, every document was dropped, or
            there was none.
    """
    parts = sorted(sidecars, key=lambda body: body["part"])
    for body in parts:
        dropped = sum(sum(reasons.values()) for reasons in body["dropped"].values())
        if body["documents"]["in"] != body["documents"]["out"] + dropped:
            raise UserError(
                f"{folder.sidecar(body['part'])}: {body['documents']['in']} documents in, "
                f"{body['documents']['out']} out and {dropped} dropped do not add up: please report this with the file"
            )
    manifest = {
        **header,
        "documents": _sum(parts, "documents"),
        "text_bytes": _sum(parts, "text_bytes"),
        "dropped": _sum_dropped(parts),
        "seen": _sum(parts, "seen"),
        "dataset_digest": f"{sum(int(body['dataset_digest'], 16) for body in parts) % 2**64:016x}",
        "parts": parts,
    }
    if notes := _sum([body for body in parts if "notes" in body], "notes"):
        manifest["notes"] = notes
    if not manifest["documents"]["in"]:
        raise UserError(f"{folder.path}: nothing came in, {len(parts)} parts hold no record: check the input")
    for key in required:
        if manifest["documents"]["out"] and not manifest["seen"].get(key):
            raise UserError(
                f"{folder.path}: the rule {key} saw no document: check the rules before it, "
                "or set `optional: true` on it"
            )
    if not manifest["documents"]["out"]:
        reasons = ", ".join(
            f"{rule}.{reason} {count}" for rule, some in manifest["dropped"].items() for reason, count in some.items()
        )
        raise UserError(
            f"{folder.path}: every document was dropped ({reasons}){_example(folder)}: check rules and input"
        )
    write_json(folder.manifest_path, manifest)
    return manifest


def _example(folder: StepFolder) -> str:
    """What the sample of a raw record that gave no document says of it."""
    path = folder.meta("samples", 0)
    for batch in read_part(path) if exists(path) else ():
        for row in batch.to_pylist():
            if row["detail"]:
                return f", as of {row['file']} ({row['detail']})"
    return ""


def _sum(parts: list[dict[str, Any]], key: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for body in parts:
        for name, count in body[key].items():
            total[name] = total.get(name, 0) + count
    return dict(sorted(total.items()))


def _sum_dropped(parts: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for body in parts:
        for rule, reasons in body["dropped"].items():
            counts = total.setdefault(rule, {})
            for reason, count in reasons.items():
                counts[reason] = counts.get(reason, 0) + count
    return {rule: dict(sorted(reasons.items())) for rule, reasons in sorted(total.items())}
