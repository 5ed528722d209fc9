"""Equal windows of texts, by their units."""

from typing import Any

import numpy as np

from corpus.dedup.winnowing import BASE, mixed
from corpus.kernel import kernel


@kernel
def find_later(
    units: Any,
    ends: Any,
    group: Any,
    document: Any,
    place: Any,
    first: Any,
    last: Any,
    counted: Any,
    length: Any,
    top: Any,
) -> Any:
    """Whether each window has an equal one in a row before it, of the same group, that does not overlap it.

    Windows are found by rolling hashes in a table of the group, in which there are only first ones, and are equal where
    their units are. The window behind a later copy is one too if that copy's original goes on by the same unit: so a
    long copy costs one comparison a window.

    Args:
        units, ends: row i has the units ends[i]:ends[i + 1], those of its windows.
        group, document, place, first, last: of each row, in the order of winners in a group.
        counted: windows of the rows before, shape (rows + 1,): where those of a row are in the result.
        top: what the first unit of a window counts in its rolling hash.
    """
    later = np.zeros(counted[-1], np.bool_)
    begin = 0
    while begin < len(group):
        end = begin
        while end < len(group) and group[end] == group[begin]:
            end += 1
        size = 16
        while size < 2 * (counted[end] - counted[begin]):
            size *= 2
        owner = np.full(size, -1, np.int32)
        start = np.empty(size, np.int32)
        value = np.empty(size, np.uint32)
        for i in range(begin, end):
            rolling, original = np.uint64(0), np.int64(-1)
            for j in range(ends[i], ends[i] + length - 1):
                rolling = rolling * BASE + np.uint64(units[j])
            for window in range(last[i] - first[i] + 1):
                at = ends[i] + window
                unit = units[at + length - 1]
                rolling = rolling * BASE + np.uint64(unit)
                offset = place[i] - first[i] - window  # of the anchor in the window
                if original >= 0:
                    other = place[original] - offset - first[original]
                    if other <= last[original] - first[original] and units[ends[original] + other + length - 1] == unit:
                        later[counted[i] + window] = True
                        rolling -= np.uint64(units[at]) * top
                        continue
                original = np.int64(-1)
                h = mixed(rolling + np.uint64(offset) * BASE)
                slot, check = np.int64(h & np.uint64(size - 1)), np.uint32(h >> np.uint64(32))
                while owner[slot] >= 0:
                    if value[slot] == check:
                        other, j = ends[owner[slot]] + start[slot], 0
                        while j < length and units[other + j] == units[at + j]:
                            j += 1
                        if j == length:
                            break
                    slot = (slot + 1) & (size - 1)
                if owner[slot] < 0:
                    owner[slot], start[slot], value[slot] = i, window, check
                elif document[owner[slot]] != document[i] or place[i] - place[owner[slot]] >= length:
                    later[counted[i] + window] = True
                    original = np.int64(owner[slot])
                rolling -= np.uint64(units[at]) * top
        begin = end
    return later
