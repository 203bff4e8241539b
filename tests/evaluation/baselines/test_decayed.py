"""Counts that decay."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.baselines.decayed import UNSEEN, DecayedCounts
from stream_rec.evaluation.baselines.lists import NEVER
from tests.evaluation.baselines.worlds import HOUR_MS, world

HOUR_DAYS = 1 / 24


@pytest.mark.parametrize(("half_life_days", "levels"), [(HOUR_DAYS, [1.0, 1.0]), (None, [1.0, 0.0])])
def test_two_events_a_half_life_ago_equal_one_now(half_life_days: float | None, levels: list[float]):
    """level = log2(count now) + now / h: 1 for both; without a half-life 2 and 1 are counted."""
    counts = DecayedCounts(world(2), half_life_days)
    counts.add(np.array([0, 0]), 0)
    counts.add(np.array([1]), HOUR_MS)

    assert counts.levels.tolist() == levels


def test_the_order_stays_exact_after_decades():
    """Thousands of half-lives, where counts themselves would be 0."""
    counts = DecayedCounts(world(2), HOUR_DAYS)
    counts.add(np.array([0, 0]), 0)
    counts.add(np.array([1]), 0)
    counts.add(np.array([1]), 400_000 * HOUR_MS)
    counts.add(np.array([0]), 400_001 * HOUR_MS)

    assert counts.levels.tolist() == [400_001.0, 400_000.0]


def test_items_without_events_stand_last_and_unlisted_ones_nowhere():
    """An event of an unlisted item is not counted."""
    counts = DecayedCounts(world(3, unlisted=1), HOUR_DAYS)
    counts.add(np.array([0, 2]), 0)

    assert counts.levels.tolist() == [0.0, UNSEEN, NEVER]
