"""How fast a log is sent: when each of its events is due, in seconds after the first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

Pace = Callable[[int, int], float]
"""From an event's index in the log and its time in milliseconds, to when it is due."""


def send_at_once(index: int, timestamp_ms: int) -> float:
    """Return that everything is due at once."""
    return 0.0


def keep_rate(events_per_s: float) -> Pace:
    """Return a pace of so many events per second, whatever their times.

    Example:
        >>> pace = keep_rate(4)
        >>> pace(2, 999)
        0.5
    """
    return lambda index, timestamp_ms: index / events_per_s


def speed_up(factor: float, first_ms: int) -> Pace:
    """Return a pace that keeps the gaps between events, divided by ``factor``. An earlier event is due at once.

    Example:
        Six seconds after the first event, a hundred times as fast.

        >>> speed_up(100, first_ms=1_000)(7, 7_000)
        0.06
    """
    return lambda index, timestamp_ms: max(0.0, (timestamp_ms - first_ms) / 1000 / factor)


class Span(NamedTuple):
    """How many events a log has, and when."""

    n: int
    first_ms: int
    """Time of the first one, as they stand."""
    last_ms: int
    """The latest time."""

    @property
    def seconds(self) -> float:
        """From the first event to the last."""
        return (self.last_ms - self.first_ms) / 1000

    def quick_rate(self, seconds: float) -> float:
        """Return a plain number of events a second at which the log takes at most so long."""
        return _plain(self.n / seconds)

    def quick_factor(self, seconds: float) -> float:
        """Return a plain speed at which the log takes at most so long."""
        return _plain(self.seconds / seconds)


def span(times_ms: Iterable[int]) -> Span:
    """Return how many events there are, and when; all zero for none."""
    n = first_ms = last_ms = 0
    for n, time_ms in enumerate(times_ms, 1):
        first_ms = time_ms if n == 1 else first_ms
        last_ms = time_ms if n == 1 else max(last_ms, time_ms)
    return Span(n, first_ms, last_ms)


def describe_duration(seconds: float) -> str:
    """Return a duration in the unit in which it is a small number: "51 hours"."""
    for unit_s, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:,.0f} {unit}"
    return f"{seconds:,.0f} seconds" if seconds >= 2 else f"{seconds:.1f} seconds"


def _plain(least: float) -> float:
    """Return the smallest number of 1, 2 or 5 times a power of ten that is not below ``least``, and not below 1."""
    least = max(1.0, least)
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))
