"""ISGD."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.baselines.isgd import Isgd, Settings
from tests.evaluation.baselines.worlds import group, shown, taught, world


def test_one_event_is_one_step_of_both_factors():
    """p = (1, 0), q = (0.5, 0): error 0.5, rate 0.05, regularization 0.01; each step from the other's old value."""
    method = Isgd(world(1), 0, Settings())
    method._of_users[1], method._of_items[0] = np.eye(32)[0], np.eye(32)[0] / 2
    method.learn(group(1, 0))

    assert method._of_users[1, 0] == pytest.approx(1 + 0.05 * (0.5 * 0.5 - 0.01 * 1))
    assert method._of_items[0, 0] == pytest.approx(0.5 + 0.05 * (0.5 * 1 - 0.01 * 0.5))


def test_the_product_nearest_to_1_is_first():
    """0.9, then 1.2, then 0.5; the item without events only fills."""
    method = taught(Isgd(world(4), 0, Settings()), group(1, 0, 1, 2))
    method._of_users[1] = np.eye(32)[0]
    method._of_items[:, 0] = [1.2, 0.5, 0.9, 1.0]

    assert shown(method, 1) == [2, 0, 1, 3]


def test_long_repetition_stays_finite():
    """The factors of a pair that comes 10,000 times end where the product is near 1."""
    method = taught(Isgd(world(2), 0, Settings()), group(1, *[0] * 10_000))

    assert method._of_items[0] @ method._of_users[1] == pytest.approx(1, abs=0.02)


def test_steps_that_overshoot_do_not_overflow():
    """A rate far too high for these factors loses by its lists, not by infinities."""
    settings = Settings(rate=0.2, spread=3.0, regularization=0.0)
    method = taught(Isgd(world(50), 0, settings), *[group(user, *range(50)) for user in range(5)] * 20)

    assert np.isfinite(method._of_items).all() and np.isfinite(method._of_users).all()
    assert len(shown(method, 1, n=20)) == 20


def test_a_user_moves_away_from_the_items_that_are_out_of_use():
    """Item 0 had no event for longest: a step of the user alone towards a product of 0, then that of the event."""
    method = taught(Isgd(world(3), 0, Settings(negatives=1, regularization=0.0)), group(0, 0), group(0, 1))
    method._by_age.clear()
    method._by_age.update({0: None, 1: None})
    method._of_users[1], method._of_items[0], method._of_items[2] = np.eye(32)[0], np.eye(32)[0] / 2, np.eye(32)[1] / 2
    method.learn(group(1, 2))

    away = 1 - 0.05 * 0.5 * 0.5
    assert method._of_users[1, :2] == pytest.approx([away, 0.05 * 0.5])
    assert method._of_items[0, 0] == 0.5
    assert method._of_items[2, :2] == pytest.approx([0.05 * away, 0.5])
    assert list(method._by_age) == [1, 0, 2]
