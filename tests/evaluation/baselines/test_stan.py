"""STAN."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.baselines.decayed import DAY_MS
from stream_rec.evaluation.baselines.stan import Settings, Stan
from tests.evaluation.baselines.worlds import group, shown, taught, world

SETTINGS = Settings(longest_break_minutes=30.0, decay=2.0, age_days=1.0, spread=4.0)


def scores(method: Stan, user: int, now_ms: int) -> list[float]:
    return method.scores(user, now_ms).tolist()


def test_similarity_decays_with_place_length_and_age():
    """The user has 0, then 1. Visit (0, 2) of a day ago: e^(-1/2) / sqrt(2 * 2) * e^-1; (1,) of now: 1 / sqrt(2)."""
    method = taught(Stan(world(5), SETTINGS), group(1, 2, 0), group(2, 1, at_ms=DAY_MS), group(3, 0, 1, at_ms=DAY_MS))
    old = np.exp(-1 / 2) / 2 * np.exp(-1)

    assert scores(method, 3, DAY_MS) == pytest.approx([old, np.sqrt(1 / 2), old * np.exp(-1 / 4), 0, 0])


def test_items_near_the_newest_shared_one_count_more():
    """Visit (2, 3, 1, 4): 3 and 4 are one place from the shared 1, item 2 is two."""
    method = taught(Stan(world(5), SETTINGS), group(1, 2, 3, 1, 4), group(2, 1))
    similarity = 1 / np.sqrt(4)

    assert scores(method, 2, 0) == pytest.approx(
        [0, similarity, *similarity * np.exp(-np.array([2, 1, 1]) / SETTINGS.spread)]
    )


def test_a_user_without_neighbours_gets_what_is_popular():
    """Nobody else had item 0."""
    method = taught(Stan(world(3), SETTINGS), group(1, 0), group(2, 2, 2, 2))

    assert [shown(method, user) for user in (0, 1)] == [[2, 0, 1]] * 2
