"""The end of a step: sidecars of all parts into the manifest."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from corpus.dataset import StepFolder, finish
from corpus.errors import UserError
from corpus.storage import clear_attempts, exists, read_json

READERS = 32
"""Threads that read sidecars: they wait for an object store, not for a processor."""


def finish_step(
    folder: StepFolder, header: dict[str, Any], digest: str, parts: Iterable[int], required: Iterable[str] = ()
) -> dict[str, Any]:
    """Checks that every part has a sidecar of this step, adds them up, and writes the manifest.

    Raises:
        UserError: a part is missing, the counts do not add up, or a rule that is not optional saw no document.
    """

    def sidecar(part: int) -> dict[str, Any] | None:
        path = folder.sidecar(part)
        if not exists(path):
            return None
        body = read_json(path)
        return body if body["step"] == digest else None

    numbers = list(parts)
    with ThreadPoolExecutor(READERS) as pool:
        bodies = list(pool.map(sidecar, numbers))
    missing = [number for number, body in zip(numbers, bodies, strict=True) if body is None]
    if missing:
        raise UserError(f"{folder.path}: parts {missing[:10]} of {len(numbers)} are not finished: run the step again")
    clear_attempts(folder.path)
    return finish(
        folder, header, [{k: v for k, v in body.items() if k != "format"} for body in bodies if body], required
    )
