"""Visits and who shares items with them."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.baselines.visits import Visits, find_ages, select_nearest, sum_by_item
from tests.evaluation.baselines.worlds import HOUR_MS, group, taught, world


@pytest.mark.parametrize(("longest_break_ms", "items"), [(HOUR_MS, [2]), (3 * HOUR_MS, [1, 2]), (np.inf, [1, 2])])
def test_a_visit_ends_with_a_long_break(longest_break_ms: float, items: list[int]):
    """Two hours lie between the events."""
    visits = taught(Visits(world(3), longest_break_ms), group(1, 1), group(1, 2, at_ms=2 * HOUR_MS))

    assert visits.recent_items(1, 2 * HOUR_MS, 9).tolist() == items


def test_before_its_first_event_a_visit_has_the_users_last_items():
    """There is nothing else to go by."""
    visits = taught(Visits(world(4), HOUR_MS), group(1, 0), group(1, 1, 2, at_ms=9 * HOUR_MS))

    assert visits.current(1, 99 * HOUR_MS) is None
    assert visits.recent_items(1, 99 * HOUR_MS, 9).tolist() == [0, 1, 2]
    assert visits.recent_items(1, 99 * HOUR_MS, 2).tolist() == [1, 2]


def test_weights_of_shared_items_add_up():
    """Visit 0 shares items 0 and 1, visit 1 item 1, visit 2 nothing; one's own visit is no neighbour."""
    visits = taught(Visits(world(4), np.inf), group(1, 0, 1), group(2, 1), group(3, 3), group(4, 0, 1))
    items, weights = np.array([0, 1]), np.array([0.5, 2.0])

    found = visits.find_sharing(items, weights, besides=3, sample=9)
    assert (found.visits.tolist(), found.overlaps.tolist()) == ([0, 1], [2.5, 2.0])
    assert visits.find_sharing(items, weights, besides=None, sample=9).visits.tolist() == [0, 1, 3]


def test_the_most_recent_visits_are_sampled():
    """By their latest event."""
    events = [group(user, 0, at_ms=at_ms) for user, at_ms in ((1, 10), (2, 30), (3, 20))]
    visits = taught(Visits(world(1), np.inf), *events)

    assert visits.find_sharing(np.array([0]), np.array([1.0]), besides=None, sample=2).visits.tolist() == [1, 2]


def test_an_item_keeps_its_last_visits():
    """The first of three is forgotten."""
    visits = taught(Visits(world(1), np.inf, n_visits=2), group(1, 0), group(2, 0), group(3, 0))

    assert visits.find_sharing(np.array([0]), np.array([1.0]), besides=None, sample=9).visits.tolist() == [1, 2]


def test_the_nearest_are_those_with_the_highest_similarities():
    """All of them where there are not more than k."""
    visits = taught(Visits(world(1), np.inf), group(1, 0), group(2, 0), group(3, 0))
    found = visits.find_sharing(np.array([0]), np.array([1.0]), besides=None, sample=9)

    kept, similarities = select_nearest(found, np.array([0.2, 0.1, 0.9]), 2)
    assert sorted(zip(similarities.tolist(), kept.tolist())) == [(0.2, 0), (0.9, 2)]
    assert select_nearest(found, np.array([0.2, 0.1, 0.9]), 3)[0].tolist() == [0, 1, 2]


def test_places_count_from_the_newest():
    """Elsewhere and nobody: as far as there are items."""
    assert find_ages(np.array([4, 2]), np.array([[-1, 4, 2, 0]]), 5).tolist() == [[2, 1, 0, 2]]


def test_sums_leave_nobody_out():
    """Item 1 twice: 1 + 4."""
    assert sum_by_item(np.array([[-1, 1], [0, 1]]), np.array([[9.0, 1.0], [2.0, 4.0]]), 3).tolist() == [2.0, 5.0, 0.0]
