"""V-SkNN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_rec.evaluation.baselines.choice import choose
from stream_rec.evaluation.baselines.vsknn import FAMILY, Settings, VSkNN
from tests.evaluation.baselines.worlds import HOUR_MS, group, shown, taught, world

SETTINGS = Settings(longest_break_minutes=30.0, decay=10.0)
LOG = [group(1, 0, 2), group(2, 1, 3), group(3, 0), group(3, 1)]
OLDER = np.exp(-1 / 10)


@pytest.mark.parametrize(("score_decay", "share"), [(True, 1 / 2), (False, 1)])
def test_scores_are_those_of_the_formula(score_decay: bool, share: float):
    """The user has 0, then 1. Visit a shares 0 (place 1), b shares 1 (place 0): e^(-1/decay) / 2 and 1."""
    method = taught(VSkNN(world(5), replace(SETTINGS, score_decay=score_decay)), *LOG)

    assert method.scores(3, 0).tolist() == pytest.approx([share * OLDER, 1, share * OLDER, 1, 0])
    assert shown(method, 3) == [1, 3, 0, 2, 4]


def test_rare_items_count_more_with_idf():
    """Of 3 visits 2 have items 0 and 1 each, one has 2 and one has 3."""
    method = taught(VSkNN(world(5), replace(SETTINGS, idf=1.0)), *LOG)
    common, rare = 1 + np.log(3 / 2), 1 + np.log(3)

    assert method.scores(3, 0).tolist() == pytest.approx([common * OLDER / 2, common, rare * OLDER / 2, rare, 0])


def test_a_user_without_neighbours_gets_what_is_popular():
    """Nobody else had item 0."""
    method = taught(VSkNN(world(3), SETTINGS), group(1, 0), group(2, 2, 2, 2))

    assert shown(method, 1) == [2, 0, 1]


def test_histories_are_chosen_where_visits_say_nothing():
    """Every event is a visit of its own; only whole histories have 0 with 1, 2 with 3, and so on."""
    days = range(0, 24 * 8, 24)
    pairs = [group(user, item, at_ms=(hour + user) * HOUR_MS) for user in (0, 1) for hour, item in zip(days, range(4))]
    judged = [group(user, item, at_ms=(500 + 9 * user + 30 * item) * HOUR_MS) for user in (2, 3) for item in range(4)]
    log = sorted(pairs + judged, key=lambda each: each.now_ms)
    family = replace(FAMILY, default=SETTINGS, options={"longest_break_minutes": (30.0, None)}, before={})

    chosen = choose(family, world(60), [group(4, *range(10, 60)), *log[:-1]], seed=0)
    assert chosen.settings.longest_break_minutes is None
