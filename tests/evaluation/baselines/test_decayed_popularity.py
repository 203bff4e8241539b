"""Popularity of late."""

from __future__ import annotations

import pytest

from stream_rec.evaluation.baselines.choice import choose
from stream_rec.evaluation.baselines.decayed import DAY_MS
from stream_rec.evaluation.baselines.decayed_popularity import FAMILY, WITHOUT_TAKEN, DecayedPopularity, NewPopularity
from tests.evaluation.baselines.worlds import HOUR_MS, group, shown, taught, world

HIT = [group(1, *[0] * 9)]
NEW_EVERY_DAY = [*HIT, group(1, 0), group(1, 0), *[group(user, 1, at_ms=user * DAY_MS) for user in (2, 3, 4)]]
OLD_STAYS = [*HIT, group(1, 0), group(1, 1, at_ms=7 * DAY_MS), *[group(2, 0, at_ms=day * DAY_MS) for day in (8, 9, 10)]]


def test_a_week_halves():
    """Three events a week ago against two now: 1.5 to 2."""
    method = taught(DecayedPopularity(world(2), 7.0), group(1, 0, 0, 0), group(1, 1, 1, at_ms=7 * DAY_MS))

    assert shown(method) == [1, 0]
    assert method.shares().tolist() == pytest.approx([0.75, 1.0])


def test_before_the_first_event_no_item_has_a_share():
    """None is the most popular."""
    assert DecayedPopularity(world(2, unlisted=1), 7.0).shares().tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("log", "half_life_days"), [(NEW_EVERY_DAY, 1 / 96), (OLD_STAYS, 7.0)])
def test_the_half_life_is_the_best_on_the_warm_up(log: list, half_life_days: float):
    """A quarter of an hour forgets nine events in a day; where the old item is the next again, a week is enough."""
    assert choose(FAMILY, world(2), log, seed=0).settings.half_life_days == half_life_days


def test_what_the_user_took_is_left_out():
    """For that user alone."""
    method = taught(NewPopularity(world(3), 7.0), group(1, 2, 2), group(2, 1))

    assert [shown(method, user) for user in (0, 1, 2)] == [[2, 1, 0], [1, 0], [2, 0]]


def test_a_half_life_is_judged_without_what_the_user_took():
    """User 1 comes back to item 0, which no half-life could have shown again: all gain nothing."""
    log = [group(1, 0, at_ms=at * HOUR_MS) for at in range(4)]

    assert choose(FAMILY, world(2), log, seed=0).ndcg == 1.0
    assert choose(WITHOUT_TAKEN, world(2), log, seed=0).ndcg == 0.0
