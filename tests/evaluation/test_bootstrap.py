"""Intervals over users."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation import bootstrap
from stream_rec.evaluation.bootstrap import Change, Interval, estimate_changes, estimate_intervals


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


def changed(users, base, value, masks=None, **options):
    """Return the changes of one row."""
    masks = {"all": np.ones(len(users), bool)} if masks is None else masks
    made = estimate_changes(np.asarray(users), np.array([base], float), np.array([value], float), masks, **options)
    return {name: one for name, [one] in made.items()}


def test_a_change_is_given_as_it_is_and_as_a_share():
    """Everybody gains a tenth of what they had: the difference varies with who is drawn, the share does not."""
    base = np.random.default_rng(0).random(90) + 0.5
    change = changed(np.arange(90) // 3, base, 1.1 * base, seed=0)["all"]

    assert (change.base, change.value) == pytest.approx((base.mean(), 1.1 * base.mean()))
    assert change.difference.mean == pytest.approx(0.1 * base.mean())
    assert change.difference.low < change.difference.mean - 0.001
    assert (change.relative.mean, change.relative.low, change.relative.high) == pytest.approx((0.1, 0.1, 0.1))


def test_the_interval_of_a_difference_is_that_of_the_row_of_differences():
    """The same users are drawn as for any interval."""
    rng = np.random.default_rng(2)
    users, base, value = np.arange(80) % 25, rng.random(80), rng.random(80)
    [expected] = estimate_intervals(users, (value - base)[None], seed=7)
    made = changed(users, base, value, seed=7)["all"].difference

    assert (made.mean, made.low, made.high) == pytest.approx((expected.mean, expected.low, expected.high))


def test_users_who_are_not_in_a_part_change_nothing_in_it():
    """Its mean is over its own events, in each resample."""
    users = np.arange(60)
    is_in = users < 30
    change = changed(users, is_in * 0.5 + 0.1, np.where(is_in, 0.8, 0.0), {"some": is_in}, seed=0)["some"]

    assert change.difference == Interval(*[pytest.approx(0.2)] * 3)
    assert change.relative == Interval(*[pytest.approx(0.8 / 0.6 - 1)] * 3)


def test_nothing_grows_by_no_share():
    """Of a base of 0 there is a difference only; also where resamples often have no more of it."""
    hits = np.arange(50) < 5
    one_had = np.arange(50) == 0

    for base in (np.zeros(50), one_had):
        change = changed(np.arange(50), base, hits, seed=0)["all"]
        assert change.relative is None
        assert change.difference.high > change.difference.mean > 0


def test_of_a_part_of_one_user_no_interval_is_given_and_of_an_empty_one_nothing():
    """Nothing is known of other users."""
    users = np.array([0, 0, 1])
    masks = {"one": users == 0, "none": users == 5, "both": users < 5}
    made = changed(users, [0, 1, 1], [1, 1, 1], masks, seed=0)

    assert list(made) == ["one", "both"]
    assert made["one"] == Change(0.5, 1.0)
    assert made["both"].difference is not None
    assert changed([3, 3], [0, 1], [1, 1], seed=0)["all"] == Change(0.5, 1.0)
