"""Raw files that several stages are tried on."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def six_texts(tmp_path: Path) -> Path:
    """A folder with one file of C4: "text 0" to "text 5"."""
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = [{"text": f"text {n}", "url": f"https://example.org/{n}"} for n in range(6)]
    (folder / "c4.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder
