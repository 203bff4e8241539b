"""What V-SkNN and STAN share: the items of neighbouring visits, then popular ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.fallback import Fallback, Filling
from stream_rec.evaluation.baselines.lists import fill
from stream_rec.evaluation.baselines.visits import Visits
from stream_rec.evaluation.method import Group, World


@dataclass(frozen=True, slots=True)
class VisitSettings(Filling):
    """Of what a visit is, and of how many are neighbours."""

    longest_break_minutes: float | None = None
    """A user's event after a longer one begins a new visit; None: a visit is the user's whole history."""
    neighbours: int = 100


class NearestVisits(ABC):
    """A method made of scores by visits."""

    def __init__(self, world: World, settings: VisitSettings) -> None:
        self._n_items = world.n_items
        self._fallback = Fallback(world, settings)
        minutes = settings.longest_break_minutes
        self._visits = Visits(world, np.inf if minutes is None else minutes * 60_000)

    @abstractmethod
    def scores(self, user: int, now_ms: int) -> NDArray[np.float64]:
        """Return what neighbours say of each item, (n_items,)."""

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the neighbours' items, then popular ones."""
        return fill(self.scores(user, now_ms), self._fallback.levels(user), n)

    def learn(self, group: Group) -> None:
        """Add the group to the user's visit."""
        self._visits.learn(group)
        self._fallback.learn(group)
