"""A schedule is a function of its seed."""

from __future__ import annotations

from tests.crash.schedule import FIRST, LAST, schedule

FAULTS = ["kill", "freeze", "cut", "fill"]


def test_the_same_seed_gives_the_same_schedule():
    """A failure can be run again; another seed is another run."""
    assert schedule(7, FAULTS, n_events=1000) == schedule(7, FAULTS, n_events=1000)
    assert schedule(7, FAULTS, n_events=1000) != schedule(8, FAULTS, n_events=1000)


def test_every_fault_happens_before_any_happens_twice():
    """So that few runs are enough to see each."""
    planned = schedule(1, FAULTS, n_events=1000, n_faults=8)

    assert sorted(one.fault for one in planned[:4]) == sorted(one.fault for one in planned[4:]) == sorted(FAULTS)


def test_faults_come_in_order_and_leave_load_for_the_last():
    """After the last one there are events whose lists can be waited for."""
    places = [one.at_event for one in schedule(2, FAULTS, n_events=1000)]

    assert places == sorted(places)
    assert places[0] >= FIRST * 1000 and places[-1] <= LAST * 1000
