"""What each user already took."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.lists import NEVER
from stream_rec.evaluation.method import Group


class Taken:
    """The different items of each user."""

    def __init__(self) -> None:
        self._items: defaultdict[int, set[int]] = defaultdict(set)

    def without(self, scores: NDArray[np.float64], user: int) -> NDArray[np.float64]:
        """Return the scores with ``NEVER`` for what the user took, (n_items,)."""
        scores = scores.copy()
        scores[list(self._items.get(user, ()))] = NEVER
        return scores

    def learn(self, group: Group) -> None:
        """The group's items are taken."""
        self._items[group.user].update(group.items.tolist())
