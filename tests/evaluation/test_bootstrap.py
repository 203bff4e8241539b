"""Intervals over users."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation import bootstrap
from stream_rec.evaluation.bootstrap import estimate_intervals


def test_users_are_drawn_not_events():
    """Two users of 500 equal events each: the mean may be 0, 0.5 or 1; of 1000 events drawn it would be near 0.5."""
    users = np.repeat([3, 9], 500)
    [made] = estimate_intervals(users, np.repeat([[0.0, 1.0]], 500, axis=1).reshape(1, -1), seed=1)

    assert (made.mean, made.low, made.high) == (0.5, 0.0, 1.0)


def test_the_interval_is_that_of_the_normal_law():
    """Of 400 users with one event each: the mean, and 1.96 standard errors to each side."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=400)
    [made] = estimate_intervals(np.arange(400), values[None], seed=0, resamples=4000)
    error = 1.96 * values.std() / 20

    assert (made.low, made.high) == pytest.approx((made.mean - error, made.mean + error), abs=0.1 * error)


def test_rows_are_resampled_together():
    """Two methods that differ by a constant differ by it in every resample."""
    values = np.random.default_rng(0).random(60)
    users = np.arange(60) // 3
    [difference] = estimate_intervals(users, ((values + 0.25) - values)[None], seed=0)

    assert (difference.low, difference.high) == pytest.approx((0.25, 0.25))


def test_the_seed_decides(monkeypatch):
    """The same one gives the same interval, in however many pieces it is drawn."""
    users, values = np.arange(50) % 20, np.random.default_rng(1).random((2, 50))

    made = estimate_intervals(users, values, seed=4)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 70)

    assert made == estimate_intervals(users, values, seed=4)
    assert estimate_intervals(users, values, seed=4) != estimate_intervals(users, values, seed=5)


def test_one_user_has_no_interval():
    """Nothing is known of other users."""
    assert estimate_intervals(np.zeros(9, np.int64), np.ones((1, 9)), seed=0) is None
