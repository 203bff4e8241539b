"""Source `neighbours`: what users alike came to (session kNN over users).

Users alike share recent items with this user, the newer the heavier. Three scores over the ``NEIGHBOURS`` nearest: the
sum of their similarities (SKNN), the same with each fading with the age of the shared visit and the distance from it
(STAN), and the part of that which came after the shared item. The first tells most where users rate much at once, so
that what comes next says little, and is why they look far back.

Where it says much, a fourth tells: what those who came to the last item came to next, at the very next moment.

Source:
    Jannach, Ludewig. When recurrent neural networks meet the neighborhood for session-based recommendation. RecSys
    2017 (SKNN).
    Garg et al. Sequence and time aware neighborhood for session-based recommendations (STAN). SIGIR 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.neighbour_index import NeighbourIndex
from stream_rec.kernel import kernel
from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.retrieval.scratch import AFTER, NEXT, SKNN, STAN, Scratch, find_largest, touch

ITEMS, DECAY = 64, 0.95
"""Recent items looked at, and how much less each earlier one counts than the one after it."""
NEIGHBOURS = 100
VISIT_HALF_LIFE_MS = 14 * 24 * HOUR_MS
DISTANCE = 8.0
"""Places in the neighbour's sequence over which the weight falls to 1/e."""


class Meeting:
    """Workspace by user of the index: how alike, and through which item."""

    def __init__(self) -> None:
        self.similarity = np.zeros(0)
        self.met_at = np.zeros(0, dtype=np.int64)

    def ensure_capacity(self, n_slots: int) -> None:
        """Make room for ``n_slots`` users."""
        if n_slots > len(self.similarity):
            self.similarity = np.zeros(2 * n_slots)
            self.met_at = np.zeros(2 * n_slots, dtype=np.int64)


def add_neighbours(
    scratch: Scratch,
    meeting: Meeting,
    recent_rows: NDArray[np.int64],
    neighbour_index: NeighbourIndex,
    own_slot: int,
    now_ms: int,
) -> None:
    """Add the scores of everything that the nearest users came to.

    Args:
        recent_rows: (r,) of the user's recent items, newest first, r at least 1.
        own_slot: The user's own, who is nobody's neighbour; -1 where there is none.
    """
    meeting.ensure_capacity(len(neighbour_index.n_rows))
    scratch.n_touched = _add(
        scratch.values,
        scratch.is_touched,
        scratch.touched,
        scratch.n_touched,
        recent_rows[:ITEMS],
        neighbour_index.of_item,
        neighbour_index.n_of_item,
        neighbour_index.rows,
        neighbour_index.times,
        neighbour_index.n_rows,
        meeting.similarity,
        meeting.met_at,
        own_slot,
        float(now_ms),
    )
    scratch.n_touched = _add_next(
        scratch.values,
        scratch.is_touched,
        scratch.touched,
        scratch.n_touched,
        int(recent_rows[0]),
        neighbour_index.of_item,
        neighbour_index.n_of_item,
        neighbour_index.rows,
        neighbour_index.times,
        neighbour_index.n_rows,
        own_slot,
    )


@kernel()
def _add(
    values: NDArray[np.float32],
    is_touched: NDArray[np.bool_],
    touched: NDArray[np.int64],
    n_touched: int,
    recent: NDArray[np.int64],
    of_item: NDArray[np.int32],
    n_of_item: NDArray[np.int32],
    rows: NDArray[np.int32],
    times: NDArray[np.float64],
    n_rows: NDArray[np.int32],
    similarity: NDArray[np.float64],
    met_at: NDArray[np.int64],
    own_slot: int,
    now_ms: float,
) -> int:
    """Add to columns ``SKNN``, ``STAN`` and ``AFTER`` of ``values``, in place; return how many rows are touched now.

    Args:
        recent: (r,) rows of the user's recent items, newest first; the first four as of ``Scratch``, ``of_item`` to
            ``n_rows`` as of the index.
        similarity: (>= users,) scratch, 0 before and after.
        met_at: (>= users,) scratch: the row through which each was met.
        own_slot: The user's own, -1 where there is none.
    """
    n_met = 0
    for row in recent:
        n_met += n_of_item[row]
    met = np.empty(n_met, dtype=np.int64)
    n_met = 0
    weight = 1.0
    for row in recent:
        if n_of_item[row]:
            each = weight / np.sqrt(n_of_item[row] + 1.0)
            for k in range(n_of_item[row]):
                slot = of_item[row, k]
                if slot != own_slot:
                    if similarity[slot] == 0.0:
                        met[n_met] = slot
                        met_at[slot] = row
                        n_met += 1
                    similarity[slot] += each
        weight *= DECAY
    fading = np.empty(rows.shape[1])
    for distance in range(len(fading)):
        fading[distance] = np.exp(-distance / DISTANCE)
    least = 0.0
    if n_met > NEIGHBOURS:
        found = np.empty(n_met)
        for k in range(n_met):
            found[k] = similarity[met[k]]
        least = float(find_largest(found, NEIGHBOURS))
    for k in range(n_met):
        slot = met[k]
        alike = similarity[slot]
        similarity[slot] = 0.0
        if alike < least:
            continue
        n = n_rows[slot]
        shared = _find_visit(rows, slot, n, met_at[slot])
        if shared < 0:  # too long ago to be among what is kept of this user
            continue
        faded = alike * 2.0 ** (-max(now_ms - times[slot, shared], 0.0) / VISIT_HALF_LIFE_MS)
        for index in range(n):
            row = rows[slot, index]
            n_touched = touch(row, is_touched, touched, n_touched)
            near = faded * fading[abs(index - shared)]
            values[row, SKNN] += alike
            values[row, STAN] += near
            if index > shared:
                values[row, AFTER] += near
    return n_touched


@kernel()
def _find_visit(rows: NDArray[np.int32], slot: int, n: int, row: int) -> int:
    """Return at which place an item stands among the ``n`` of a user, the newest first looked at; -1 where nowhere."""
    place = n - 1
    while place >= 0 and rows[slot, place] != row:
        place -= 1
    return place


@kernel()
def _add_next(
    values: NDArray[np.float32],
    is_touched: NDArray[np.bool_],
    touched: NDArray[np.int64],
    n_touched: int,
    last: int,
    of_item: NDArray[np.int32],
    n_of_item: NDArray[np.int32],
    rows: NDArray[np.int32],
    times: NDArray[np.float64],
    n_rows: NDArray[np.int32],
    own_slot: int,
) -> int:
    """Add to column ``NEXT`` of ``values``, in place, 1 for each user who came to ``last``; return as ``_add`` does.

    Items that a user came to at one time, as those of an order, share it. Arguments as of ``_add``.
    """
    for k in range(n_of_item[last]):
        slot = of_item[last, k]
        if slot == own_slot:
            continue
        n = n_rows[slot]
        begin = _find_visit(rows, slot, n, last)
        if begin < 0:  # too long ago to be among what is kept of this user
            continue
        came_ms = times[slot, begin]
        while begin < n and times[slot, begin] == came_ms:
            begin += 1
        end = begin
        while end < n and times[slot, end] == times[slot, begin]:
            end += 1
        for index in range(begin, end):
            row = rows[slot, index]
            n_touched = touch(row, is_touched, touched, n_touched)
            values[row, NEXT] += np.float32(1.0 / (end - begin))
    return n_touched
