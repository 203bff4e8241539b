"""Decayed counts of items, exact at any age.

    count_h(now) = sum over events i of 2 ** -((now - t_i) / h)

Kept as level_h = log2(count_h(now)) + now / h: decay takes the same from all items, so levels change, and with them
the order of items, only where an item has an event. A half-life of infinity counts.
"""

from __future__ import annotations

import numpy as np

from stream_rec.replay.baselines.lists import NEVER
from stream_rec.replay.method import World

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HALF_LIVES_MS = np.array([HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, np.inf])
WEEK = 4
"""Place of the half-life that is used before one was chosen."""
UNSEEN = -1e300
"""Level of a listed item without events: below all others, but it may be shown."""


class DecayedCounts:
    """Counts of every item at several half-lives."""

    def __init__(self, world: World, half_lives_ms: np.ndarray) -> None:
        self.half_lives_ms = half_lives_ms
        self.levels = np.where(world.is_listed, UNSEEN, np.full((len(half_lives_ms), world.n_items), NEVER))
        """(half-lives, n_items); ``NEVER`` for items that are not listed."""
        self._is_listed = world.is_listed

    def add(self, items: np.ndarray, now_ms: int) -> None:
        """Count one event for each of ``items``, one of which may stand there twice."""
        for item in items[self._is_listed[items]].tolist():
            self.levels[:, item] = np.logaddexp2(self.levels[:, item], now_ms / self.half_lives_ms)

    def keep(self, place: int) -> None:
        """Go on with one of the half-lives alone."""
        self.levels = self.levels[place : place + 1]
        self.half_lives_ms = self.half_lives_ms[place : place + 1]
