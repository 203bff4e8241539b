"""Baseline `text_similarity`: items whose text is near the mean of the user's last items, and a little popularity.

    taste(u)    = sum over u's last `last` items, place 0 the newest, of recency ** place * vector
    score(u, i) = cosine(v_i, taste(u)) + popularity * decayed popularity(i) / the highest

All three are chosen. Lops, de Gemmis, Semeraro. Content-based recommender systems: state of the art and trends. 2011.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN, Fallback, Filling
from stream_rec.evaluation.baselines.lists import NEVER, select_best
from stream_rec.evaluation.baselines.recent import Recent
from stream_rec.evaluation.method import Group, World


@dataclass(frozen=True, slots=True)
class Settings(Filling):
    """Of the taste, and of popularity beside it."""

    popularity: float = 0.5
    last: int = 20
    recency: float = 1.0


class TextSimilarity:
    """Keeps the last items of each user."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._settings = settings
        self._vectors = world.vectors
        self._last = Recent(world.n_users, settings.last)
        self._fallback = Fallback(world, settings)

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the items nearest in text; for a user without events popular ones."""
        levels = self._fallback.levels(user)
        last = self._last.row(user)
        taste = (self._settings.recency ** np.arange(len(last))[::-1]).astype(np.float32) @ self._vectors[last]
        length = np.linalg.norm(taste)
        if length == 0:
            return select_best(levels, n)
        scores = self._vectors @ (taste / length) + self._settings.popularity * self._fallback.shares()
        return select_best(np.where(levels > NEVER, scores, NEVER), n)

    def learn(self, group: Group) -> None:
        """Add the group's items to the user's last."""
        for item in group.items.tolist():
            self._last.put(group.user, item)
        self._fallback.learn(group)


FAMILY = Family(
    lambda world, seed, settings: TextSimilarity(world, settings),
    Settings(),
    {
        **WITHOUT_TAKEN,
        "popularity": (0.5, 0.0, 0.2, 1.0, 2.0),
        "last": (20, 5, 1),
        "recency": (1.0, 0.8, 0.5),
    },
    CHOSEN_BEFORE,
)
