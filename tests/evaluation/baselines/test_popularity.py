"""All-time popularity."""

from __future__ import annotations

from stream_rec.evaluation.baselines.popularity import Popularity, Settings
from tests.evaluation.baselines.worlds import group, shown, taught, world


def test_more_events_stand_first_however_old():
    """A doubled item counts twice."""
    method = taught(Popularity(world(3), Settings()), group(1, 2, 2), group(1, 1, at_ms=10**9), group(2, 0, 1, 1))

    assert shown(method) == [1, 2, 0]


def test_what_the_user_took_is_left_out_where_that_was_chosen():
    """For that user alone."""
    method = taught(Popularity(world(3), Settings(without_taken=True)), group(1, 2, 2), group(2, 1))

    assert [shown(method, user) for user in (0, 1, 2)] == [[2, 1, 0], [1, 0], [2, 0]]
