"""Baseline `isgd`: matrix factorisation of positive events by one step of gradient descent an event.

    error = 1 - p_u · q_i
    p_u += rate * (error * q_i - regularization * p_u)
    q_i += rate * (error * p_u - regularization * q_i)
    score(u, i) = -|1 - p_u · q_i|

Among items that had an event. The authors' later version, which this is, takes before each such step `negatives` steps
of p_u alone towards a product of 0 with the items that had no event for longest: without them all products drift
towards 1, which shows only after a warm-up.
How many, rate, regularization and the spread at the start are chosen.
Vinagre, Jorge, Gama. Fast incremental matrix factorization for recommendation with positive-only feedback. UMAP 2014;
Collaborative filtering with recency-based negative feedback. SAC 2015.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN, Fallback, Filling
from stream_rec.evaluation.baselines.lists import fill, select_best
from stream_rec.evaluation.method import Group, World

LONGEST = 1e3
"""Bound of an error: with a high rate steps can overshoot, and such a setting is to lose, not to overflow."""


@dataclass(frozen=True, slots=True)
class Settings(Filling):
    """Of the descent."""

    rate: float = 0.05
    negatives: int = 3
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
        self._by_age: OrderedDict[int, None] = OrderedDict()
        """Items with events, that whose last event, or turn as a negative, is the longest ago first."""
        self._is_known = np.zeros(world.n_users, bool)
        self._fallback = Fallback(world, settings)

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the items with products nearest to 1, then popular ones."""
        levels = self._fallback.levels(user)
        if not self._is_known[user]:
            return select_best(levels, n)
        distances = np.abs(1 - self._of_items @ self._of_users[user])
        return fill(self._had_events / (1 + distances), levels, n)

    def learn(self, group: Group) -> None:
        """Take the step of each event, those away from others before it."""
        p = self._of_users[group.user]
        for item in group.items.tolist():
            self._by_age.pop(item, None)
            for _ in range(min(self._settings.negatives, len(self._by_age))):
                other, _ = self._by_age.popitem(last=False)
                self._by_age[other] = None
                self._step(p, self._of_items[other].copy(), 0.0)
            self._by_age[item] = None
            self._step(p, self._of_items[item], 1.0)
        self._had_events[group.items] = True
        self._is_known[group.user] = True
        self._fallback.learn(group)

    def _step(self, p: NDArray[np.float64], q: NDArray[np.float64], target: float) -> None:
        """Move both towards a product of ``target``, in place."""
        rate, regularization = self._settings.rate, self._settings.regularization
        error = target - p @ q
        step = rate * (error * q - regularization * p)
        q += rate * (error * p - regularization * q)
        p += step
        if abs(error) > LONGEST:
            np.clip(p, -1, 1, out=p)
            np.clip(q, -1, 1, out=q)


FAMILY = Family(
    Isgd,
    Settings(),
    {
        **WITHOUT_TAKEN,
        "negatives": (3, 1, 8),
        "rate": (0.05, 0.02, 0.1),
        "regularization": (0.01, 0.1, 0.0),
        "spread": (0.03, 0.1, 0.01),
    },
    CHOSEN_BEFORE,
)
