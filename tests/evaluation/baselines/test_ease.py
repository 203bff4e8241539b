"""EASE, trained again and again."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.baselines.ease import Ease, Settings
from tests.evaluation.baselines.worlds import group, shown, taught, world

pytest.importorskip("scipy")

LOG = [group(0, 0, 1), group(0, 0), group(1, 0, 1), group(2, 0), group(3, 2)]
CHAIN = [group(user, 0, 1, 2, 3) for user in (0, 1, 2)]


def closed_form(x: list[list[int]], regularization: float) -> np.ndarray:
    """Return B = -P / diag(P) off the diagonal, P the inverse of XᵀX + λI."""
    p = np.linalg.inv(np.transpose(x) @ x + regularization * np.eye(len(x[0])))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    return b


def test_weights_are_those_of_the_closed_form():
    """Columns are targets, rows of X users."""
    method = taught(Ease(world(4, n_warm_groups=5), Settings(regularization=100.0)), *LOG)

    assert method._items.tolist() == [0, 1, 2]  # by number of users; item 3 has none
    assert method._weights == pytest.approx(closed_form([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]], 100), abs=1e-6)


def test_a_window_makes_several_rows_of_a_user():
    """0 and 1 are together three times, and 2 and 3; nothing else is."""
    method = taught(Ease(world(4, n_warm_groups=3), Settings(regularization=1.0, window=2)), *CHAIN)

    assert method._weights == pytest.approx(closed_form([[1, 1, 0, 0], [0, 0, 1, 1]] * 3, 1), abs=1e-6)


def test_a_user_that_training_did_not_know_gets_the_neighbours_of_what_she_took_since():
    """Item 0 after 1; nothing is known beside 2, so that user's list is what is popular."""
    method = taught(Ease(world(4, n_users=6, n_warm_groups=5), Settings()), *LOG, group(4, 1), group(5, 2))

    assert shown(method, 4)[0] == 0
    assert shown(method, 5) == [0, 1, 2, 3]


@pytest.mark.parametrize(("recency", "first"), [(1.0, [1, 3]), (0.5, [3, 1])])
def test_older_items_count_less_where_recency_is_below_1(recency: float, first: list[int]):
    """0 goes with 1 as 2 goes with 3, and 2 is the newest; alike, the lower number is first."""
    settings = Settings(window=2, recency=recency)
    method = taught(Ease(world(4, n_users=5, n_warm_groups=3), settings), *CHAIN, group(4, 0, 2))

    assert shown(method, 4)[:2] == first
