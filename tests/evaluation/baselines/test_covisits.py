"""Pairs of events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_rec.evaluation.baselines.covisits import FAMILY, CoVisits, Settings
from stream_rec.evaluation.baselines.decayed import DAY_MS
from tests.evaluation.baselines.worlds import group, shown, taught, world

PLAIN = Settings(popularity_taken=0.0, recency=0.8, window=12, back=0.3, shrink=0.0, half_life_days=None)
COSINE = replace(PLAIN, popularity_taken=0.5)


def test_what_followed_stands_before_what_came_before():
    """0 → 1 → 2: for a user with item 1, item 2 has weight 1, item 0 has `back`; item 3 is popular, and filled in."""
    method = taught(CoVisits(world(5), PLAIN), group(1, 0), group(1, 1), group(1, 2), group(2, *[3] * 9), group(3, 1))

    assert shown(method, 3)[:3] == [2, 0, 3]


def test_later_items_of_the_user_count_more():
    """0 led to 1, 2 led to 3; whoever had 0 and then 2 is shown 3 first."""
    method = taught(CoVisits(world(4), PLAIN), group(1, 0, 1), group(2, 2, 3), group(3, 0, 2))

    assert shown(method, 3)[:2] == [3, 1]


def test_items_further_apart_than_the_window_are_no_pair():
    """The event `window` places before counts, the one before that does not."""
    window = PLAIN.window
    pair = taught(CoVisits(world(4), PLAIN), group(1, 0, *[1] * (window - 1), 3), group(2, 2, 2, 2), group(4, 0))
    none = taught(CoVisits(world(4), PLAIN), group(1, 0, *[1] * window, 3), group(2, 2, 2, 2), group(4, 0))

    assert shown(pair, 4)[:3] == [1, 3, 2]
    assert shown(none, 4)[:3] == [1, 2, 0]


def test_a_share_of_the_events_counts_not_their_number():
    """Item 0 led to 2 in one of eight events, item 1 to 3 in one of two; 1 is the older of the user's two items."""
    method = taught(CoVisits(world(4), PLAIN), group(1, 0, 2), group(2, 1, 3), group(3, *[0] * 6), group(4, 1, 0))

    items = shown(method, 4)
    assert items.index(3) < items.index(2)


@pytest.mark.parametrize(("settings", "first"), [(PLAIN, 1), (COSINE, 2), (replace(COSINE, shrink=3.0), 1)])
def test_the_cosine_takes_popularity_from_what_follows(settings: Settings, first: int):
    """0 led to 1 twice and to 2 once; 1 has 8 events, 2 has 1. Conditional: 2/4 to 1/4; cosine: 2/√32 = .35 to
    1/√4 = .5; with 3 more events each 2/√77 = .23 to 1/√28 = .19."""
    log = [group(1, 0, 1), group(2, 0, 1), group(3, 0, 2), group(4, *[1] * 6), group(5, 0)]
    method = taught(CoVisits(world(3, n_users=6), settings), *log)

    assert shown(method, 5)[0] == first


def test_pairs_decay_with_the_half_life_however_long_it_goes_on():
    """Two pairs with item 1, then a half-life later one with 2 and one with 3: 1 has 2 * 1/2 in both units."""
    settings = replace(PLAIN, half_life_days=1.0)
    for begin_ms in (0, 1000 * DAY_MS):  # the second time counts were made smaller in between
        old = [group(1, 0, 1), group(2, 0, 1)]
        new = [group(3, 0, 2, at_ms=begin_ms + DAY_MS), group(4, 0, 2, at_ms=begin_ms + DAY_MS)]
        method = CoVisits(world(3), settings)
        method.learn(group(0, 0, at_ms=0))
        old = [replace_time(each, begin_ms) for each in old]
        taught(method, *old, *new)

        assert method._weights[0, 1] / method._weights[0, 2] == pytest.approx(0.5)
        assert np.isfinite(method._weights).all()
        assert shown(method, 0)[:2] == [2, 1]


def replace_time(each, at_ms: int):
    return replace(each, now_ms=at_ms)


def test_recency_is_among_what_is_chosen():
    """And the normalization, window, backward weight, shrinkage and decay."""
    assert set(FAMILY.options) == {
        "without_taken", "popularity_taken", "recency", "window", "back", "shrink", "half_life_days",
    }  # fmt: skip
    assert set(FAMILY.before) == {"fill_half_life_days"}
