"""Baseline `online_bpr`: pairwise matrix factorisation, each event against items that others took lately.

    x_ui = b_i + p_u · q_i;   each event (u, i) climbs the sum over NEGATIVES recent items j of log sigmoid(x_ui - x_uj)

Negatives are drawn from the last POOL events, so by recent popularity. Settings were chosen on the first half of the
scored part.
Rendle, Freudenthaler, Gantner, Schmidt-Thieme. BPR: Bayesian personalized ranking from implicit feedback. UAI 2009;
negatives from a window of the stream: Diaz-Aviles, Drumond, Schmidt-Thieme, Nejdl. Real-time top-n recommendation in
social streams. RecSys 2012.
"""

from __future__ import annotations

import numpy as np

from stream_rec.replay.baselines.fallback import Fallback
from stream_rec.replay.baselines.lists import NEVER, best
from stream_rec.replay.method import Group, World

FACTORS = 128
RATE = 0.03
BIAS_RATE = 0.01
REGULARIZATION = 0.002
SPREAD = 0.15
"""Standard deviation of the items' factors at the start. Users begin at 0, with the biases alone: drawn factors of
new users cost 5 % on entree_chicago and 15 % on movietweetings."""
NEGATIVES = 10
POOL = 2000


class OnlineBpr:
    """Factors of every user and item, biases of items, and the pool of recent items."""

    def __init__(self, world: World, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        """For the start and the negatives: ``recommend`` draws nothing."""
        self._of_users = np.zeros((world.n_users, FACTORS))
        self._of_items = self._chance.normal(0, SPREAD, (world.n_items, FACTORS))
        self._biases = np.zeros(world.n_items)
        self._pool = np.zeros(POOL, np.int64)
        self._n_events = 0
        self._is_known = np.zeros(world.n_users, bool)
        self._fallback = Fallback(world)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the items with the highest scores; for a new user popular ones."""
        levels = self._fallback.levels(user)
        if not self._is_known[user]:
            return best(levels, n)
        scores = self._of_items @ self._of_users[user] + self._biases
        return best(np.where(levels > NEVER, scores, NEVER), n)

    def learn(self, group: Group) -> None:
        """Take one step for each event, then put it into the pool."""
        for item in group.items.tolist():
            n_pool = min(self._n_events, POOL)
            if n_pool:
                others = self._pool[self._chance.integers(0, n_pool, NEGATIVES)]
                if len(others := others[others != item]):
                    self._step(group.user, item, others)
            self._pool[self._n_events % POOL] = item
            self._n_events += 1
        self._is_known[group.user] = True
        self._fallback.learn(group)

    def _step(self, user: int, item: int, others: np.ndarray) -> None:
        p = self._of_users[user]
        q = self._of_items[item]
        differences = q - self._of_items[others]
        margins = differences @ p + self._biases[item] - self._biases[others]
        pulls = 1 / (1 + np.exp(np.clip(margins, -50, 50)))  # sigmoid(-margin)

        towards = pulls @ differences
        moves = np.multiply.outer(pulls, p) + REGULARIZATION * self._of_items[others]
        q += RATE * (pulls.sum() * p - REGULARIZATION * q)
        np.subtract.at(self._of_items, others, RATE * moves)  # an item may be drawn twice
        p += RATE * (towards - REGULARIZATION * p)
        self._biases[item] += BIAS_RATE * pulls.sum()
        np.subtract.at(self._biases, others, BIAS_RATE * pulls)
