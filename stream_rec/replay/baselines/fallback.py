"""What fills the list of a method that has too little to say, and what may stand on a list at all.

Decayed popularity, for everybody. Where users do not come back to an item, lists leave out what the user took:
counted on the first half of the warm-up, so that one rule serves a shop's repeats and a cinema's new films.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from stream_rec.replay.baselines.decayed_popularity import DecayedPopularity
from stream_rec.replay.baselines.lists import NEVER
from stream_rec.replay.method import Group, World

FEWEST_REPEATS = 0.02
"""Share of the events that repeat the user's own; with fewer, lists leave out what was taken. It is 0.2 on
entree_chicago and online_retail and 0 on movietweetings, where leaving it out lifts V-SkNN from .100 to .130."""


class Fallback:
    """Popularity, and what each user took."""

    def __init__(self, world: World) -> None:
        self._popularity = DecayedPopularity(world)
        self._taken: defaultdict[int, set[int]] = defaultdict(set)
        self._n_left = world.n_warm_groups // 2
        self._n_events = 0
        self._n_repeats = 0

    @property
    def has_repeats(self) -> bool:
        """Whether users of this log come back to an item; assumed until that many groups were counted."""
        return self._n_left > 0 or self._n_repeats >= FEWEST_REPEATS * self._n_events

    def levels(self, user: int) -> np.ndarray:
        """Return what to order other items by, (n_items,); ``NEVER`` for items that this user must not be shown."""
        if self.has_repeats:
            return self._popularity.levels
        levels = self._popularity.levels.copy()
        levels[list(self._taken.get(user, ()))] = NEVER
        return levels

    def shares(self) -> np.ndarray:
        """Return popularity as shares of the highest, (n_items,) in 0 to 1."""
        return self._popularity.shares()

    def learn(self, group: Group) -> None:
        """Count the group's items, at first also which of them the user had before the group."""
        taken = self._taken[group.user]
        if self._n_left > 0:
            self._n_left -= 1
            self._n_events += len(group.items)
            self._n_repeats += sum(item in taken for item in group.items.tolist())
        taken.update(group.items.tolist())
        self._popularity.learn(group)
