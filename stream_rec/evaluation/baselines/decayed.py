"""Decayed counts of items, exact at any age.

    count(now) = sum over events i of 2 ** -((now - t_i) / h)

Kept as level = log2(count(now)) + now / h: decay takes the same from all items, so levels change, and with them
the order of items, only where an item has an event. Without a half-life it counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.lists import NEVER
from stream_rec.evaluation.method import World

DAY_MS = 86_400_000
HALF_LIVES_DAYS = (7.0, 1 / 96, 1 / 24, 0.25, 1.0, 3.0, 14.0, 30.0, 90.0, None)
"""What is tried, a quarter of an hour to never; the first is used before one was chosen."""
UNSEEN = -1e300
"""Level of a listed item without events: below all others, but it may be shown."""


def half_life_ms(days: float | None) -> float:
    """Return a half-life in milliseconds; None: infinity, nothing is forgotten."""
    return np.inf if days is None else days * DAY_MS


class DecayedCounts:
    """Counts of every item at one half-life."""

    def __init__(self, world: World, half_life_days: float | None) -> None:
        self._half_life_ms = half_life_ms(half_life_days)
        self.levels = np.where(world.is_listed, UNSEEN, NEVER)
        """(n_items,); ``NEVER`` for items that are not listed."""
        self._is_listed = world.is_listed

    def add(self, items: NDArray[np.int64], now_ms: int) -> None:
        """Count one event for each of ``items``, one of which may stand there twice."""
        for item in items[self._is_listed[items]].tolist():
            self.levels[item] = np.logaddexp2(self.levels[item], now_ms / self._half_life_ms)
