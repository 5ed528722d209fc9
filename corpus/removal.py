"""What was asked to be taken out of a run: `removed/` in its folder. docs/format.md, "Removal"."""

from collections.abc import Mapping
from typing import Any

from corpus.errors import UserError
from corpus.steps.find import Wanted
from corpus.storage import exists, join, names, open_read, read_json, write_json

FOLDER = "removed"
_REQUEST = "request-"


def read_values(path: str) -> tuple[str, ...]:
    """The ids or URLs of a text file, one a line, sorted.

    Raises:
        UserError: there is no such file, or no line with text in it.
    """
    if not exists(path):
        raise UserError(f"{path} does not exist: give a text file, one id or URL a line")
    with open_read(path) as file:
        lines = {line.decode("utf-8-sig", "replace").strip() for line in file}
    if not (values := tuple(sorted(filter(None, lines)))):
        raise UserError(f"{path} names nothing: write one id or URL a line")
    return values


def requests(run: str) -> list[dict[str, Any]]:
    """All requests on a run in order, as `add_request` wrote them."""
    folder = join(run, FOLDER)
    return [read_json(join(folder, name)) for name in sorted(names(folder)) if name.startswith(_REQUEST)]


def listed(run: str) -> Wanted:
    """Everything that was asked to be taken out of a run."""
    found = Wanted()
    for request in requests(run):
        found |= Wanted(tuple(request["ids"]), tuple(request["urls"]))
    return found


def asked_out(run: str) -> frozenset[str]:
    """Ids of the documents that someone asked to take out of a run: its steps still hold them, but they are not to be
    shown."""
    found = {entry["id"] for request in requests(run) for entry in request.get("found", ())}
    return frozenset({*listed(run).ids, *found})


def add_request(run: str, wanted: Wanted, body: Mapping[str, Any]) -> str:
    """Writes a request and what is known of it; the path of its file. From then on the run keeps these out."""
    path = join(run, FOLDER, f"{_REQUEST}{len(requests(run)) + 1:04d}.json")
    write_json(path, {"ids": list(wanted.ids), "urls": list(wanted.urls), **body})
    return path
