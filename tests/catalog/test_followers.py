"""Followers against a plain dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.followers import FOLLOWERS, Followers

pairs = st.dictionaries(st.integers(0, 5), st.integers(-3, 9), min_size=1, max_size=6)


def put(followers: Followers, follower: int, before: dict[int, int], after: dict[int, int]) -> None:
    """Set the weights of some items with one follower; what ``after`` lacks goes."""
    rows = sorted(before.keys() | after.keys())
    followers.put(
        follower,
        np.array(rows),
        np.array([float(after.get(row, 0)) for row in rows]),
        np.array([float(before.get(row, 0)) for row in rows]),
    )


@settings(max_examples=150, deadline=None)
@given(updates=st.lists(st.tuples(st.integers(0, 5), pairs), max_size=25))
def test_any_sequence_of_changes_is_the_newest_weights_turned_round(updates):
    """And so are the sums: of an item's followers, and of what it follows. A weight that is not above 0 is none."""
    followers = Followers()
    followers.reserve(6)
    now: dict[int, dict[int, int]] = {row: {} for row in range(6)}
    for follower, weights in updates:
        put(followers, follower, now[follower], weights)
        now[follower] = weights
    positive = {follower: {row: w for row, w in weights.items() if w > 0} for follower, weights in now.items()}

    for row in range(6):
        rows, weights = followers.of(row)
        expected = sorted((-w[row], follower) for follower, w in positive.items() if row in w)
        assert list(zip((-weights).tolist(), rows.tolist())) == expected
        assert followers.total[row] == -sum(weight for weight, _ in expected)
        assert followers.total_before[row] == sum(positive[row].values())


def full(lightest: int = 1) -> Followers:
    """Return followers 0 to 99 of item 200, with weights from ``lightest`` up."""
    followers = Followers()
    followers.reserve(201)
    for follower in range(FOLLOWERS):
        put(followers, follower, {}, {200: lightest + follower})
    return followers


def test_the_heaviest_are_kept_and_all_are_summed():
    """One as heavy as the lightest stays out, a heavier one drives it out; the sum knows of both."""
    followers = full()
    put(followers, 150, {}, {200: 1})
    assert 150 not in followers.of(200)[0]
    put(followers, 151, {}, {200: 2})

    rows, weights = followers.of(200)
    assert len(rows) == FOLLOWERS and 151 in rows and 0 not in rows
    assert weights.min() == 2
    assert followers.total[200] == sum(range(1, 101)) + 1 + 2


def test_one_that_was_driven_out_comes_back_when_it_is_heavy_enough():
    """Its weight changes by what it was, kept or not, so the sum stays exact; what goes leaves room."""
    followers = full()
    put(followers, 150, {}, {200: 1})
    put(followers, 150, {200: 1}, {200: 500})
    assert followers.of(200)[0][0] == 150
    assert followers.total[200] == sum(range(1, 101)) + 500

    put(followers, 150, {200: 500}, {})
    assert len(followers.of(200)[0]) == FOLLOWERS - 1
    put(followers, 160, {}, {200: 1})
    assert 160 in followers.of(200)[0]


@pytest.mark.parametrize("n", [1, 1025])
def test_room_grows_with_what_is_known(n):
    """What was known before stays."""
    followers = Followers()
    followers.reserve(n)
    put(followers, 0, {}, {n - 1: 4})
    followers.reserve(5000)
    put(followers, 4999, {}, {n - 1: 6})

    assert [part.tolist() for part in followers.of(n - 1)] == [[4999, 0], [6.0, 4.0]]
    assert followers.of(4998)[0].tolist() == []
