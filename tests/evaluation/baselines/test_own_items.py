"""The user's own items."""

from __future__ import annotations

import pytest

from stream_rec.evaluation.baselines.choice import choose
from stream_rec.evaluation.baselines.own_items import FAMILY, OwnItems, Settings
from tests.evaluation.baselines.worlds import HOUR_MS, group, shown, taught, world


def test_own_items_stand_before_popular_ones():
    """User 1 had item 3 twice and item 2 once; items 0 and 1 are the others', 0 is the more popular."""
    method = taught(OwnItems(world(5), Settings()), group(1, 3), group(1, 2, 3), group(2, *[0] * 9, *[1] * 5))

    assert shown(method, 1) == [3, 2, 0, 1, 4]
    assert shown(method, 4) == [0, 1, 3, 2, 4]


def test_equal_own_counts_stand_by_popularity():
    """Both once, but item 2 is what others take."""
    method = taught(OwnItems(world(3), Settings()), group(1, 1, 2), group(2, 2))

    assert shown(method, 1) == [2, 1, 0]


@pytest.mark.parametrize(("popularity", "items"), [(1.0, [0, 1]), (0.1, [1, 0])])
def test_popularity_may_stand_before_old_own_items(popularity: float, items: list[int]):
    """Two half-lives after item 1 it counts 1/4; item 0 is everybody's. Item 1's own popularity is nearly nothing."""
    settings = Settings(half_life_days=1 / 24, popularity=popularity)
    method = taught(OwnItems(world(2), settings), group(1, 1), group(2, *[0] * 99, at_ms=2 * HOUR_MS))

    assert shown(method, 1, now_ms=2 * HOUR_MS) == items


def test_counting_is_chosen_where_users_come_back_to_the_most_frequent():
    """Item 0 three times, then a long time after item 1 once, then item 0 again; all half-lives have forgotten it."""
    lead = [group(1, 0, 0, 0), group(2, *[1] * 9), group(1, 1, at_ms=99_000 * HOUR_MS)]
    log = [*lead, *[group(1, 0, at_ms=99_001 * HOUR_MS)] * 3]

    assert choose(FAMILY, world(2), log, seed=0).settings.half_life_days is None
