"""Count lists: many sorted lists of numbers with a count each, packed in one array: a sparse matrix that changes.

A list that outgrows its room goes to the array's end, with room for half as much again; where the end is reached all
are packed anew. What left is never more than a constant share of what is there, however much comes and goes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.kernel import kernel

MOST = 255
"""A count is at most this."""


class CountLists(NamedTuple):
    """The lists; kernels change them in place."""

    numbers: NDArray[np.int32]
    """(room,) of all lists, ascending in each."""
    counts: NDArray[np.uint8]
    """(room,) theirs."""
    starts: NDArray[np.int64]
    """(>= n,) where each list begins."""
    sizes: NDArray[np.int32]
    """(>= n,) how many numbers each list has."""
    rooms: NDArray[np.int32]
    """(>= n,) how many it can have where it is."""
    end: NDArray[np.int64]
    """(1,) where the next list begins."""


def empty_lists() -> CountLists:
    """Return no list at all."""
    none = np.zeros(0, dtype=np.int32)
    return CountLists(none, none.astype(np.uint8), none.astype(np.int64), none, none, np.zeros(1, dtype=np.int64))


def ensure_lists(lists: CountLists, n: int) -> CountLists:
    """Return the same with ``n`` lists or more, the new ones empty."""
    if n <= len(lists.sizes):
        return lists
    return lists._replace(starts=grow(lists.starts, n), sizes=grow(lists.sizes, n), rooms=grow(lists.rooms, n))


def pack(lists: CountLists, n_more: int) -> CountLists:
    """Return the same packed into another array, with room for half as much again and ``n_more`` numbers at least."""
    rooms = np.minimum(lists.rooms, lists.sizes + lists.sizes // 2)
    n = int(rooms.sum(dtype=np.int64))
    room = n + max(n // 2, n_more, 1024)
    packed = lists._replace(numbers=np.empty(room, dtype=np.int32), counts=np.empty(room, dtype=np.uint8))
    _copy(lists, packed, rooms)
    return packed


@kernel()
def _copy(old: CountLists, new: CountLists, rooms: NDArray[np.int32]) -> None:
    """Copy each list to where it belongs in ``new``, which has the other arrays in common with ``old``."""
    end = 0
    for each in range(len(rooms)):
        start = old.starts[each]
        for index in range(old.sizes[each]):
            new.numbers[end + index] = old.numbers[start + index]
            new.counts[end + index] = old.counts[start + index]
        new.starts[each] = end
        new.rooms[each] = rooms[each]
        end += rooms[each]
    new.end[0] = end


@kernel()
def find(lists: CountLists, low: int, end: int, number: int) -> int:
    """Return the index in the arrays, from ``low`` to ``end`` in one list, of the first number that is not smaller.

    Steps double until they are too long, so that what is near is found soon.
    """
    step = 1
    while low + step <= end and lists.numbers[low + step - 1] < number:
        low += step
        step *= 2
    high = min(low + step - 1, end)
    while low < high:
        middle = (low + high) // 2
        if lists.numbers[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low


@kernel()
def _find_in(lists: CountLists, each: int, number: int) -> int:
    """Return the index in the arrays where a number is in one list, or belongs."""
    start = int(lists.starts[each])
    end = start + int(lists.sizes[each])
    if end > start and lists.numbers[end - 1] < number:
        return end  # a new row
    return find(lists, start, end, number)


@kernel()
def _make_room(lists: CountLists, each: int, n: int, room: int) -> int:
    """See that a list has room for ``n``, else give it ``room`` at the end; return 0, or how much room there is not."""
    if n <= lists.rooms[each]:
        return 0
    end, start = lists.end[0], lists.starts[each]
    if end + room > len(lists.numbers):
        return room
    for index in range(lists.sizes[each]):
        lists.numbers[end + index] = lists.numbers[start + index]
        lists.counts[end + index] = lists.counts[start + index]
    lists.starts[each] = end
    lists.rooms[each] = room
    lists.end[0] += room
    return 0


@kernel()
def set_count(lists: CountLists, each: int, number: int, count: int) -> int:
    """Set the count of a number, new or not, in one list; return 0, or if nothing was done for how many to ``pack``."""
    index, size = _find_in(lists, each, number), lists.sizes[each]
    if index == lists.starts[each] + size or lists.numbers[index] != number:
        offset = index - lists.starts[each]
        missing = _make_room(lists, each, size + 1, size + 1 + size // 2)
        if missing > 0:
            return missing
        index = lists.starts[each] + offset
        end = lists.starts[each] + size
        lists.numbers[index + 1 : end + 1] = lists.numbers[index:end]
        lists.counts[index + 1 : end + 1] = lists.counts[index:end]
        lists.numbers[index] = number
        lists.sizes[each] += 1
    lists.counts[index] = count
    return 0


@kernel()
def remove(lists: CountLists, each: int, number: int) -> None:
    """Take a number out of one list, if it is there."""
    index, last = _find_in(lists, each, number), lists.starts[each] + lists.sizes[each] - 1
    if index > last or lists.numbers[index] != number:
        return
    lists.numbers[index:last] = lists.numbers[index + 1 : last + 1]
    lists.counts[index:last] = lists.counts[index + 1 : last + 1]
    lists.sizes[each] -= 1


@kernel()
def replace(lists: CountLists, each: int, numbers: NDArray[np.int32], counts: NDArray[np.uint8]) -> int:
    """Put other numbers, ascending, into one list; return 0, or if nothing was done for how many to ``pack``."""
    missing = _make_room(lists, each, len(numbers), len(numbers))
    if missing > 0:
        return missing
    start = lists.starts[each]
    lists.numbers[start : start + len(numbers)] = numbers
    lists.counts[start : start + len(numbers)] = counts
    lists.sizes[each] = len(numbers)
    return 0
