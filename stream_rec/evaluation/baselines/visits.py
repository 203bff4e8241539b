"""Visits: what a user took without a long break, and the recent visits that had an item. Shared by V-SkNN and STAN.

The papers' sessions, for a stream: bounded, learned event by event, a visit's newest events known at once. With an
infinite break a visit is the user's whole (bounded) history.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.recent import NOBODY, Recent
from stream_rec.evaluation.method import Group, World

N_ITEMS = 64
"""Different items kept of a visit, and of a user."""
N_VISITS = 500
"""Visits kept of an item."""


class Neighbours(NamedTuple):
    """Recent visits that share an item with the user's recent items."""

    visits: NDArray[np.int64]
    """(k,) numbers of visits."""
    overlaps: NDArray[np.float64]
    """(k,) sums of the weights of the shared items."""


class Visits:
    """The last items of every visit and user, and the last visits of every item.

    Args:
        longest_break_ms: A user's event after a longer break begins a new visit; infinity: none does.
    """

    def __init__(
        self, world: World, longest_break_ms: float, *, n_items: int = N_ITEMS, n_visits: int = N_VISITS
    ) -> None:
        self._longest_break_ms = longest_break_ms
        self._items = Recent(1024, n_items)
        self._items_of_users = Recent(world.n_users, n_items)
        self._visits_of_items = Recent(world.n_items, n_visits)
        self._last_ms = np.zeros(1024)
        self._n_visits = 0
        self._n_visits_of = np.zeros(world.n_items)
        self._open: dict[int, int] = {}
        """By user: the latest visit."""

    def current(self, user: int, now_ms: int) -> int | None:
        """Return the visit that an event now would belong to, None where it would begin a new one."""
        visit = self._open.get(user)
        is_over = visit is None or now_ms - self._last_ms[visit] > self._longest_break_ms
        return None if is_over else visit

    def recent_items(self, user: int, now_ms: int, n: int) -> NDArray[np.int32]:
        """Return the visit's last ``n`` different items, oldest first; before its first event the user's."""
        visit = self.current(user, now_ms)
        return (self._items_of_users.row(user) if visit is None else self._items.row(visit))[-n:]

    def items_of(self, visits: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return (visits, n_items) different items, the newest last, ``NOBODY`` before the oldest."""
        return self._items.rows(visits)

    def last_ms(self, visits: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the time of the latest event of each visit, (visits,)."""
        times: NDArray[np.float64] = self._last_ms[visits]
        return times

    def idf(self) -> NDArray[np.float64]:
        """Return log(visits / visits with the item), (n_items,); 0 for items that no visit had."""
        counts = self._n_visits_of
        return np.where(counts > 0, np.log(np.maximum(self._n_visits, 1) / np.maximum(counts, 1)), 0.0)

    def find_sharing(
        self, items: NDArray[np.integer], weights: NDArray[np.float64], *, besides: int | None, sample: int
    ) -> Neighbours:
        """Return the ``sample`` most recent visits that share any of ``items``, without the visit ``besides``.

        Args:
            weights: Of each of ``items``, above 0.
        """
        having = self._visits_of_items.rows(items)
        is_one = having != NOBODY
        of_each = np.broadcast_to(weights[:, np.newaxis], having.shape)[is_one]
        overlaps = np.asarray(np.bincount(having[is_one], of_each), np.float64)
        if besides is not None and besides < len(overlaps):
            overlaps[besides] = 0
        visits = np.flatnonzero(overlaps)
        if len(visits) > sample:
            visits = visits[np.argpartition(-self._last_ms[visits], sample)[:sample]]
        return Neighbours(visits, overlaps[visits])

    def learn(self, group: Group) -> None:
        """Add the group to the user's visit, or begin one."""
        visit = self.current(group.user, group.now_ms)
        if visit is None:
            visit = self._open[group.user] = self._n_visits
            self._n_visits += 1
        if visit >= len(self._last_ms):
            self._last_ms = np.concatenate([self._last_ms, np.zeros(len(self._last_ms))])
        self._last_ms[visit] = group.now_ms
        for item in group.items.tolist():
            self._n_visits_of[item] += item not in self._items.row(visit)
            self._items.put(visit, item)
            self._items_of_users.put(group.user, item)
            self._visits_of_items.put(item, visit)


def select_nearest(
    neighbours: Neighbours, similarities: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ``k`` visits with the highest similarities, and these."""
    if len(similarities) <= k:
        return neighbours.visits, similarities
    best = np.argpartition(-similarities, k)[:k]
    return neighbours.visits[best], similarities[best]


def sum_by_item(items: NDArray[np.integer], weights: NDArray[np.float64], n_items: int) -> NDArray[np.float64]:
    """Return the sum of the weights of each item, (n_items,).

    Args:
        items: (visits, items), ``NOBODY`` is left out.
        weights: The same shape.
    """
    is_one = items != NOBODY
    return np.asarray(np.bincount(items[is_one], weights[is_one], minlength=n_items), np.float64)


def find_ages(items: NDArray[np.integer], theirs: NDArray[np.integer], n_items: int) -> NDArray[np.int64]:
    """Return the place of each of ``theirs`` in ``items``: 0 the newest (last), ``len(items)`` if it is not there.

    Args:
        theirs: Any shape; ``NOBODY`` is nowhere.
    """
    places = np.full(n_items + 1, len(items))  # one more: NOBODY is -1, the last
    places[items] = np.arange(len(items))[::-1]
    of_theirs: NDArray[np.int64] = places[theirs]
    return of_theirs
