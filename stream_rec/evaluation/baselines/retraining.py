"""When a batch model is trained again, and on what: pairs of a row and an item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.method import Group, World


class Schedule:
    """Tells when it is time to train: with the end of the warm-up, then as often as the world says.

    Without a warm-up the first training comes when the others do.
    """

    def __init__(self, world: World) -> None:
        self._n_warm_left = world.n_warm_groups
        self._n_events = 0
        self._interval = world.n_events_between_trainings
        self._next_at = np.inf if world.n_warm_groups else self._interval

    def step(self, group: Group) -> bool:
        """Go on by a group; return whether the model is due."""
        self._n_events += len(group.items)
        if self._n_warm_left > 0:
            self._n_warm_left -= 1
            if self._n_warm_left == 0:
                self._next_at = self._n_events
        if self._n_events < self._next_at:
            return False
        self._next_at += self._interval * (1 + (self._n_events - self._next_at) // self._interval)
        return True


class History:
    """Each user's listed items with the sum of the weights of their events.

    Args:
        weights: Of an event, by kind.
    """

    def __init__(self, world: World, weights: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
        self._is_listed = world.is_listed
        self._weights = weights
        self._of: dict[int, dict[int, float]] = {}
        """By user: items, that with the latest event last."""

    def learn(self, group: Group) -> None:
        """Add the group."""
        own = self._of.setdefault(group.user, {})
        for item, kind in zip(group.items.tolist(), group.kinds.tolist()):
            if self._is_listed[item]:
                own[item] = own.pop(item, 0.0) + self._weights[kind]

    def own(self, user: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the user's items, (e,) int64, that with the latest event last, and their weights."""
        own = self._of.get(user, {})
        return np.fromiter(own, np.int64, len(own)), np.fromiter(own.values(), np.float64, len(own))

    def triples(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return the users, items and weights of all pairs, three arrays of one length."""
        counts = [len(items) for items in self._of.values()]
        users = np.repeat(np.fromiter(self._of, np.int64, len(counts)), counts)
        items = np.fromiter((item for own in self._of.values() for item in own), np.int64, sum(counts))
        weights = np.fromiter((weight for own in self._of.values() for weight in own.values()), np.float64, sum(counts))
        return users, items, weights


def fade(recency: float, n: int) -> NDArray[np.float32]:
    """Return recency ** age of ``n`` items, the newest last, (n,)."""
    return (recency ** np.arange(n)[::-1]).astype(np.float32)
