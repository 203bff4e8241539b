"""Baseline `text_similarity`: items whose text is near the mean of the user's last items, and a little popularity.

    score(u, i) = cosine(v_i, mean of the vectors of u's last LAST items) + POPULARITY * popularity(i) / the highest

POPULARITY was chosen on the first third of the scored part: 0.3 is best on entree_chicago, 0.5 on online_retail, 1 on
movietweetings.
Lops, de Gemmis, Semeraro. Content-based recommender systems: state of the art and trends. 2011.
"""

from __future__ import annotations

import numpy as np

from stream_rec.replay.baselines.fallback import Fallback
from stream_rec.replay.baselines.lists import NEVER, best
from stream_rec.replay.baselines.recent import Recent
from stream_rec.replay.method import Group, World

LAST = 20
POPULARITY = 0.5


class TextSimilarity:
    """Keeps the last items of each user."""

    def __init__(self, world: World) -> None:
        self._vectors = world.vectors
        self._last = Recent(world.n_users, LAST)
        self._fallback = Fallback(world)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the items nearest in text; for a user without events popular ones."""
        levels = self._fallback.levels(user)
        last = self._last.row(user)
        taste = self._vectors[last].sum(axis=0)
        length = np.linalg.norm(taste)
        if length == 0:
            return best(levels, n)
        scores = self._vectors @ (taste / length) + POPULARITY * self._fallback.shares()
        return best(np.where(levels > NEVER, scores, NEVER), n)

    def learn(self, group: Group) -> None:
        """Add the group's items to the user's last."""
        for item in group.items.tolist():
            self._last.put(group.user, item)
        self._fallback.learn(group)
