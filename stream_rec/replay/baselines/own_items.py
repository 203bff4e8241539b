"""Baseline `own_items`: what the user had before, then what is popular.

    score(u, i) = sum over events of u with i of 2 ** -(age / half-life) + popularity(i) / highest popularity

The half-life, infinity included (then it counts), is the one with the best NDCG@20 on the later half of the warm-up;
that of the popularity is chosen by itself. Popularity orders own items with equal counts (most have 1) and fills the
list: without it, the most recent first, online_retail has .052 instead of .059.
Li, Jullien, Ariannezhad, de Rijke. A Next Basket Recommendation Reality Check. TOIS 2023 (GP-TopFreq).
"""

from __future__ import annotations

import numpy as np

from stream_rec.replay.baselines.decayed import HALF_LIVES_MS, WEEK
from stream_rec.replay.baselines.decayed_popularity import DecayedPopularity
from stream_rec.replay.baselines.lists import NEVER, best
from stream_rec.replay.baselines.warm_up import WarmUp, ranks_of
from stream_rec.replay.method import Group, World


class OwnItems:
    """Keeps each user's counts of items at every half-life, as levels (see ``decayed.py``)."""

    def __init__(self, world: World) -> None:
        self._popularity = DecayedPopularity(world)
        self._is_listed = world.is_listed
        self._own: dict[int, dict[int, np.ndarray]] = {}
        """By user: item to levels, (half-lives,)."""
        self._half_lives_ms = HALF_LIVES_MS
        self._warm_up = WarmUp(world.n_warm_groups, len(HALF_LIVES_MS), WEEK)

    @property
    def half_life_ms(self) -> float:
        """The one in use; infinity: counts."""
        return float(self._half_lives_ms[self._warm_up.best])

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the user's own items and the most popular others."""
        return best(self._scores(user, now_ms)[self._warm_up.best], n)

    def learn(self, group: Group) -> None:
        """Judge the half-lives as long as that is open, then count."""
        if self._warm_up.is_judging:
            self._warm_up.judge(ranks_of(group.items, self._scores(group.user, group.now_ms)))
        own = self._own.setdefault(group.user, {})
        for item in group.items[self._is_listed[group.items]].tolist():
            own[item] = np.logaddexp2(own.get(item, NEVER), group.now_ms / self._half_lives_ms)
        self._popularity.learn(group)
        self._warm_up.step()

    def _scores(self, user: int, now_ms: int) -> np.ndarray:
        """Return (half-lives, n_items) scores; ``NEVER`` for items that are not listed."""
        shares = np.where(self._is_listed, self._popularity.shares(), NEVER)
        scores = np.tile(shares, (len(self._half_lives_ms), 1))
        if own := self._own.get(user):
            levels = np.array(list(own.values())).T
            scores[:, list(own)] += np.exp2(levels - now_ms / self._half_lives_ms[:, np.newaxis])
        return scores
