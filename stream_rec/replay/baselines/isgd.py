"""Baseline `isgd`: matrix factorisation of positive events by one step of gradient descent an event.

    error = 1 - p_u · q_i
    p_u += rate * (error * q_i - regularization * p_u)
    q_i += rate * (error * p_u - regularization * q_i)
    score(u, i) = -|1 - p_u · q_i|

Among items that had an event. Rate, regularization, the spread at the start and the number of factors are chosen.
Vinagre, Jorge, Gama. Fast incremental matrix factorization for recommendation with positive-only feedback. UMAP 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_rec.replay.baselines.choice import Family
from stream_rec.replay.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN, Fallback, Filling
from stream_rec.replay.baselines.lists import best, filled
from stream_rec.replay.method import Group, World

LONGEST = 1e3
"""Bound of a factor: with a high rate steps can overshoot, and such a setting is to lose, not to overflow."""


@dataclass(frozen=True, slots=True)
class Settings(Filling):
    """Of the descent."""

    rate: float = 0.05
    regularization: float = 0.01
    spread: float = 0.03
    """Standard deviation of the factors at the start."""
    factors: int = 32


class Isgd:
    """Factors of every user and item."""

    def __init__(self, world: World, seed: int, settings: Settings) -> None:
        chance = np.random.default_rng(seed)
        self._settings = settings
        self._of_users = chance.normal(0, settings.spread, (world.n_users, settings.factors))
        self._of_items = chance.normal(0, settings.spread, (world.n_items, settings.factors))
        self._had_events = np.zeros(world.n_items, bool)
        self._is_known = np.zeros(world.n_users, bool)
        self._fallback = Fallback(world, settings)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the items with products nearest to 1, then popular ones."""
        levels = self._fallback.levels(user)
        if not self._is_known[user]:
            return best(levels, n)
        distances = np.abs(1 - self._of_items @ self._of_users[user])
        return filled(self._had_events / (1 + distances), levels, n)

    def learn(self, group: Group) -> None:
        """Take one step for each event."""
        rate, regularization = self._settings.rate, self._settings.regularization
        p = self._of_users[group.user]
        for item in group.items.tolist():
            q = self._of_items[item]
            error = 1 - p @ q
            step = rate * (error * q - regularization * p)
            q += rate * (error * p - regularization * q)
            p += step
            if abs(error) > LONGEST:
                np.clip(p, -1, 1, out=p)
                np.clip(q, -1, 1, out=q)
        self._had_events[group.items] = True
        self._is_known[group.user] = True
        self._fallback.learn(group)


FAMILY = Family(
    Isgd,
    Settings(),
    {
        **WITHOUT_TAKEN,
        "rate": (0.05, 0.01, 0.02, 0.1, 0.2),
        "regularization": (0.01, 0.1, 0.0),
        "spread": (0.03, 0.1, 0.01),
        "factors": (32, 128),
    },
    CHOSEN_BEFORE,
)
