"""The user's own items."""

from __future__ import annotations

import numpy as np

from stream_rec.replay.baselines.own_items import OwnItems
from tests.replay.baselines.worlds import HOUR_MS, group, shown, taught, world


def test_own_items_stand_before_popular_ones():
    """User 1 had item 3 twice and item 2 once; items 0 and 1 are the others', 0 is the more popular."""
    method = taught(OwnItems(world(5)), group(1, 3), group(1, 2, 3), group(2, *[0] * 9, *[1] * 5))

    assert shown(method, 1) == [3, 2, 0, 1, 4]
    assert shown(method, 4) == [0, 1, 3, 2, 4]


def test_equal_own_counts_stand_by_popularity():
    """Both once, but item 2 is what others take."""
    method = taught(OwnItems(world(3)), group(1, 1, 2), group(2, 2))

    assert shown(method, 1) == [2, 1, 0]


def test_counting_is_chosen_where_users_come_back_to_the_most_frequent():
    """Item 0 three times, then long after item 1 once, then item 0 again."""
    log = [group(1, 0, 0, 0), group(1, 1, at_ms=10_000 * HOUR_MS), *[group(1, 0, at_ms=10_001 * HOUR_MS)] * 2]
    method = taught(OwnItems(world(2, n_warm_groups=4)), *log)

    assert method.half_life_ms == np.inf
