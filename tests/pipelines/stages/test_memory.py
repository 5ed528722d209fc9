"""Memory of a global decision does not grow with the corpus."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("line_dedup_memory.py")


@pytest.mark.slow
def test_line_dedup_of_80_million_lines_takes_the_memory_of_20_million(tmp_path: Path) -> None:
    found = {}
    for parts in (20, 80):
        folder = tmp_path / str(parts)
        command = [sys.executable, str(SCRIPT), str(folder), str(parts)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[parts] = json.loads(output.splitlines()[-1])
        print(
            f"{parts} million lines: peak {found[parts]['peak'] / 1e6:.0f} MB, spilled {found[parts]['spill']:,} bytes"
        )
        assert found[parts]["in"] == found[parts]["out"] == parts * 4000  # every line is distinct: nothing goes
        assert found[parts]["spill"] > parts * 8_000_000  # 8 bytes a line, so the lines did go through
    assert abs(found[80]["peak"] - found[20]["peak"]) < 0.1 * found[20]["peak"]
