"""When a batch model is trained again: every 2 % of the events, as the length of the warm-up tells."""

from __future__ import annotations

import numpy as np

from stream_rec.replay.method import Group, World

WARM_UP_SHARE = 0.2
RETRAINED_EVERY = 0.02


class Schedule:
    """Distinct pairs of user and item so far, and whether it is time to train on them.

    The first training is at the end of the warm-up; without a warm-up there is none.
    """

    def __init__(self, world: World) -> None:
        self._n_warm_left = world.n_warm_groups
        self._n_events = 0
        self._interval = 0.0
        self._next_at = np.inf
        self.items_of: dict[int, dict[int, None]] = {}
        """By user: the listed items, each once, oldest first."""
        self._is_listed = world.is_listed

    def learn(self, group: Group) -> bool:
        """Add the group; return whether the model is due."""
        own = self.items_of.setdefault(group.user, {})
        own.update(dict.fromkeys(group.items[self._is_listed[group.items]].tolist()))
        self._n_events += len(group.items)
        if self._n_warm_left > 0:
            self._n_warm_left -= 1
            if self._n_warm_left == 0:
                self._interval = self._n_events * RETRAINED_EVERY / WARM_UP_SHARE
                self._next_at = self._n_events
        if self._n_events < self._next_at or not any(self.items_of.values()):
            return False
        self._next_at += self._interval * (1 + (self._n_events - self._next_at) // self._interval)
        return True

    def own(self, user: int) -> np.ndarray:
        """Return the user's items, (e,) int64."""
        return np.fromiter(self.items_of.get(user, ()), np.int64)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the users and the items of all pairs, two arrays of one length."""
        counts = [len(items) for items in self.items_of.values()]
        users = np.repeat(np.fromiter(self.items_of, np.int64), counts)
        return users, np.fromiter((item for items in self.items_of.values() for item in items), np.int64, sum(counts))
