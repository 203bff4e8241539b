"""How fast a log is sent: when each of its events is due, in seconds after the first."""

from __future__ import annotations

from collections.abc import Callable

Pace = Callable[[int, int], float]
"""From an event's place in the log, counted from 0, and its time in milliseconds, to when it is due."""


def unpaced(place: int, timestamp_ms: int) -> float:
    """Everything at once."""
    return 0.0


def constant(events_per_s: float) -> Pace:
    """Return a pace of so many events per second, whatever their times."""
    return lambda place, timestamp_ms: place / events_per_s


def sped_up(factor: float, first_ms: int) -> Pace:
    """Return a pace that keeps the gaps between events, divided by ``factor``. An earlier event is due at once."""
    return lambda place, timestamp_ms: max(0.0, (timestamp_ms - first_ms) / 1000 / factor)
