"""Baseline `popularity`: the items with the most events of all time, the same list for everybody.

Cremonesi, Koren, Turrin. Performance of recommender algorithms on top-N recommendation tasks. RecSys 2010 (TopPop).
"""

from __future__ import annotations

import numpy as np

from stream_rec.replay.baselines.lists import NEVER, best
from stream_rec.replay.method import Group, World


class Popularity:
    """Counts events."""

    def __init__(self, world: World) -> None:
        self._counts = np.where(world.is_listed, 0.0, NEVER)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the ``n`` items with the most events."""
        return best(self._counts, n)

    def learn(self, group: Group) -> None:
        """Count the group's events; what is not listed stays at ``NEVER``."""
        np.add.at(self._counts, group.items, 1.0)
