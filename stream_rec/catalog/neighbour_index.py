"""The neighbour index: the recent visits (``knowledge/visits.py``) of all items, by item and turned round by visitor.

A visitor is here as long as some item's recent visits name them. What is looked up by visitor is bounded too: their
newest items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.kernel import kernel
from stream_rec.knowledge.visits import changes

ITEMS = 64
"""Newest items kept of one visitor. 64 or 256 made no difference on the three logs."""
LEAST_VISITS = 8
"""Room for an item's recent visits at first; it doubles as they come, so that a long tail stays small."""


class NeighbourIndex:
    """The bounded matrix of recent visits: what users alike are found in, updated item by item."""

    def __init__(self) -> None:
        self.of_item = np.full((0, LEAST_VISITS), -1, dtype=np.int32)
        """(>= n, room) slots of the users who visited an item recently, in no order; the first ``n_of_item`` count."""
        self.n_of_item = np.zeros(0, dtype=np.int32)
        self.rows = np.zeros((0, ITEMS), dtype=np.int32)
        """(slots, ITEMS) what a visitor came to, oldest first, and in one order where at one time; the first ``n_rows``
        count."""
        self.times = np.zeros((0, ITEMS))
        """(slots, ITEMS) when, in milliseconds."""
        self.n_rows = np.zeros(0, dtype=np.int32)
        self._n_holders = np.zeros(0, dtype=np.int32)
        """(slots,) among how many items' recent visits a visitor is, more than ``n_rows`` where those are full."""
        self._slot_of: dict[int, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self._slot_of)

    def ensure_capacity(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        self.of_item = grow(self.of_item, n_rows, fill=-1)
        self.n_of_item = grow(self.n_of_item, n_rows)

    def slot(self, visitor: int) -> int:
        """Return a visitor's slot, -1 where they are not here."""
        return self._slot_of.get(visitor, -1)

    def put(self, row: int, before: bytes, after: bytes, tie_breaks: NDArray[np.uint32]) -> None:
        """Replace the recent visits of one item.

        Args:
            tie_breaks: (>= n,) by row: which of two items comes first that a visitor came to at one time.
        """
        left, came = changes(before, after)
        came_users = [visitor for _, visitor in came]
        left_slots = []
        for _, visitor in left:
            slot = self._slot_of[visitor]
            left_slots.append(slot)
            self._n_holders[slot] -= 1
            if self._n_holders[slot] == 0 and visitor not in came_users:
                del self._slot_of[visitor]
                self._free.append(slot)
        came_slots = np.array(self._slots(came_users), dtype=np.int64)
        self._n_holders[came_slots] += 1  # a visitor stands once among the visits of an item
        while self.n_of_item[row] - len(left) + len(came) > self.of_item.shape[1]:
            self.of_item = np.hstack([self.of_item, np.full_like(self.of_item, -1)])
        _exchange(
            self.of_item,
            self.n_of_item,
            self.rows,
            self.times,
            self.n_rows,
            row,
            np.array(left_slots, dtype=np.int64),
            came_slots,
            np.array([seen_ms for seen_ms, _ in came], dtype=np.float64),
            tie_breaks,
        )

    def _slots(self, users: list[int]) -> list[int]:
        try:
            return list(map(self._slot_of.__getitem__, users))
        except KeyError:
            return list(map(self._slot, users))

    def _slot(self, visitor: int) -> int:
        slot = self._slot_of.get(visitor)
        if slot is None:
            if self._free:
                slot = self._free.pop()
                self.n_rows[slot] = 0
            else:
                slot = len(self._slot_of)
                if slot == len(self.n_rows):
                    self.rows = grow(self.rows, slot + 1)
                    self.times = grow(self.times, slot + 1)
                    self.n_rows = grow(self.n_rows, slot + 1)
                    self._n_holders = grow(self._n_holders, slot + 1)
            self._slot_of[visitor] = slot
        return slot


@kernel()
def _exchange(
    of_item: NDArray[np.int32],
    n_of_item: NDArray[np.int32],
    rows: NDArray[np.int32],
    times: NDArray[np.float64],
    n_rows: NDArray[np.int32],
    row: int,
    left: NDArray[np.int64],
    came: NDArray[np.int64],
    seen_ms: NDArray[np.float64],
    tie_breaks: NDArray[np.uint32],
) -> None:
    """Take visits away from an item and give it others; the first five as of ``NeighbourIndex``, changed in place.

    Args:
        left: (l,) slots of users, and ``came``: (c,) others, who came at ``seen_ms``, (c,).
        tie_breaks: As of ``put``.
    """
    for slot in left:
        _leave(of_item, n_of_item, rows, times, n_rows, row, slot)
    for k in range(len(came)):
        _come(of_item, n_of_item, rows, times, n_rows, row, came[k], seen_ms[k], tie_breaks)


@kernel()
def _drop(rows: NDArray[np.int32], times: NDArray[np.float64], slot: int, index: int, n: int) -> None:
    """Close the gap that the visit at ``index`` leaves among the first ``n`` of a user. Arrays as of ``_exchange``."""
    for later in range(index + 1, n):
        rows[slot, later - 1] = rows[slot, later]
        times[slot, later - 1] = times[slot, later]


@kernel()
def _come(
    of_item: NDArray[np.int32],
    n_of_item: NDArray[np.int32],
    rows: NDArray[np.int32],
    times: NDArray[np.float64],
    n_rows: NDArray[np.int32],
    row: int,
    slot: int,
    seen_ms: float,
    tie_breaks: NDArray[np.uint32],
) -> None:
    """Add one visit; where a user's are full the oldest leaves. Arguments as of ``_exchange``."""
    of_item[row, n_of_item[row]] = slot
    n_of_item[row] += 1
    n, room = n_rows[slot], rows.shape[1]
    if n == room:
        if not _is_before(times[slot, 0], rows[slot, 0], seen_ms, row, tie_breaks):
            return
        _drop(rows, times, slot, 0, n)
        n -= 1
    index = n
    while index > 0 and _is_before(seen_ms, row, times[slot, index - 1], rows[slot, index - 1], tie_breaks):
        rows[slot, index] = rows[slot, index - 1]
        times[slot, index] = times[slot, index - 1]
        index -= 1
    rows[slot, index] = row
    times[slot, index] = seen_ms
    n_rows[slot] = n + 1


@kernel()
def _is_before(one_ms: float, one_row: int, other_ms: float, other_row: int, tie_breaks: NDArray[np.uint32]) -> bool:
    """Return whether the first of two visits of a user stands before the second; arguments as of ``put``."""
    is_before: bool = one_ms < other_ms or (one_ms == other_ms and tie_breaks[one_row] < tie_breaks[other_row])
    return is_before


@kernel()
def _leave(
    of_item: NDArray[np.int32],
    n_of_item: NDArray[np.int32],
    rows: NDArray[np.int32],
    times: NDArray[np.float64],
    n_rows: NDArray[np.int32],
    row: int,
    slot: int,
) -> None:
    """Take one visit away. Arguments as of ``_exchange``."""
    for index in range(n_of_item[row]):
        if of_item[row, index] == slot:
            n_of_item[row] -= 1
            of_item[row, index] = of_item[row, n_of_item[row]]
            break
    n = n_rows[slot]
    for index in range(n):
        if rows[slot, index] == row:
            _drop(rows, times, slot, index, n)
            n_rows[slot] = n - 1
            break
