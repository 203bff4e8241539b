"""Baseline `decayed_popularity`: the items with the most events lately, with or without what the user already took.

    score(i) = sum over events of i of 2 ** -(age / half-life)

The half-life is chosen. Ji, Sun, Zhang, Li. A Re-visit of the Popularity Baseline in Recommender Systems. SIGIR 2020
(RecentPop, DecayPop), where popularity at the time of the request beats popularity of all time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.decayed import HALF_LIVES_DAYS, UNSEEN, DecayedCounts
from stream_rec.evaluation.baselines.lists import NEVER, select_best
from stream_rec.evaluation.baselines.taken import Taken
from stream_rec.evaluation.method import Group, World


@dataclass(frozen=True, slots=True)
class Settings:
    """How fast popularity is forgotten."""

    half_life_days: float | None = HALF_LIVES_DAYS[0]


class DecayedPopularity:
    """Popularity at one half-life. It fills the lists of other baselines."""

    def __init__(self, world: World, half_life_days: float | None) -> None:
        self._counts = DecayedCounts(world, half_life_days)

    @property
    def levels(self) -> NDArray[np.float64]:
        """Return log2 of the scores up to the same number for all items, (n_items,); ``NEVER``: not listed."""
        return self._counts.levels

    def shares(self) -> NDArray[np.float64]:
        """Return the scores as shares of the highest, (n_items,) in 0 to 1."""
        highest = self.levels.max(initial=NEVER)
        return np.exp2(self.levels - highest) if highest > UNSEEN else np.zeros(len(self.levels))

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the ``n`` most popular items."""
        return select_best(self.levels, n)

    def learn(self, group: Group) -> None:
        """Count."""
        self._counts.add(group.items, group.now_ms)


class NewPopularity(DecayedPopularity):
    """The same without what the user already took."""

    def __init__(self, world: World, half_life_days: float | None) -> None:
        super().__init__(world, half_life_days)
        self._taken = Taken()

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the ``n`` most popular items that the user has not taken."""
        return select_best(self._taken.without(self.levels, user), n)

    def learn(self, group: Group) -> None:
        """Count; then the items are taken."""
        super().learn(group)
        self._taken.learn(group)


FAMILY = Family(
    lambda world, seed, settings: DecayedPopularity(world, settings.half_life_days),
    Settings(),
    {"half_life_days": HALF_LIVES_DAYS},
)
WITHOUT_TAKEN = Family(
    lambda world, seed, settings: NewPopularity(world, settings.half_life_days),
    Settings(),
    {"half_life_days": HALF_LIVES_DAYS},
)
