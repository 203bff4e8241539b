"""Baseline `online_bpr`: pairwise matrix factorisation, each event against items that others took lately.

    x_ui = b_i + p_u · q_i;   each event (u, i) climbs the sum over `negatives` items j of log sigmoid(x_ui - x_uj)

Negatives are drawn from the last `pool` events, so by recent popularity. Rates, regularization, the pool and the number
of factors are chosen.
Rendle, Freudenthaler, Gantner, Schmidt-Thieme. BPR: Bayesian personalized ranking from implicit feedback. UAI 2009;
negatives from a window of the stream: Diaz-Aviles, Drumond, Schmidt-Thieme, Nejdl. Real-time top-n recommendation in
social streams. RecSys 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN, Fallback, Filling
from stream_rec.evaluation.baselines.lists import NEVER, select_best
from stream_rec.evaluation.method import Group, World

SPREAD = 0.15
"""Standard deviation of the items' factors at the start. Users begin at 0, with the biases alone: drawn factors of
new users cost 5 % on entree_chicago and 15 % on movietweetings."""


@dataclass(frozen=True, slots=True)
class Settings(Filling):
    """Of the ascent."""

    rate: float = 0.03
    bias_rate: float = 0.01
    regularization: float = 0.002
    factors: int = 128
    negatives: int = 10
    pool: int = 2000


class OnlineBpr:
    """Factors of every user and item, biases of items, and the pool of recent items."""

    def __init__(self, world: World, seed: int, settings: Settings) -> None:
        self._settings = settings
        self._chance = np.random.default_rng(seed)
        """For the start and the negatives: ``recommend`` draws nothing."""
        self._of_users = np.zeros((world.n_users, settings.factors))
        self._of_items = self._chance.normal(0, SPREAD, (world.n_items, settings.factors))
        self._biases = np.zeros(world.n_items)
        self._pool = np.zeros(settings.pool, np.int64)
        self._n_events = 0
        self._is_known = np.zeros(world.n_users, bool)
        self._fallback = Fallback(world, settings)

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the items with the highest scores; for a new user popular ones."""
        levels = self._fallback.levels(user)
        if not self._is_known[user]:
            return select_best(levels, n)
        scores = self._of_items @ self._of_users[user] + self._biases
        return select_best(np.where(levels > NEVER, scores, NEVER), n)

    def learn(self, group: Group) -> None:
        """Take one step for each event, then put it into the pool."""
        settings = self._settings
        for item in group.items.tolist():
            n_pool = min(self._n_events, settings.pool)
            if n_pool:
                others = self._pool[self._chance.integers(0, n_pool, settings.negatives)]
                if len(others := others[others != item]):
                    self._step(group.user, item, others)
            self._pool[self._n_events % settings.pool] = item
            self._n_events += 1
        self._is_known[group.user] = True
        self._fallback.learn(group)

    def _step(self, user: int, item: int, others: NDArray[np.int64]) -> None:
        rate, bias_rate, regularization = self._settings.rate, self._settings.bias_rate, self._settings.regularization
        p = self._of_users[user]
        q = self._of_items[item]
        differences = q - self._of_items[others]
        margins = differences @ p + self._biases[item] - self._biases[others]
        pulls = 1 / (1 + np.exp(np.clip(margins, -50, 50)))  # sigmoid(-margin)

        towards = pulls @ differences
        moves = np.multiply.outer(pulls, p) + regularization * self._of_items[others]
        q += rate * (pulls.sum() * p - regularization * q)
        np.subtract.at(self._of_items, others, rate * moves)  # an item may be drawn twice
        p += rate * (towards - regularization * p)
        self._biases[item] += bias_rate * pulls.sum()
        np.subtract.at(self._biases, others, bias_rate * pulls)


FAMILY = Family(
    OnlineBpr,
    Settings(),
    {
        **WITHOUT_TAKEN,
        "rate": (0.03, 0.01, 0.1),
        "bias_rate": (0.01, 0.003, 0.03),
        "regularization": (0.002, 0.02, 0.0),
        "pool": (2000, 200, 20_000),
        "factors": (128, 32),
    },
    CHOSEN_BEFORE,
)
