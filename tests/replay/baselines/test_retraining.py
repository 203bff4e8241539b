"""When batch models are trained."""

from __future__ import annotations

from stream_rec.replay.baselines.retraining import Schedule
from tests.replay.baselines.worlds import group, world


def test_training_is_due_at_the_end_of_the_warm_up_and_every_tenth_of_it():
    """20 events in 2 warm groups: at 20 events, then at 22, 24, 26; one large group makes up for several."""
    schedule = Schedule(world(2, n_warm_groups=2))
    sizes = (10, 10, 1, 1, 1, 1, 5, 1, 1)

    due = [schedule.learn(group(1, *[0] * size)) for size in sizes]
    assert due == [False, True, False, True, False, True, True, True, False]


def test_pairs_are_distinct_and_listed():
    """Each user's items once, oldest first."""
    schedule = Schedule(world(4, unlisted=1))
    for each in (group(2, 1, 0, 1), group(1, 3, 2), group(2, 2)):
        schedule.learn(each)

    users, items = schedule.pairs()
    assert list(zip(users.tolist(), items.tolist())) == [(2, 1), (2, 0), (2, 2), (1, 2)]
    assert (schedule.own(2).tolist(), schedule.own(4).tolist()) == ([1, 0, 2], [])
