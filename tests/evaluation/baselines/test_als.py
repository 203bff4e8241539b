"""ALS, trained again and again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_rec.evaluation.baselines.als import Als, Settings
from tests.evaluation.baselines.worlds import group, shown, taught, world

pytest.importorskip("implicit")

TWO_TASTES = [group(user % 10, *items) for user, items in enumerate([(0, 1, 2), (3, 4, 5)] * 15)]


def test_a_user_that_training_did_not_know_gets_the_neighbours_of_what_she_took_since():
    """The user's factors are solved for at the request: item 2 after 0 and 1, item 5 after 3 and 4."""
    trained = taught(Als(world(6, n_users=12, n_warm_groups=30), 0, Settings()), *TWO_TASTES)

    assert set(shown(trained, 11)[:3]) == {0, 1, 2}  # popular: all have 15 events
    assert set(shown(taught(trained, group(11, 3, 4)), 11)[:3]) == {3, 4, 5}
    assert set(shown(taught(trained, group(10, 0, 1)), 10)[:3]) == {0, 1, 2}


def test_before_the_first_training_lists_are_popular():
    """Which is at the end of the warm-up."""
    untrained = taught(Als(world(6, n_users=12, n_warm_groups=99), 0, Settings()), group(1, 5), group(1, 5))

    assert shown(untrained, 1)[0] == 5


@pytest.mark.parametrize(
    ("confidence", "expected"), [("pairs", [1, 1]), ("events", [np.log2(3), 1]), ("kinds", [np.log2(7), 1])]
)
def test_confidence_is_of_pairs_of_events_or_of_their_kinds(confidence: str, expected: list[float]):
    """Item 1: a click (2) and a purchase (4); item 0: a view (1)."""
    method = Als(world(2), 0, Settings(confidence=confidence))
    taught(method, replace(group(1, 1, 1, 0), kinds=np.array([1, 2, 0], np.int8)))
    own, weights = method._history.own(1)

    assert own.tolist() == [1, 0]
    assert method._confidences(weights).tolist() == pytest.approx(expected)


def test_older_items_count_less_where_recency_is_below_1():
    """Of the two tastes that of the latest item wins."""
    settings = Settings(recency=0.1)
    trained = taught(
        Als(world(6, n_users=12, n_warm_groups=30), 0, settings), *TWO_TASTES, group(11, 0, 1), group(11, 3)
    )

    assert set(shown(trained, 11)[:3]) == {3, 4, 5}
