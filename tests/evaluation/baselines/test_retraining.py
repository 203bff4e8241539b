"""When batch models are trained, and on what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_rec.evaluation.baselines.retraining import History, Schedule, fade
from tests.evaluation.baselines.worlds import group, world

SIZES = (10, 10, 1, 1, 1, 1, 5, 1, 1)


def due(n_warm_groups: int) -> list[bool]:
    schedule = Schedule(world(2, n_warm_groups=n_warm_groups, n_events_between_trainings=2))
    return [schedule.step(group(1, *[0] * size)) for size in SIZES]


def test_training_is_due_at_the_end_of_the_warm_up_and_then_as_often_as_the_world_says():
    """20 events in 2 warm groups: at 20 events, then at 22, 24, 26; one large group makes up for several."""
    assert due(2) == [False, True, False, True, False, True, True, True, False]


def test_without_a_warm_up_training_begins_with_the_first_interval():
    """At 10 events, which make up for several, and so on."""
    assert due(0) == [True, True, False, True, False, True, True, True, False]


def test_a_history_has_each_listed_item_once_the_latest_last():
    """With the sum of the weights of its events: here a view counts 1, a click 2."""
    history = History(world(4, unlisted=1), (1.0, 2.0, 4.0))
    history.learn(replace(group(2, 1, 0, 1), kinds=np.array([0, 0, 1], np.int8)))
    for each in (group(1, 3, 2), group(2, 2)):
        history.learn(each)

    assert [each.tolist() for each in history.own(2)] == [[0, 1, 2], [1.0, 3.0, 1.0]]
    assert [each.tolist() for each in history.own(4)] == [[], []]
    assert list(zip(*(each.tolist() for each in history.triples()))) == [(2, 0, 1), (2, 1, 3), (2, 2, 1), (1, 2, 1)]


def test_the_newest_of_a_row_counts_1():
    """And those before it less and less."""
    assert fade(0.5, 3).tolist() == [0.25, 0.5, 1.0]
    assert fade(0.5, 0).tolist() == []
