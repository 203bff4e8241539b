"""ALS, trained again and again."""

from __future__ import annotations

import pytest

from stream_rec.replay.baselines.als import Als
from tests.replay.baselines.worlds import group, shown, taught, world

pytest.importorskip("implicit")

TWO_TASTES = [group(user % 10, *items) for user, items in enumerate([(0, 1, 2), (3, 4, 5)] * 15)]


def test_a_user_that_training_did_not_know_gets_the_neighbours_of_what_she_took_since():
    """Her factors are solved for at the request: item 2 after 0 and 1, item 5 after 3 and 4."""
    trained = taught(Als(world(6, n_users=12, n_warm_groups=30), 0), *TWO_TASTES)

    assert set(shown(trained, 11)[:3]) == {0, 1, 2}  # popular: all have 15 events
    assert set(shown(taught(trained, group(11, 3, 4)), 11)[:3]) == {3, 4, 5}
    assert set(shown(taught(trained, group(10, 0, 1)), 10)[:3]) == {0, 1, 2}


def test_before_the_first_training_lists_are_popular():
    """Which is at the end of the warm-up."""
    untrained = taught(Als(world(6, n_users=12, n_warm_groups=99), 0), group(1, 5), group(1, 5))

    assert shown(untrained, 1)[0] == 5
