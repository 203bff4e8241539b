"""What fills the list of a method that has too little to say, and what may stand on a list at all.

Decayed popularity, the same for all users, at the half-life that was chosen for it by itself. Whether lists leave out
what the user took is a choice of the method's: it serves a cinema's new films, and a shop's repeats are lost by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines import decayed_popularity
from stream_rec.evaluation.baselines.decayed import HALF_LIVES_DAYS
from stream_rec.evaluation.baselines.decayed_popularity import DecayedPopularity
from stream_rec.evaluation.baselines.taken import Taken
from stream_rec.evaluation.method import Group, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Settings that every method with a fallback has."""

    fill_half_life_days: float | None = HALF_LIVES_DAYS[0]
    without_taken: bool = False


CHOSEN_BEFORE = {"fill_half_life_days": (decayed_popularity.FAMILY, "half_life_days")}
"""For ``Family.before``."""
WITHOUT_TAKEN = {"without_taken": (False, True)}
"""For ``Family.options``."""


class Fallback:
    """Popularity, and what each user took."""

    def __init__(self, world: World, settings: Filling) -> None:
        self._popularity = DecayedPopularity(world, settings.fill_half_life_days)
        self._taken = Taken() if settings.without_taken else None

    def levels(self, user: int) -> NDArray[np.float64]:
        """Return what to order other items by, (n_items,); ``NEVER`` for items that this user must not be shown."""
        levels = self._popularity.levels
        return levels if self._taken is None else self._taken.without(levels, user)

    def shares(self) -> NDArray[np.float64]:
        """Return popularity as shares of the highest, (n_items,) in 0 to 1."""
        return self._popularity.shares()

    def learn(self, group: Group) -> None:
        """Count the group's items."""
        self._popularity.learn(group)
        if self._taken is not None:
            self._taken.learn(group)
