from hypothesis import given
from hypothesis import strategies as st

from corpus.steps.grouping import FEW_SLICES, LEAST_GROUPS, RUN_BYTES, SLICE_BYTES, Group, Grouping, groups_of


class Task:
    def __init__(self, part: int) -> None:
        self.part = part

    def __str__(self) -> str:
        return f"part-{self.part:05d}"


counts = st.integers(1, 5000)
sizes = st.sampled_from([0, 1, RUN_BYTES, 100 * RUN_BYTES, 10_000 * RUN_BYTES])


@given(counts, counts, sizes)
def test_groups_are_neighbours_and_of_like_size(tasks: int, partitions: int, size: int) -> None:
    grouping = Grouping(tasks, partitions, size)
    groups = groups_of([Task(3 * n) for n in range(tasks)], grouping)
    assert [task.part for group in groups for task in group.tasks] == [3 * n for n in range(tasks)]
    assert len(groups) == grouping.groups
    lengths = {group.parts for group in groups}
    assert max(lengths) - min(lengths) <= 1
    assert tasks == grouping.groups or grouping.groups >= LEAST_GROUPS  # workers find work
    numbers = [grouping.group_of(part) for part in range(tasks)]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(grouping.groups))
    assert {grouping.bucket_of(part) for part in range(tasks)} <= set(range(grouping.runs_of_a_slice))


@given(counts, counts, sizes)
def test_slices_are_few_or_thick(tasks: int, partitions: int, size: int) -> None:
    grouping = Grouping(tasks, partitions, size)
    assert (grouping.slices - 1) * grouping.width < partitions <= grouping.slices * grouping.width
    slices = grouping.runs * grouping.slices
    if size or grouping.width == 1:
        assert slices <= max(FEW_SLICES, grouping.runs) or slices * SLICE_BYTES <= size
    if grouping.width > 1:
        assert grouping.slices <= partitions**0.5 + 1


def test_five_snapshots_of_common_crawl() -> None:
    """75,886 parts and 37,943 partitions of 256 MiB: a slice for each of both would be 2.9 billion."""
    size = 37_943 * (256 << 20)
    grouping = Grouping(75_886, 37_943, size)
    assert (grouping.groups, grouping.runs, grouping.width) == (75_886, 4 * 37_943, 195)
    assert grouping.reads == 151_772 * 195 + 37_943 * 779  # of 340 KB
    assert grouping.framing < 0.01 * size
    assert grouping.disk == 2 * size + grouping.framing
    assert str(grouping) == "37,943 partitions in two passes, 59,153,137 reads"


def test_a_group_is_named_by_its_first_task() -> None:
    assert str(Group((Task(3),))) == "part-00003"
    group = Group((Task(3), Task(4), Task(7)))
    assert (group.part, group.parts, str(group)) == (3, 3, "part-00003 and the 2 after it")
