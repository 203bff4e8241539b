"""Choosing a setting on the warm-up."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.replay.baselines.warm_up import WarmUp, places_in, ranks_of


def test_the_later_half_judges_and_the_last_group_decides():
    """Of 4 groups the third and fourth; then the best setting is in use, before it the default."""
    warm_up = WarmUp(4, n_settings=2, default=0)
    judging, decided, in_use = [], [], []
    for _ in range(6):
        judging.append(warm_up.is_judging)
        warm_up.judge(np.array([[2], [1]]))
        decided.append(warm_up.step())
        in_use.append(warm_up.best)

    assert judging == [False, False, True, True, False, False]
    assert decided == [False, False, False, True, False, False]
    assert in_use == [0, 0, 0, 1, 1, 1]


def test_gains_are_ndcg_at_20():
    """Rank 1 gains 1, rank 3 gains 1 / log2(4); no rank and a rank beyond 20 gain nothing."""
    warm_up = WarmUp(1, n_settings=2, default=0)
    warm_up.judge([np.array([1, 3]), np.array([0, 21])])

    assert warm_up.gains.tolist() == [1.5, 0.0]


def test_without_a_hit_the_default_stays():
    """Nothing was learned about the settings."""
    warm_up = WarmUp(1, n_settings=3, default=2)
    warm_up.judge(np.zeros((3, 1)))
    warm_up.step()

    assert warm_up.best == 2


def test_ranks_are_places_in_the_best_list():
    """Equal levels by number, as lists have it; each row for itself."""
    levels = np.array([[5.0, 7.0, 5.0], [1.0, 2.0, 3.0]])

    assert ranks_of(np.array([2, 0]), levels).tolist() == [[3, 2], [1, 3]]


@pytest.mark.parametrize(("items", "places"), [([8, 6], [2, 0]), ([7, 7], [1, 1]), ([], [])])
def test_places_in_a_list_count_from_1(items: list[int], places: list[int]):
    """0: not there."""
    assert places_in(np.array([7, 8, 9]), np.array(items, np.int64)).tolist() == places
