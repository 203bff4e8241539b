"""When the events of a log are due."""

from __future__ import annotations

import pytest

from stream_rec.replay.pace import Span, describe_duration, keep_rate, send_at_once, span, speed_up


def test_a_rate_spreads_events_evenly():
    """At 4 a second the third event is due after half a second, whatever its time."""
    assert keep_rate(4)(2, 999) == 0.5


def test_a_speed_divides_the_gaps():
    """A gap of 5 s is one of 50 ms at 100x."""
    assert speed_up(100, first_ms=1_000)(7, 6_000) == 0.05


def test_an_event_out_of_order_is_due_at_once():
    """A log need not be ordered: an event before the first is not waited for, nor sent before the start."""
    assert speed_up(100, first_ms=1_000)(7, 500) == 0.0


def test_without_a_pace_all_is_due_all_at_once():
    """Without a pace nothing waits."""
    assert send_at_once(10**6, 10**12) == 0.0


def test_a_span_goes_from_the_first_event_to_the_latest():
    """Whatever their order: an event before the first one is due at once and takes no time."""
    assert span([5_000, 9_000, 1_000, 8_000]) == Span(4, 5_000, 9_000)
    assert span([5_000, 9_000]).seconds == 4.0
    assert span([]) == Span(0, 0, 0)


@pytest.mark.parametrize(
    ("n", "days", "rate", "factor"), [(12_000, 67, 100, 50_000), (386_000, 374, 5000, 500_000), (10, 0.001, 1, 1)]
)
def test_what_is_advised_takes_two_minutes_at_most(n: int, days: float, rate: float, factor: float):
    """As numbers that people would write."""
    log = Span(n, 0, round(days * 86_400_000))

    assert (log.quick_rate(120), log.quick_factor(120)) == (rate, factor)
    assert n / rate <= 120 and log.seconds / factor <= 120


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.2 seconds"), (17, "17 seconds"), (150, "2 minutes"), (57_888, "16 hours"), (5_788_800, "67 days")],
)
def test_durations_in_words(seconds: float, words: str):
    """In the largest unit of which there are two."""
    assert describe_duration(seconds) == words
