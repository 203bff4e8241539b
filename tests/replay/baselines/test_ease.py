"""EASE, trained again and again."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.replay.baselines.ease import REGULARIZATION, Ease
from tests.replay.baselines.worlds import group, shown, taught, world

pytest.importorskip("scipy")

LOG = [group(0, 0, 1), group(0, 0), group(1, 0, 1), group(2, 0), group(3, 2)]


def test_weights_are_those_of_the_closed_form():
    """B = -P / diag(P) off the diagonal, P the inverse of XᵀX + λI; columns are targets."""
    method = taught(Ease(world(4, n_warm_groups=5)), *LOG)
    x = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]])
    p = np.linalg.inv(x.T @ x + REGULARIZATION * np.eye(3))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)

    assert method._items.tolist() == [0, 1, 2]  # by number of users; item 3 has none
    assert method._weights == pytest.approx(b, abs=1e-6)


def test_a_user_that_training_did_not_know_gets_the_neighbours_of_what_she_took_since():
    """Item 0 after 1; nothing is known beside 2, so that user's list is what is popular."""
    method = taught(Ease(world(4, n_users=6, n_warm_groups=5)), *LOG, group(4, 1), group(5, 2))

    assert shown(method, 4)[0] == 0
    assert shown(method, 5) == [0, 1, 2, 3]
