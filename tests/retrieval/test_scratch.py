"""Scratch: values and proposals of one list, gone with the next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.retrieval.scratch import COLUMNS, LAST, TEXT, Scratch, find_largest

LISTED = np.array([True, True, False, True, True, True])


def filled(**values: float) -> Scratch:
    """Return a scratch in which rows were touched in this order."""
    scratch = Scratch()
    scratch.begin(6)
    for row, value in values.items():
        scratch.values[int(row[1:]), TEXT] = value
        scratch.is_touched[int(row[1:])] = True
        scratch.touched[scratch.n_touched] = int(row[1:])
        scratch.n_touched += 1
    return scratch


def proposed(scratch: Scratch) -> list[int]:
    return scratch.chosen[: scratch.n_chosen].tolist()


@pytest.mark.parametrize(("k", "rows"), [(1, [4]), (2, [4, 1]), (3, [4, 1, 3]), (4, [4, 1, 3, 0]), (9, [4, 1, 3, 0])])
def test_the_largest_values_of_listed_rows_are_proposed(k, rows):
    """Row 2 is not listed, row 5 has no value; of equal ones the row touched first."""
    scratch = filled(r3=2.0, r0=2.0, r5=0.0, r2=9.0, r4=5.0, r1=3.0)
    scratch.choose_best(((TEXT, k, 1),), LISTED)

    assert proposed(scratch) == rows


@given(st.lists(st.floats(-5, 5).map(np.float32), min_size=1, max_size=60), st.data())
def test_the_largest_are_found_as_by_sorting(values: list[float], data: st.DataObject):
    """Of equals too, and of one alone; nothing is lost."""
    n = data.draw(st.integers(1, len(values)))
    found = np.array(values, dtype=np.float32)

    assert find_largest(found, n) == sorted(values, reverse=True)[n - 1]
    assert sorted(found.tolist()) == sorted(map(float, values))


def test_a_row_is_proposed_once_with_the_bits_of_all_sources():
    """In the order in which they proposed it first."""
    scratch = filled(r0=1.0, r1=2.0)
    scratch.choose_best(((TEXT, 1, 2),), LISTED)
    scratch.choose(np.array([0, 1, 2, 1]), 0, LISTED)
    scratch.choose_best(((TEXT, 5, 3),), LISTED)

    assert proposed(scratch) == [1, 0]
    assert scratch.sources[:6].tolist() == [0b1001, 0b1101, 0, 0, 0, 0]


def test_the_next_list_begins_with_nothing():
    """Values, bits and proposals are gone, whether or not the scratch had to grow."""
    for n_rows in (6, 5000):
        scratch = filled(r0=1.0, r1=2.0)
        scratch.choose_best(((TEXT, 1, 2),), LISTED)
        scratch.choose(np.array([5]), 0, LISTED)  # a row without any value
        scratch.begin(n_rows)

        assert (scratch.n_touched, scratch.n_chosen) == (0, 0)
        assert not scratch.values.any() and not scratch.is_touched.any() and not scratch.sources.any()
        assert scratch.values.shape[1] == COLUMNS and scratch.values.shape[0] >= n_rows
        scratch.choose_best(((LAST, 5, 0),), np.ones(n_rows, bool))
        assert proposed(scratch) == []


def test_what_the_user_had_takes_no_place_of_others():
    """Neither among the largest values nor among those that are given in order; both are there again for the next."""
    scratch = filled(r3=2.0, r0=2.0, r4=5.0, r1=3.0)
    scratch.set_own(np.array([4, 0]))
    scratch.choose_best(((TEXT, 2, 1),), LISTED)
    assert proposed(scratch) == [1, 3]

    scratch.choose_first(np.array([[4, 5, 1, 3], [0, 4, 3, 5]]), 1, source=2)
    assert proposed(scratch) == [1, 3, 5]
    assert scratch.sources[:6].tolist() == [0, 0b10, 0, 0b110, 0, 0b100]

    scratch.choose(np.array([4]), 0, LISTED)  # by name
    assert proposed(scratch) == [1, 3, 5, 4]

    scratch.begin(6)
    scratch.choose_first(np.array([[4, 5, 1]]), 2, source=2)
    assert proposed(scratch) == [4, 5]


def test_passing_over_survives_growth():
    """The scratch forgets what one user had also where it grows for the next."""
    scratch = filled(r0=1.0)
    scratch.set_own(np.array([0, 1]))
    scratch.begin(5000)
    scratch.choose_first(np.array([[0, 1]]), 2, source=0)

    assert proposed(scratch) == [0, 1]
