"""When the events of a log are due."""

from __future__ import annotations

from stream_rec.replay.pace import constant, sped_up, unpaced


def test_a_rate_spreads_events_evenly():
    """At 4 a second the third event is due after half a second, whatever its time."""
    assert constant(4)(2, 999) == 0.5


def test_a_speed_divides_the_gaps():
    """A gap of 5 s is one of 50 ms at 100x."""
    assert sped_up(100, first_ms=1_000)(7, 6_000) == 0.05


def test_an_event_out_of_order_is_due_at_once():
    """A log need not be ordered: an event before the first is not waited for, nor sent before the start."""
    assert sped_up(100, first_ms=1_000)(7, 500) == 0.0


def test_unpaced_is_all_at_once():
    """Without a pace nothing waits."""
    assert unpaced(10**6, 10**12) == 0.0
