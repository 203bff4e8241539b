"""Baseline `popularity`: the items with the most events of all time.

Whether lists leave out what the user took is chosen; without that it is the same list for all users.
Cremonesi, Koren, Turrin. Performance of recommender algorithms on top-N recommendation tasks. RecSys 2010 (TopPop).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.lists import NEVER, select_best
from stream_rec.evaluation.baselines.taken import Taken
from stream_rec.evaluation.method import Group, World


@dataclass(frozen=True, slots=True)
class Settings:
    """Whether what the user took is left out."""

    without_taken: bool = False


class Popularity:
    """Counts events."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._counts = np.where(world.is_listed, 0.0, NEVER)
        self._taken = Taken() if settings.without_taken else None

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the ``n`` items with the most events."""
        return select_best(self._counts if self._taken is None else self._taken.without(self._counts, user), n)

    def learn(self, group: Group) -> None:
        """Count the group's events; what is not listed stays at ``NEVER``."""
        np.add.at(self._counts, group.items, 1.0)
        if self._taken is not None:
            self._taken.learn(group)


FAMILY = Family(lambda world, seed, settings: Popularity(world, settings), Settings(), {"without_taken": (False, True)})
