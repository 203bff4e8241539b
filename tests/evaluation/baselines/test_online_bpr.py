"""Online BPR."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.baselines.online_bpr import OnlineBpr, Settings
from tests.evaluation.baselines.worlds import group, shown, taught, world


def test_an_event_climbs_over_the_recent_items():
    """Ten negatives, all item 1, the only recent one; margin 0, so each pulls with 1/2."""
    method = taught(OnlineBpr(world(3), 0, Settings()), group(1, 1))
    method._of_items[:] = 0
    method._of_users[2] = np.eye(128)[0]
    method.learn(group(2, 0))

    assert method._of_items[:, 0].tolist() == pytest.approx([0.03 * 10 / 2, -0.03 * 10 / 2, 0])
    assert method._biases.tolist() == pytest.approx([0.01 * 10 / 2, -0.01 * 10 / 2, 0])
    assert method._of_users[2, 0] == pytest.approx(1 - 0.03 * 0.002)


def test_an_item_is_no_negative_of_itself():
    """With nothing else in the pool nothing is learned."""
    method = OnlineBpr(world(2), 0, Settings())
    before = method._of_items.copy()
    taught(method, group(1, 0), group(2, 0))

    assert (method._of_items == before).all()


def test_users_with_different_taste_get_different_lists():
    """User 1 takes 0 and 1, user 2 takes 2 and 3, again and again."""
    method = taught(OnlineBpr(world(4), 0, Settings()), *[group(1, 0, 1), group(2, 2, 3)] * 100)

    assert (set(shown(method, 1)[:2]), set(shown(method, 2)[:2])) == ({0, 1}, {2, 3})
