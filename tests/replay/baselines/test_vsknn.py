"""V-SkNN."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.replay.baselines.visits import HALF_AN_HOUR_MS
from stream_rec.replay.baselines.vsknn import DECAY, VSkNN, _scores
from tests.replay.baselines.worlds import HOUR_MS, group, shown, taught, world


def test_scores_are_those_of_the_formula():
    """The user has 0, then 1. Visit a shares 0 (place 1), b shares 1 (place 0): e^(-1/DECAY) / 2 and 1."""
    method = taught(VSkNN(world(5)), group(1, 0, 2), group(2, 1, 3), group(3, 0), group(3, 1))
    (visits, *_) = method._visits.values()
    older = np.exp(-1 / DECAY) / 2

    assert _scores(visits, 3, 0, 5).tolist() == pytest.approx([older, 1, older, 1, 0])
    assert shown(method, 3) == [1, 3, 0, 2, 4]


def test_a_user_without_neighbours_gets_what_is_popular():
    """Nobody else had item 0."""
    method = taught(VSkNN(world(3)), group(1, 0), group(2, 2, 2, 2))

    assert shown(method, 1) == [2, 0, 1]


def test_histories_are_chosen_where_visits_say_nothing():
    """Every event is a visit of its own; only whole histories have 0 with 1, 2 with 3, and so on."""
    days = range(0, 24 * 8, 24)
    pairs = [group(user, item, at_ms=(hour + user) * HOUR_MS) for user in (0, 1) for hour, item in zip(days, range(4))]
    judged = [group(user, item, at_ms=(500 + 9 * user + 30 * item) * HOUR_MS) for user in (2, 3) for item in range(4)]
    log = sorted(pairs + judged, key=lambda each: each.now_ms)
    catalog = world(60, n_warm_groups=len(log))

    method = taught(VSkNN(catalog), *[group(4, *range(10, 60))], *log[:-1])
    assert method.setting[0] == np.inf
    assert list(method._visits) == [np.inf]


def test_half_an_hour_is_used_before_anything_was_chosen():
    """The papers' sessions."""
    assert VSkNN(world(3, n_warm_groups=2)).setting == (HALF_AN_HOUR_MS, None)
