"""Popularity of late."""

from __future__ import annotations

import pytest

from stream_rec.replay.baselines.decayed import DAY_MS
from stream_rec.replay.baselines.decayed_popularity import DecayedPopularity, NewPopularity
from tests.replay.baselines.worlds import HOUR_MS, group, shown, taught, world

HIT = [group(1, *[0] * 9)]
NEW_EVERY_DAY = [*HIT, group(1, 0), group(1, 0), *[group(user, 1, at_ms=user * DAY_MS) for user in (2, 3, 4)]]
OLD_STAYS = [*HIT, group(1, 0), group(1, 1, at_ms=DAY_MS), *[group(2, 0, at_ms=day * DAY_MS) for day in (2, 3, 4)]]


def test_a_week_halves_before_anything_was_chosen():
    """Three events a week ago against two now: 1.5 to 2."""
    method = taught(DecayedPopularity(world(2)), group(1, 0, 0, 0), group(1, 1, 1, at_ms=7 * DAY_MS))

    assert (method.half_life_ms, shown(method)) == (7 * DAY_MS, [1, 0])
    assert method.shares().tolist() == pytest.approx([0.75, 1.0])


@pytest.mark.parametrize(("log", "half_life_ms"), [(NEW_EVERY_DAY, HOUR_MS), (OLD_STAYS, DAY_MS)])
def test_the_half_life_is_the_best_on_the_warm_up(log: list, half_life_ms: int):
    """One hour forgets nine events in a day; where the old item is the next again, six are too few."""
    method = taught(DecayedPopularity(world(2, n_warm_groups=len(log))), *log)

    assert method.half_life_ms == half_life_ms


def test_what_the_user_took_is_left_out():
    """For that user alone."""
    method = taught(NewPopularity(world(3)), group(1, 2, 2), group(2, 1))

    assert [shown(method, user) for user in (0, 1, 2)] == [[2, 1, 0], [1, 0], [2, 0]]


def test_a_half_life_is_judged_without_what_the_user_took():
    """User 1 comes back to item 0, which no half-life could have shown again: all gain nothing."""
    log = [group(1, 0), group(1, 0), group(1, 0), group(1, 0)]
    method = taught(NewPopularity(world(2, n_warm_groups=4)), *log)

    assert method._warm_up.gains.tolist() == [0.0] * 7
