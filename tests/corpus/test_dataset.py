"""What finishes a step, and what does not."""

from pathlib import Path
from typing import Any

import pytest

from corpus.dataset import StepFolder, finish
from corpus.errors import UserError
from corpus.storage import write_json


def sidecar(part: int, given: int, kept: int, dropped: int) -> dict[str, Any]:
    return {
        "part": part,
        "documents": {"in": given, "out": kept},
        "text_bytes": {"in": 10 * given, "out": 10 * kept},
        "dropped": {"length": {"too_short": dropped}} if dropped else {},
        "seen": {"length": given},
        "dataset_digest": f"{2**64 - 1:016x}",
    }


def test_a_manifest_adds_up_its_parts(tmp_path: Path) -> None:
    folder = StepFolder(str(tmp_path))
    manifest = finish(folder, {"step": "length"}, [sidecar(1, 5, 5, 0), sidecar(0, 3, 1, 2)], ["length"])
    assert (manifest["documents"], manifest["dropped"]) == ({"in": 8, "out": 6}, {"length": {"too_short": 2}})
    assert [part["part"] for part in manifest["parts"]] == [0, 1]
    assert manifest["dataset_digest"] == f"{2**64 - 2:016x}"
    assert folder.manifest() == {"format": 1, **manifest}


@pytest.mark.parametrize(
    ("sidecars", "required", "message"),
    [
        ([sidecar(0, 3, 1, 1)], [], "3 documents in, 1 out and 1 dropped do not add up"),
        ([sidecar(0, 3, 0, 3)], [], r"every document was dropped \(length.too_short 3\)"),
        ([sidecar(0, 0, 0, 0)], [], "nothing came in, 1 parts hold no record"),
        ([sidecar(0, 3, 3, 0)], ["language"], "the rule language saw no document"),
    ],
)
def test_a_step_is_not_finished(
    tmp_path: Path, sidecars: list[dict[str, Any]], required: list[str], message: str
) -> None:
    folder = StepFolder(str(tmp_path))
    with pytest.raises(UserError, match=message):
        finish(folder, {}, sidecars, required)
    assert not folder.finished


def test_where_the_raw_files_are_does_not_change_later_digests(tmp_path: Path) -> None:
    digests = []
    for number, body in enumerate(
        [
            {"digest": "d", "input": "/raw", "versions": {"corpus": "0.1"}},
            {"digest": "d", "input": "/moved", "versions": {"corpus": "0.2"}},
            {"digest": "e", "input": "/raw", "versions": {"corpus": "0.1"}},
        ]
    ):
        folder = StepFolder(str(tmp_path / str(number)))
        write_json(folder.manifest_path, body)
        digests.append(folder.manifest_digest())
    assert digests[0] == digests[1] != digests[2]
