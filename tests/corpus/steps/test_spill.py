"""Regrouping in one process: any tasks, groups and cuts give exactly the blocks that were produced, after any stop."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DamagedFile
from corpus.rules import Block
from corpus.steps import spill
from corpus.steps.grouping import Group, Grouping, groups_of
from corpus.steps.spill import (
    CutAgain,
    GroupedPartition,
    GroupFailed,
    Spilled,
    SpilledPartition,
    WriteSpill,
    cut_partitions,
    decode_block,
    encode_block,
    gather,
    sort_rows,
    spilled_partitions,
)


class Task:
    def __init__(self, part: int) -> None:
        self.part = part

    def __str__(self) -> str:
        return f"part-{self.part:05d}"


class Given:
    """Gives blocks by task, fails for some, and counts how often each is asked."""

    def __init__(self, blocks: dict[int, list[Block]], failing: Sequence[int] = ()) -> None:
        self.blocks = blocks
        self.failing = set(failing)
        self.calls: Counter[int] = Counter()

    def __call__(self, task: Task) -> Iterator[Block]:
        self.calls[task.part] += 1
        yield from self.blocks[task.part]
        if task.part in self.failing:
            raise OSError(f"disk of {task} on fire")


def batch(numbers: list[int], names: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"hash": pa.array(numbers, pa.uint64()), "name": pa.array(names, pa.large_string())})


def one_each(parts: Sequence[int], partition: int = 0) -> Given:
    return Given({n: [(partition, batch([n], [str(n)]))] for n in parts})


def group(*parts: int) -> Group:
    return Group(tuple(Task(part) for part in parts))


def numbers(partition: Any) -> list[int]:
    return [number for block in partition.blocks() for number in block.column("hash").to_pylist()]


PARTITIONS = 11
rows = st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.none() | st.text(max_size=5)), max_size=6)
produced = st.lists(st.lists(st.tuples(st.booleans(), rows), max_size=4), min_size=1, max_size=9)
"""Of each task, blocks: whether all rows are for the partition of the first, and for each row (partition, a name)."""


def make(tasks: list[list[tuple[bool, list[tuple[int, str | None]]]]]) -> tuple[Given, list[list[tuple[Any, ...]]]]:
    """What the tasks give, and what must come out: by partition, rows in order of tasks and as they were given."""
    blocks: dict[int, list[Block]] = {}
    expected: list[list[tuple[Any, ...]]] = [[] for _ in range(PARTITIONS)]
    count = 0
    for part, given_blocks in enumerate(tasks):
        blocks[part] = []
        for together, some in given_blocks:
            whole = batch([2**64 - 1, *range(count, count + len(some))], ["cut away", *(name for _, name in some)])
            block = whole.slice(1)  # of a parent that must not come along
            keys = [some[0][0] if together else key for key, _ in some]
            blocks[part].append((keys[0] if together and keys else np.array(keys, np.int32), block))
            for key, row in zip(keys, block.to_pylist(), strict=True):
                expected[key].append(tuple(row.values()))
            count += len(some)
    return Given(blocks), expected


def read(partitions: Iterator[SpilledPartition]) -> list[list[tuple[Any, ...]]]:
    found: list[list[tuple[Any, ...]]] = [[] for _ in range(PARTITIONS)]
    for partition in partitions:
        found[partition.part] = [tuple(row.values()) for block in partition.blocks() for row in block.to_pylist()]
        assert found[partition.part]
    return found


def regrouped(
    produce: Given, groups: list[Group], folder: str, width: int
) -> tuple[list[list[tuple[Any, ...]]], list[Spilled]]:
    spills = [WriteSpill(produce, PARTITIONS, folder, width)(some) for some in groups]
    slices = spilled_partitions(spills, folder, PARTITIONS, width)
    if width == 1:
        return read(slices), spills
    write = WriteSpill(CutAgain(PARTITIONS, width), width, f"{folder}/again")
    again = [write(Group((some,))) for some in slices]
    return read(cut_partitions(again, f"{folder}/again", PARTITIONS, width)), spills


def dealt(count: int, starts: set[int]) -> list[Group]:
    """Tasks 0..count - 1 in groups that begin at these numbers."""
    ends = [0, *sorted(start for start in starts if 0 < start < count), count]
    return [group(*range(start, end)) for start, end in pairwise(ends)]


@settings(max_examples=80, deadline=None)
@given(produced, st.sets(st.integers(1, 8)), st.integers(1, PARTITIONS + 1), st.sampled_from([0, 60, 1000]))
def test_what_is_spilled_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, tasks: Any, starts: set[int], width: int, run_bytes: int
) -> None:
    """However tasks are grouped, and whether a run holds all of them or less than one block."""
    folder = tmp_path_factory.mktemp("spill")
    produce, expected = make(tasks)
    with patch.object(spill, "RUN_BYTES", run_bytes):
        found, spills = regrouped(produce, dealt(len(tasks), starts), str(folder), width)
    assert found == expected
    files = list(folder.glob("*.spill"))
    assert sum(some.size for some in spills) == sum(path.stat().st_size for path in files)
    assert sum(some.files for some in spills) == len(files)
    assert [some.reused for some in spills] == [0] * len(spills)


@settings(max_examples=80, deadline=None)
@given(
    produced,
    st.sets(st.integers(1, 8)),
    st.sampled_from([1, 4]),
    st.sampled_from([0, 60, 1000]),
    st.sets(st.integers(0, 8)),
    st.integers(0, 2**32),
)
def test_a_restart_does_only_what_is_missing(
    tmp_path_factory: pytest.TempPathFactory,
    tasks: Any,
    starts: set[int],
    width: int,
    run_bytes: int,
    failing: set[int],
    seed: int,
) -> None:
    """After tasks that failed, and files that are gone or damaged: the rest is used again, the result is the same."""
    folder = tmp_path_factory.mktemp("spill")
    produce, expected = make(tasks)
    groups = dealt(len(tasks), starts)
    chance = random.Random(seed)
    with patch.object(spill, "RUN_BYTES", run_bytes):
        produce.failing = failing & set(range(len(tasks)))
        for some in groups:
            write = WriteSpill(produce, PARTITIONS, str(folder), width)
            failed = [str(task) for task in some.tasks if task.part in produce.failing]
            if failed:
                with pytest.raises(GroupFailed) as caught:
                    write(some)
                assert [name for name, _ in caught.value.failures] == failed
            else:
                write(some)
        assert produce.calls == Counter(range(len(tasks)))  # a failure stops no other task
        produce.failing = set()
        lost = set()
        for path in sorted(folder.glob("*.spill")):
            kind = chance.choice(["whole", "whole", "gone", "cut"])
            if kind != "whole":
                path.unlink() if kind == "gone" else path.write_bytes(path.read_bytes()[:-5])
                lost.add(path.name)
        produce.calls.clear()
        found, spills = regrouped(produce, groups, str(folder), width)
        assert found == expected
        assert set(produce.calls.values()) <= {1}
        assert sum(some.reused for some in spills) == len(tasks) - len(produce.calls)
        if not failing and not lost:
            assert not produce.calls
        produce.calls.clear()
        assert regrouped(produce, groups, str(folder), width)[0] == expected
        assert not produce.calls


def test_a_run_holds_whole_tasks_or_a_piece_of_one(tmp_path: Path) -> None:
    """Memory: what is held is bounded, whatever a task gives."""
    block = batch(list(range(100)), ["x" * 10] * 100)
    size = block.nbytes
    produce = Given({n: [(0, block)] * count for n, count in enumerate([1, 1, 2, 5, 1])})
    with patch.object(spill, "RUN_BYTES", 2 * size):
        spilled = WriteSpill(produce, 1, str(tmp_path))(group(*range(5)))
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "part-00000.spill",
            "part-00002.spill",
            "part-00003.0.spill",
            "part-00003.spill",
            "part-00004.spill",
        ]
        assert spilled.runs == ((0, 0), (2, 0), (3, 1), (4, 0))
        assert max(path.stat().st_size for path in tmp_path.iterdir()) < 4 * size
        (partition,) = spilled_partitions([spilled], str(tmp_path), 1)
        assert numbers(partition) == list(range(100)) * 10
        (tmp_path / "part-00003.0.spill").unlink()
        produce.calls.clear()
        assert WriteSpill(produce, 1, str(tmp_path))(group(*range(5))).reused == 4
        assert produce.calls == {3: 1}


def test_framing_is_a_small_share_of_the_bytes(tmp_path: Path) -> None:
    """600 tasks at 500 partitions: a slice for each of both would be 300,000, with more bytes beside rows than in them.

    Here they are 20 MB, so that the 4,096 slices that may be thin are."""
    hashes = np.random.default_rng(1).integers(0, 500, (600, 2000))
    produce = Given({n: [(keys, pa.record_batch({"hash": keys, "n": keys}))] for n, keys in enumerate(hashes)})
    size = hashes.size * 16
    grouping = Grouping(600, 500, size)
    write = WriteSpill(produce, 500, str(tmp_path / "1"), grouping.width)
    groups = groups_of([Task(n) for n in range(600)], grouping)
    spills = [write(some) for some in groups]
    again = WriteSpill(CutAgain(500, grouping.width), grouping.width, str(tmp_path / "2"))
    slices = list(spilled_partitions(spills, str(tmp_path / "1"), 500, grouping.width))
    cut = [again(Group((some,))) for some in slices]
    partitions = list(cut_partitions(cut, str(tmp_path / "2"), 500, grouping.width))
    assert sum(len(numbers(partition)) for partition in partitions) == hashes.size
    assert all(set(numbers(partition)) == {partition.part} for partition in partitions[::50])
    assert len(spills) * len(slices) + len(partitions) == grouping.reads < 6000
    for some in (spills, cut):
        assert size < sum(spill.size for spill in some) < 1.2 * size


def test_runs_of_other_groups_are_not_mixed_in(tmp_path: Path) -> None:
    folder = str(tmp_path)
    produce = one_each(range(6))
    WriteSpill(produce, 1, folder)(group(0, 1, 2, 3))
    for groups in ([group(0, 1), group(2, 3, 4, 5)], [group(0), group(1, 2), group(3, 4, 5)]):
        spills = [WriteSpill(produce, 1, folder)(some) for some in groups]
        (partition,) = spilled_partitions(spills, folder, 1)
        assert numbers(partition) == list(range(6))


@pytest.mark.parametrize(("partitions", "width"), [(4, 1), (3, 2)])
def test_another_cut_is_written_again(tmp_path: Path, partitions: int, width: int) -> None:
    produce = one_each([0])
    WriteSpill(produce, 3, str(tmp_path))(group(0))
    assert WriteSpill(produce, 3, str(tmp_path))(group(0)).reused == 1
    assert WriteSpill(produce, partitions, str(tmp_path), width)(group(0)).reused == 0


def test_partitions_read_every_run_in_order(tmp_path: Path) -> None:
    folder = str(tmp_path)
    produce = one_each([0, 1, 4, 9], 3)
    spills = [WriteSpill(produce, 5, folder)(some) for some in (group(4), group(0, 1), group(9))]
    (partition,) = spilled_partitions(spills, folder, 5)
    assert partition == SpilledPartition(3, folder, 3, ((0, 0), (4, 0), (9, 0)))
    assert str(partition) == "partition 00003"
    assert [block.column("name").to_pylist() for block in partition.blocks()] == [["0", "1"], ["4"], ["9"]]
    assert str(SpilledPartition(2, folder, 2, ((0, 0),), 5)) == "partitions 00010 to 00014"


def test_equal_rows_give_equal_bytes_however_they_are_cut(tmp_path: Path) -> None:
    whole = batch(list(range(10)), [str(n) for n in range(10)])
    keys = np.array([1, 0] * 5)
    cuts: dict[str, list[Block]] = {
        "one": [(keys, whole)],
        "many": [(keys[:3], whole.slice(0, 3)), (1, whole.slice(3, 0)), (keys[3:], whole.slice(3))],
        "rows": [(int(key), whole.slice(n, 1)) for n, key in enumerate(keys)],
    }
    for name, blocks in cuts.items():
        WriteSpill(Given({0: blocks}), 2, str(tmp_path / name))(group(0))
    assert len({(tmp_path / name / "part-00000.spill").read_bytes() for name in cuts}) == 1


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=50))
def test_rows_are_sorted_by_partition_and_stay_in_order(keys: list[int]) -> None:
    block = pa.record_batch({"n": np.arange(len(keys))})
    found, counts = sort_rows([(np.array(keys, np.uint64), block)], 200_001)
    assert found["n"].to_pylist() == sorted(range(len(keys)), key=keys.__getitem__)
    assert counts.tolist() == np.bincount(keys, minlength=200_001).tolist()


def test_a_slice_does_not_drag_its_parent() -> None:
    parent = pa.record_batch({"text": pa.array(["x" * 2500] * 4000, pa.large_string()), "hash": np.arange(4000)})
    assert parent.nbytes > 10_000_000
    encoded = encode_block(parent.slice(100, 10))
    assert len(encoded) < 27_000
    assert decode_block(encoded).equals(parent.slice(100, 10))
    combined = dict(gather(iter([(0, parent.slice(0, 5)), (0, parent.slice(50, 5))]), 1))
    assert len(encode_block(combined[0])) < 27_000


@pytest.mark.parametrize("key", [-1, 4, np.array([0, 4]), np.array([-1, 3])])
def test_a_block_for_no_partition_is_refused(tmp_path: Path, key: Any) -> None:
    blocks: list[Block] = [(key, batch([1, 2], ["a", "b"]))]
    with pytest.raises(ValueError, match=r"a block is for partition (-1|4), and there are 4"):
        list(gather(iter(blocks), 4))
    with pytest.raises(GroupFailed, match=r"^part-00002: a block is for partition (-1|4), and there are 4$"):
        WriteSpill(Given({1: [], 2: blocks}), 4, str(tmp_path))(group(1, 2))


def test_damage_is_found_when_a_partition_is_read(tmp_path: Path) -> None:
    spilled = WriteSpill(Given({0: [(1, batch([1, 2], ["a", "b"]))]}), 2, str(tmp_path))(group(0))
    (partition,) = spilled_partitions([spilled], str(tmp_path), 2)
    path = tmp_path / "part-00000.spill"
    whole = path.read_bytes()
    path.write_bytes(bytes([*whole[:40], whole[40] ^ 1, *whole[41:]]))
    with pytest.raises(DamagedFile, match=r"part-00000.spill is damaged, the bytes of slice 1 .*: remove it and run"):
        list(partition.blocks())
    path.write_bytes(whole[:-30])
    with pytest.raises(DamagedFile, match=r"part-00000.spill is damaged, it is cut short.*: remove it and run"):
        list(partition.blocks())


def test_a_failing_task_leaves_nothing_of_itself(tmp_path: Path) -> None:
    produce = one_each([0, 1, 2])
    produce.failing = {1}
    with pytest.raises(GroupFailed, match=r"^part-00001: disk of part-00001 on fire$"):
        WriteSpill(produce, 1, str(tmp_path))(group(0, 1, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.spill", "part-00002.spill"]


def test_spills_go_to_any_file_system() -> None:
    folder = "memory://spill-test"
    spilled = WriteSpill(one_each([5], 1), 2, folder)(group(5))
    (partition,) = spilled_partitions([spilled], folder, 2)
    assert next(partition.blocks()).to_pylist() == [{"hash": 5, "name": "5"}]
    fsspec.filesystem("memory").rm("/spill-test", recursive=True)


def test_grouped_blocks_are_decoded() -> None:
    block = batch([1], ["a"])
    partition = GroupedPartition(4, (encode_block(block),))
    assert str(partition) == "partition 00004"
    assert next(partition.blocks()).equals(block)
