"""Successors against a plain dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.successors import SUCCESSORS, Successors

pairs = st.dictionaries(st.integers(0, 5), st.integers(-3, 9), min_size=1, max_size=6)


def put(successors: Successors, successor: int, before: dict[int, int], after: dict[int, int]) -> None:
    """Set the weights of some items with one successor; what ``after`` lacks goes."""
    rows = sorted(before.keys() | after.keys())
    successors.put(
        successor,
        np.array(rows),
        np.array([float(after.get(row, 0)) for row in rows]),
        np.array([float(before.get(row, 0)) for row in rows]),
    )


@settings(max_examples=150, deadline=None)
@given(updates=st.lists(st.tuples(st.integers(0, 5), pairs), max_size=25))
def test_any_sequence_of_changes_is_the_newest_weights_turned_round(updates):
    """And so are the sums: of an item's successors, and of what it follows. A weight that is not above 0 is none."""
    successors = Successors()
    successors.ensure_capacity(6)
    now: dict[int, dict[int, int]] = {row: {} for row in range(6)}
    for successor, weights in updates:
        put(successors, successor, now[successor], weights)
        now[successor] = weights
    positive = {successor: {row: w for row, w in weights.items() if w > 0} for successor, weights in now.items()}

    for row in range(6):
        rows, weights = successors.of(row)
        expected = sorted((-w[row], successor) for successor, w in positive.items() if row in w)
        assert list(zip((-weights).tolist(), rows.tolist())) == expected
        assert successors.total[row] == -sum(weight for weight, _ in expected)
        assert successors.total_before[row] == sum(positive[row].values())


def full(lightest: int = 1) -> Successors:
    """Return successors 0 to 99 of item 200, with weights from ``lightest`` up."""
    successors = Successors()
    successors.ensure_capacity(201)
    for successor in range(SUCCESSORS):
        put(successors, successor, {}, {200: lightest + successor})
    return successors


def test_the_heaviest_are_kept_and_all_are_summed():
    """One as heavy as the lightest stays out, a heavier one drives it out; the sum knows of both."""
    successors = full()
    put(successors, 150, {}, {200: 1})
    assert 150 not in successors.of(200)[0]
    put(successors, 151, {}, {200: 2})

    rows, weights = successors.of(200)
    assert len(rows) == SUCCESSORS and 151 in rows and 0 not in rows
    assert weights.min() == 2
    assert successors.total[200] == sum(range(1, 101)) + 1 + 2


def test_one_that_was_driven_out_comes_back_when_it_is_heavy_enough():
    """Its weight changes by what it was, kept or not, so the sum stays exact; what goes leaves room."""
    successors = full()
    put(successors, 150, {}, {200: 1})
    put(successors, 150, {200: 1}, {200: 500})
    assert successors.of(200)[0][0] == 150
    assert successors.total[200] == sum(range(1, 101)) + 500

    put(successors, 150, {200: 500}, {})
    assert len(successors.of(200)[0]) == SUCCESSORS - 1
    put(successors, 160, {}, {200: 1})
    assert 160 in successors.of(200)[0]


@pytest.mark.parametrize("n", [1, 1025])
def test_room_grows_with_what_is_known(n):
    """What was known before stays."""
    successors = Successors()
    successors.ensure_capacity(n)
    put(successors, 0, {}, {n - 1: 4})
    successors.ensure_capacity(5000)
    put(successors, 4999, {}, {n - 1: 6})

    assert [part.tolist() for part in successors.of(n - 1)] == [[4999, 0], [6.0, 4.0]]
    assert successors.of(4998)[0].tolist() == []
