"""Popularity: decayed sums that are a function of the set of events."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS, add, levels

NOW_MS = 1_700_000_000_000


def summed(times):
    sums, last_ms = [], None
    for at in times:
        sums, last_ms = add(sums, last_ms, at)
    return sums, last_ms


def test_an_event_counts_half_after_a_half_life():
    """An hour apart: 1 + 1/2 at the half-life of an hour, nearly 2 at that of a season."""
    sums, last_ms = summed([0, HOUR_MS])

    assert sums[0] == 1.5
    assert sums[-1] == pytest.approx(2.0, abs=1e-3)
    assert last_ms == HOUR_MS


def test_a_late_event_counts_what_is_left_of_it():
    """The same sums as in the right order, and the time does not go back."""
    assert summed([HOUR_MS, 0]) == summed([0, HOUR_MS])


@settings(max_examples=100, deadline=None)
@given(times=st.lists(st.integers(0, NOW_MS), min_size=1, max_size=12), data=st.data())
def test_any_order_gives_the_same_sums(times, data):
    """To float rounding, and equal to the definition."""
    sums, last_ms = summed(data.draw(st.permutations(times)))

    assert last_ms == max(times)
    expected = [sum(2.0 ** -((last_ms - at) / half_life) for at in times) for half_life in HALF_LIVES_MS]
    assert sums == pytest.approx(expected, rel=1e-9)


def test_adding_leaves_the_old_sums_as_they_were():
    """State in, state out."""
    sums, last_ms = summed([5])
    add(sums, last_ms, 9)
    add(sums, last_ms, 1)

    assert sums == [1.0] * len(HALF_LIVES_MS)


@settings(max_examples=100, deadline=None)
@given(a=st.integers(1, 10**7), b=st.integers(1, 10**7), later_ms=st.integers(0, 90 * 24 * HOUR_MS))
def test_levels_compare_items_last_seen_at_different_times(a, b, later_ms):
    """The level tells which sum is larger now, though each was last brought up to date at its own time."""
    half_life_ms = HALF_LIVES_MS[4]
    level_a = levels([float(a)] * 7, NOW_MS)[4]
    level_b = levels([float(b)] * 7, NOW_MS + later_ms)[4]
    a_later = a * 2.0 ** -(later_ms / half_life_ms)

    assert (level_a < level_b) == (a_later < b) or math.isclose(a_later, b, rel_tol=1e-9)


def test_levels_stay_finite_and_exact_enough_over_decades():
    """At the half-life of an hour a level is near half a million; one event more in a thousand is still seen."""
    few, many = levels([1000.0] * 7, NOW_MS), levels([1001.0] * 7, NOW_MS)

    assert all(math.isfinite(level) for level in many)
    assert all(f < m for f, m in zip(few, many))
