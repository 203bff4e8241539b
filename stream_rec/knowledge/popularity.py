"""Popularity at several half-lives: one decayed sum each, a function of the set of events alone.

    s_h = sum over events i of 2 ** -((t_last - t_i) / h)

Kept as the value at the time of the latest event. Items are compared by log2(s_h) + t_last / h: decay takes the same
from all items, so their order changes only when one of them has an event.
"""

from __future__ import annotations

import math

HOUR_MS = 3_600_000
HALF_LIVES_MS = tuple(HOUR_MS * hours for hours in (1, 6, 24, 3 * 24, 7 * 24, 30 * 24, 90 * 24))
"""From an hour to a season: the best single one differed from log to log between 1 hour and 90 days."""
FIRST_HALF_LIVES_MS = tuple(HOUR_MS * hours for hours in (7 * 24, 90 * 24))
"""Those of the popularity among users' first events of each kind: what new users begin with is something else."""


def add(
    sums: list[float], last_ms: int | None, timestamp_ms: int, half_lives_ms: tuple[int, ...] = HALF_LIVES_MS
) -> tuple[list[float], int]:
    """Return the sums and their time after one more event, which may lie before ``last_ms``."""
    if last_ms is None:
        return [1.0] * len(half_lives_ms), timestamp_ms
    if timestamp_ms >= last_ms:
        gap = timestamp_ms - last_ms
        return [s * 2.0 ** -(gap / h) + 1.0 for s, h in zip(sums, half_lives_ms)], timestamp_ms
    gap = last_ms - timestamp_ms
    return [s + 2.0 ** -(gap / h) for s, h in zip(sums, half_lives_ms)], last_ms


def levels(sums: list[float], last_ms: int, half_lives_ms: tuple[int, ...] = HALF_LIVES_MS) -> list[float]:
    """Return log2 of each sum carried back to time 0: comparable between items whenever they were last seen.

    Args:
        sums: By half-life, above 0.
        last_ms: Time of the sums.
    """
    return [math.log2(s) + last_ms / h for s, h in zip(sums, half_lives_ms)]
