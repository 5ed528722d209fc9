from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DamagedFile
from corpus.rules import Block
from corpus.steps.spill import (
    GroupedPartition,
    SpilledPartition,
    WriteSpill,
    decode_block,
    encode_block,
    gather,
    read_slice,
    spill_path,
    spilled_partitions,
)


class Task:
    def __init__(self, part: int) -> None:
        self.part = part


class Given:
    """Gives the same blocks for every task, and counts how often it is asked."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.calls = 0

    def __call__(self, task: Task) -> Iterator[Block]:
        self.calls += 1
        yield from self.blocks


def batch(numbers: list[int], names: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"hash": pa.array(numbers, pa.uint64()), "name": pa.array(names, pa.large_string())})


rows = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.none() | st.text(max_size=5)), max_size=8)
many_blocks = st.lists(st.tuples(st.integers(0, 9), rows), max_size=20)


@settings(max_examples=60, deadline=None)
@given(many_blocks, st.data())
def test_what_is_spilled_is_read_back(tmp_path_factory: pytest.TempPathFactory, given_blocks, data) -> None:  # type: ignore[no-untyped-def]
    folder = str(tmp_path_factory.mktemp("spill"))
    blocks, expected = [], {p: [] for p in range(10)}
    for partition, some in given_blocks:
        whole = batch([number for number, _ in some], [name for _, name in some])
        start = data.draw(st.integers(0, whole.num_rows))
        blocks.append((partition, whole.slice(start)))
        expected[partition] += some[start:]
    result = WriteSpill(Given(blocks), 10, folder)(Task(7))
    assert result.size == Path(spill_path(folder, 7)).stat().st_size
    read = {p: read_slice(spill_path(folder, 7), p) for p in range(10)}
    for partition, block in read.items():
        found = [] if block is None else [tuple(row.values()) for row in block.to_pylist()]
        assert found == expected[partition]
    filled = [partition.part for partition in spilled_partitions([result], folder, 10)]
    assert filled == [partition for partition in range(10) if expected[partition]]


def test_partitions_read_every_part_in_order(tmp_path: Path) -> None:
    folder = str(tmp_path)
    spills = [WriteSpill(Given([(3, batch([n], [str(n)]))]), 5, folder)(Task(n)) for n in (4, 0, 1, 9)]
    (partition,) = spilled_partitions(spills, folder, 5)
    assert partition == SpilledPartition(3, folder, (range(0, 2), range(4, 5), range(9, 10)))
    assert str(partition) == "partition 00003"
    assert [block.column("name")[0].as_py() for block in partition.blocks()] == ["0", "1", "4", "9"]


def test_equal_blocks_give_equal_bytes_however_they_are_cut(tmp_path: Path) -> None:
    whole = batch(list(range(10)), [str(n) for n in range(10)])
    one = [(1, whole)]
    many = [(1, whole.slice(0, 3)), (1, whole.slice(3, 0)), (1, whole.slice(3))]
    for name, blocks in (("one", one), ("many", many)):
        WriteSpill(Given(blocks), 2, str(tmp_path / name))(Task(0))
    assert (tmp_path / "one/part-00000.spill").read_bytes() == (tmp_path / "many/part-00000.spill").read_bytes()


def test_a_slice_does_not_drag_its_parent() -> None:
    parent = pa.record_batch({"text": pa.array(["x" * 2500] * 4000, pa.large_string()), "hash": np.arange(4000)})
    assert parent.nbytes > 10_000_000
    encoded = encode_block(parent.slice(100, 10))
    assert encoded.size < 27_000
    assert decode_block(encoded).equals(parent.slice(100, 10))
    combined = dict(gather(iter([(0, parent.slice(0, 5)), (0, parent.slice(50, 5))]), 1))
    assert encode_block(combined[0]).size < 27_000


def test_a_block_for_no_partition_is_refused() -> None:
    for partition in (-1, 4):
        with pytest.raises(ValueError, match=f"partition {partition}"):
            list(gather(iter([(partition, batch([1], ["a"]))]), 4))


def test_a_whole_file_is_used_again_and_a_damaged_one_written_again(tmp_path: Path) -> None:
    produce = Given([(0, batch([1, 2], ["a", "b"])), (2, batch([3], ["c"]))])
    write = WriteSpill(produce, 3, str(tmp_path))
    first = write(Task(0))
    assert not first.reused
    path = tmp_path / "part-00000.spill"
    whole = path.read_bytes()
    again = write(Task(0))
    assert again.reused
    assert (again.size, again.filled, produce.calls) == (first.size, first.filled, 1)

    index = len(whole) - 16 - 3 * 24
    damages = [whole[:cut] for cut in (0, 10, 16, index, len(whole) - 1)]
    damages += [bytes([*whole[:at], whole[at] ^ 1, *whole[at + 1 :]]) for at in (0, 8, index, len(whole) - 16)]
    for calls, damage in enumerate(damages, start=2):
        path.write_bytes(damage)
        assert not write(Task(0)).reused
        assert produce.calls == calls
        assert path.read_bytes() == whole
    assert [file.name for file in tmp_path.iterdir()] == ["part-00000.spill"]


def test_another_number_of_partitions_writes_again(tmp_path: Path) -> None:
    produce = Given([(0, batch([1], ["a"]))])
    WriteSpill(produce, 3, str(tmp_path))(Task(0))
    assert not WriteSpill(produce, 4, str(tmp_path))(Task(0)).reused


@pytest.mark.parametrize("where", ["cut", "header", "format", "block", "index", "end"])
def test_damage_is_found_when_a_slice_is_read(tmp_path: Path, where: str) -> None:
    WriteSpill(Given([(1, batch([1, 2], ["a", "b"]))]), 2, str(tmp_path))(Task(0))
    path = tmp_path / "part-00000.spill"
    data = bytearray(path.read_bytes())
    if where == "cut":
        del data[-30:]
    else:
        at = {"header": 0, "format": 8, "block": 40, "index": len(data) - 16 - 24, "end": len(data) - 1}[where]
        data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=r"part-00000.spill is damaged.*remove it"):
        read_slice(str(path), 1)


def test_a_failing_producer_leaves_nothing(tmp_path: Path) -> None:
    def produce(task: Task) -> Iterator[Block]:
        yield 0, batch([1], ["a"])
        raise OSError("disk on fire")

    with pytest.raises(OSError, match="disk on fire"):
        WriteSpill(produce, 2, str(tmp_path))(Task(0))
    assert list(tmp_path.iterdir()) == []


def test_spills_go_to_any_file_system() -> None:
    folder = "memory://spill-test"
    spill = WriteSpill(Given([(1, batch([5], ["e"]))]), 2, folder)(Task(0))
    (partition,) = spilled_partitions([spill], folder, 2)
    assert next(partition.blocks()).to_pylist() == [{"hash": 5, "name": "e"}]
    fsspec.filesystem("memory").rm("/spill-test", recursive=True)


def test_grouped_blocks_are_decoded() -> None:
    block = batch([1], ["a"])
    partition = GroupedPartition(4, (encode_block(block).to_pybytes(),))
    assert str(partition) == "partition 00004"
    assert next(partition.blocks()).equals(block)
