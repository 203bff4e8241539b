"""When history is added to live events."""

from __future__ import annotations

import pytest

from stream_rec.operations.throttle import Throttle


def throttle(**changed: float) -> Throttle:
    return Throttle(**{"most_behind": 100, "commit_interval_s": 1.0, **changed})


def test_it_rests_as_long_as_the_workers_took():
    """A handful that took 30 ms is followed by a rest of 30 ms; one that took long by a second's."""
    one = throttle()
    assert one.wait_s(10.0) == 0.0
    one.count_sent(10.0, 20)
    one.begin_rest(10.03)
    assert one.wait_s(10.04) == pytest.approx(0.02)
    assert one.wait_s(10.06) == pytest.approx(0.0)

    one.count_sent(11.0, 20)
    one.begin_rest(41.0)
    assert one.wait_s(41.0) == 1.0


def test_no_more_than_is_asked_for():
    """20 events at 40 a second are half a second, however quick the answer; what was not sent is not made up for."""
    one = throttle(most_per_s=40)
    one.count_sent(0.0, 20)
    one.begin_rest(0.01)
    assert one.wait_s(0.1) == pytest.approx(0.4)

    one.count_sent(5.0, 20)
    assert one.wait_s(5.0) == pytest.approx(0.5)


def test_events_within_the_workers_interval_are_no_queue():
    """A worker that keeps up with 1000 a second has up to a second of them open: just after a commit, none."""
    one = throttle()
    for tick in range(60):
        one.observe_lag(tick * 0.05, {"views": 50 * (tick % 20)})
        if tick >= 20:
            assert not one.is_waiting

    assert one.behind == 0


def test_a_queue_is_waited_for():
    """What is still open just after each commit is waiting; when it is taken, sending goes on."""
    one = throttle()
    for tick in range(60):
        one.observe_lag(tick * 0.05, {"views": 101 + 50 * (tick % 20), "clicks": 0})
    assert (one.behind, one.is_waiting) == (101, True)
    assert 0 < one.wait_s(3.0) < 0.2

    one.observe_lag(3.0, {"views": 60, "clicks": 40})
    assert (one.behind, one.is_waiting) == (60, False)


def test_a_queue_that_begins_is_noticed():
    """Within a little more than an interval; what was before does not count for long."""
    one = throttle()
    for tick in range(40):
        one.observe_lag(tick * 0.05, {"views": 0})
    for tick in range(40, 70):
        one.observe_lag(tick * 0.05, {"views": 150})

    assert one.is_waiting


def test_each_partition_is_looked_at_by_itself():
    """Workers commit at moments of their own: that never all partitions are read to the end at once is no queue."""
    one = throttle()
    for tick in range(40):
        one.observe_lag(tick * 0.05, {0: 150 if tick % 20 < 10 else 0, 1: 0 if tick % 20 < 10 else 150})

    assert one.behind == 0


def test_nobody_is_heeded_where_nobody_is_to_be():
    """``most_behind`` 0: as fast as the broker takes it."""
    one = throttle(most_behind=0)
    one.observe_lag(0.0, {0: 10**9})
    one.count_sent(0.0, 10**6)

    assert one.wait_s(0.0) == 0.0 and not one.is_waiting
