"""Count lists against plain dictionaries."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.count_lists import CountLists, empty_lists, ensure_lists, pack, remove, replace, set_count

N = 4
numbers, counts = st.integers(0, 30), st.integers(1, 255)
steps = st.tuples(
    st.integers(0, N - 1), st.one_of(st.dictionaries(numbers, counts), st.tuples(numbers, counts), numbers)
)


def contents(lists: CountLists) -> list[list[tuple[int, int]]]:
    """Return all lists as they stand there."""
    bounds = [slice(start, start + size) for start, size in zip(lists.starts[:N], lists.sizes[:N])]
    return [list(zip(lists.numbers[bound].tolist(), lists.counts[bound].tolist())) for bound in bounds]


def replace_list(lists: CountLists, each: int, new: dict[int, int]) -> CountLists:
    """Put other numbers into one list, and return the lists, packed where need be."""
    ordered = sorted(new.items())
    found = [np.array([one[k] for one in ordered], dtype=kind) for k, kind in enumerate((np.int32, np.uint8))]
    while missing := replace(lists, each, *found):
        lists = pack(lists, missing)
    return lists


@settings(max_examples=100, deadline=None)
@given(done=st.lists(steps, max_size=60), packed_after=st.sets(st.integers(0, 59), max_size=5))
def test_any_sequence_of_changes_leaves_the_lists_sorted(done, packed_after):
    """Whichever list is replaced, gains, changes or loses a number, and whenever all are packed."""
    lists, expected = ensure_lists(empty_lists(), N), [{} for _ in range(N)]
    for number, (each, change) in enumerate(done):
        if isinstance(change, dict):
            lists, expected[each] = replace_list(lists, each, change), dict(change)
        elif isinstance(change, tuple):
            while missing := set_count(lists, each, *change):
                lists = pack(lists, missing)
            expected[each][change[0]] = change[1]
        else:
            remove(lists, each, change)
            expected[each].pop(change, None)
        if number in packed_after:
            lists = pack(lists, 0)
    assert contents(lists) == [sorted(one.items()) for one in expected]


def test_what_does_not_fit_changes_nothing():
    """How much is missing is said; packed with so much more, it fits."""
    lists = pack(ensure_lists(empty_lists(), N), 0)
    full = {number: 1 for number in range(len(lists.numbers))}
    lists = replace_list(lists, 1, full)

    assert set_count(lists, 0, 5, 1) == 1
    assert replace(lists, 0, np.arange(3, dtype=np.int32), np.ones(3, dtype=np.uint8)) == 3
    assert contents(lists)[:2] == [[], sorted(full.items())]
    lists = pack(lists, 3)
    assert set_count(lists, 0, 5, 1) == 0
    assert contents(lists)[:2] == [[(5, 1)], sorted(full.items())]


def test_lists_that_come_and_go_take_no_more_room():
    """Room that is left behind comes back: as many numbers at any time are as much memory in the end."""
    lists = ensure_lists(empty_lists(), N)
    for number in range(30_000):
        lists = replace_list(lists, number % N, dict.fromkeys(range(number % 97), 1))

    assert len(lists.numbers) <= 2 * 1024


def test_a_list_that_shrank_gives_up_its_room():
    """When all are packed, all but half as much again as it needs."""
    lists = ensure_lists(empty_lists(), N)
    lists = replace_list(lists, 0, dict.fromkeys(range(5000), 1))
    lists = replace_list(lists, 0, dict.fromkeys(range(10), 1))

    assert len(pack(lists, 0).numbers) <= 1024 + 15
    assert contents(pack(lists, 0))[0] == [(number, 1) for number in range(10)]


def test_one_number_after_another_moves_a_list_seldom():
    """Its room is half as much again each time: numbers that come in order are not copied for each."""
    lists, starts = ensure_lists(empty_lists(), N), set()
    for number in range(2000):
        while missing := set_count(lists, 2, number, 1):
            lists = pack(lists, missing)
        starts.add((int(lists.starts[2]), len(lists.numbers)))

    assert len(starts) < 40
