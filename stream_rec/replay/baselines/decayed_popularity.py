"""Baseline `decayed_popularity`: the items with the most events lately, with or without what the user already took.

    score(i) = sum over events of i of 2 ** -(age / half-life)

The half-life is the one of 1 and 6 hours, 1, 3, 7, 30 and 90 days with the best NDCG@20 on the later half of the
warm-up. Ji, Sun, Zhang, Li. A Re-visit of the Popularity Baseline in Recommender Systems. SIGIR 2020 (RecentPop,
DecayPop), where popularity at the time of the request beats popularity of all time.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from stream_rec.replay.baselines.decayed import HALF_LIVES_MS, WEEK, DecayedCounts
from stream_rec.replay.baselines.lists import NEVER, best
from stream_rec.replay.baselines.warm_up import WarmUp, ranks_of
from stream_rec.replay.method import Group, World


class DecayedPopularity:
    """Popularity at one half-life, chosen on the warm-up. It fills the lists of the other baselines."""

    def __init__(self, world: World) -> None:
        self._counts = DecayedCounts(world, HALF_LIVES_MS[np.isfinite(HALF_LIVES_MS)])
        self._warm_up = WarmUp(world.n_warm_groups, len(self._counts.half_lives_ms), WEEK)
        self._place = WEEK

    @property
    def half_life_ms(self) -> float:
        """The one in use."""
        return float(self._counts.half_lives_ms[self._place])

    @property
    def levels(self) -> np.ndarray:
        """Return log2 of the scores up to the same number for all items, (n_items,); ``NEVER``: not listed."""
        return self._counts.levels[self._place]

    def shares(self) -> np.ndarray:
        """Return the scores as shares of the highest, (n_items,) in 0 to 1."""
        return np.exp2(self.levels - self.levels.max(initial=0.0))

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the ``n`` most popular items."""
        return best(self.levels, n)

    def learn(self, group: Group) -> None:
        """Judge the half-lives as long as that is open, then count."""
        if self._warm_up.is_judging:
            self._warm_up.judge(self._ranks(group))
        self._counts.add(group.items, group.now_ms)
        if self._warm_up.step():
            self._counts.keep(self._warm_up.best)
            self._place = 0

    def _ranks(self, group: Group) -> np.ndarray:
        return ranks_of(group.items, self._counts.levels)


class NewPopularity(DecayedPopularity):
    """The same without what the user already took, its half-life chosen as such."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._taken: defaultdict[int, set[int]] = defaultdict(set)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the ``n`` most popular items that the user has not taken."""
        return best(self._without_taken(self.levels, user), n)

    def learn(self, group: Group) -> None:
        """As of ``DecayedPopularity``; then the items are taken."""
        super().learn(group)
        self._taken[group.user].update(group.items.tolist())

    def _ranks(self, group: Group) -> np.ndarray:
        taken = self._taken.get(group.user, set())
        is_new = np.array([item not in taken for item in group.items.tolist()])
        return ranks_of(group.items, self._without_taken(self._counts.levels, group.user)) * is_new

    def _without_taken(self, levels: np.ndarray, user: int) -> np.ndarray:
        levels = levels.copy()
        levels[..., list(self._taken.get(user, ()))] = NEVER
        return levels
