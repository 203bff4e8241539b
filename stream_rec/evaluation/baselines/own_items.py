"""Baseline `own_items`: what the user had before, then what is popular.

    score(u, i) = sum over events of u with i of 2 ** -(age / half-life) + popularity * share(i)

share(i) is the item's decayed popularity as a share of the highest. It orders own items with equal counts (most have 1)
and fills the list. With `popularity` 1 or less an own event of now stands before any item of others. That factor and
the half-life (None: it counts) are chosen; that of the popularity is chosen by itself.
Li, Jullien, Ariannezhad, de Rijke. A Next Basket Recommendation Reality Check. TOIS 2023 (GP-TopFreq).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines import decayed_popularity
from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.decayed import HALF_LIVES_DAYS, half_life_ms
from stream_rec.evaluation.baselines.decayed_popularity import DecayedPopularity
from stream_rec.evaluation.baselines.lists import NEVER, select_best
from stream_rec.evaluation.method import Group, World


@dataclass(frozen=True, slots=True)
class Settings:
    """Of own counts, and of popularity beside them."""

    half_life_days: float | None = 30.0
    popularity: float = 1.0
    popularity_half_life_days: float | None = HALF_LIVES_DAYS[0]


class OwnItems:
    """Keeps each user's counts of items as levels (see ``decayed.py``)."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._popularity = DecayedPopularity(world, settings.popularity_half_life_days)
        self._weight = settings.popularity
        self._half_life_ms = half_life_ms(settings.half_life_days)
        self._is_listed = world.is_listed
        self._own: dict[int, dict[int, float]] = {}
        """By user: item to level."""

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the user's own items and the most popular others."""
        scores = np.where(self._is_listed, self._weight * self._popularity.shares(), NEVER)
        if own := self._own.get(user):
            scores[list(own)] += np.exp2(np.array(list(own.values())) - now_ms / self._half_life_ms)
        return select_best(scores, n)

    def learn(self, group: Group) -> None:
        """Count."""
        own = self._own.setdefault(group.user, {})
        for item in group.items[self._is_listed[group.items]].tolist():
            own[item] = float(np.logaddexp2(own.get(item, NEVER), group.now_ms / self._half_life_ms))
        self._popularity.learn(group)


FAMILY = Family(
    lambda world, seed, settings: OwnItems(world, settings),
    Settings(),
    {"half_life_days": HALF_LIVES_DAYS, "popularity": (1.0, 0.3, 0.1)},
    {"popularity_half_life_days": (decayed_popularity.FAMILY, "half_life_days")},
)
