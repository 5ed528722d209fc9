"""The format of run files: what is written is read, and no damage goes unnoticed."""

from pathlib import Path
from unittest.mock import patch

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DamagedFile
from corpus.steps import runfile
from corpus.steps.runfile import Head, piece_path, read_run, read_slice, run_path, run_paths, write_run


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 7),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=5, unique=True),
    st.dictionaries(st.integers(0, 29), st.binary(min_size=1, max_size=50)),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    partitions: int,
    width: int,
    parts: list[int],
    slices: dict[int, bytes],
) -> None:
    folder = str(tmp_path_factory.mktemp("run"))
    head = Head(partitions, width, tuple(parts))
    slices = {number: data for number, data in slices.items() if number < head.slices}
    filled, size = write_run(run_path(folder, parts[0]), head, sorted(slices.items()))
    run = read_run(folder, parts[0])
    assert run is not None
    assert (run.head, run.size) == (head, size)
    assert size == Path(run_path(folder, parts[0])).stat().st_size
    assert size == sum(map(len, slices.values())) + 16 * head.slices + 8 * len(parts) + 44
    assert np.array_equal(run.filled, filled)
    assert np.flatnonzero(filled).tolist() == sorted(slices)
    for number in range(head.slices):
        assert read_slice(run_path(folder, parts[0]), number) == slices.get(number)
    for number in (-1, head.slices):
        with pytest.raises(ValueError, match=f"slices, not {number}"):
            read_slice(run_path(folder, parts[0]), number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_run(run_path(str(tmp_path), 3), Head(6, 2, (3, 4)), [(0, b"first"), (2, b"last")])
    return tmp_path / "part-00003.spill"


def test_a_file_that_is_cut_anywhere_is_not_whole(path: Path) -> None:
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert read_run(str(path.parent), 3) is None
        with pytest.raises(DamagedFile, match=r"part-00003.spill is damaged, .*: remove it and run the step again$"):
            read_slice(str(path), 2)


def test_a_byte_that_is_altered_is_found(path: Path) -> None:
    """In a slice by whoever reads it; in the rest, by whoever asks whether the file is whole, or reads."""
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(bytes([*whole[:at], whole[at] ^ 0xFF, *whole[at + 1 :]]))
        found = []
        for number in range(3):
            try:
                found.append(read_slice(str(path), number))
            except DamagedFile as error:
                found.append(str(error))
        for got, wanted in zip(found, (b"first", None, b"last"), strict=True):
            assert got == wanted or "part-00003.spill is damaged" in got
        if at < 9:
            assert isinstance(found[0 if at < 5 else 2], str)
        else:
            assert read_run(str(path.parent), 3) is None


def test_another_format_is_named(path: Path) -> None:
    with patch.object(runfile, "FORMAT", 7):
        write_run(str(path), Head(6, 2, (3, 4)), [])
    with pytest.raises(DamagedFile, match=r"it has format 7, and this version reads format 1"):
        read_slice(str(path), 0)
    path.write_bytes(b"of something else" * 10)
    with pytest.raises(DamagedFile, match=r"not a run file"):
        read_slice(str(path), 0)


def test_a_run_is_there_with_its_pieces(tmp_path: Path) -> None:
    folder = str(tmp_path)
    head = Head(2, 1, (5,), 2)
    write_run(run_path(folder, 5), head, [(1, b"c")])
    assert read_run(folder, 5) is None
    for number in range(2):
        write_run(piece_path(folder, 5, number), Head(2, 1, (5,), number), [(number, b"ab"[number : number + 1])])
    run = read_run(folder, 5)
    assert run is not None
    assert run.head == head
    assert run.size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert run.filled.tolist() == [True, True]
    assert run_paths(folder, 5, 2) == [f"{folder}/part-00005.{end}" for end in ("0.spill", "1.spill", "spill")]
    write_run(piece_path(folder, 5, 1), Head(3, 1, (5,), 1), [])  # of another exchange
    assert read_run(folder, 5) is None


def test_runs_go_to_any_file_system() -> None:
    folder = "memory://run-test"
    write_run(run_path(folder, 0), Head(3, 1, (0,)), [(1, b"bytes")])
    assert [read_slice(run_path(folder, 0), number) for number in range(3)] == [None, b"bytes", None]
    fsspec.filesystem("memory").rm("/run-test", recursive=True)
