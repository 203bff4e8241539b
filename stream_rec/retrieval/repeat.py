"""Source `repeat`: the user's own items, for what is bought or looked at again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.user.history import History

LATEST = 60
MOST_FREQUENT = 40
HALF_LIFE_MS = 30 * 24 * HOUR_MS


def find_repeats(history: History, now_ms: int) -> NDArray[np.int64]:
    """Return the rows of the user's latest and most frequent items; the frequent ones fade with the time since."""
    if len(history.own_rows) <= LATEST:
        return history.own_rows
    latest = np.argsort(-history.own_last_ms, kind="stable")[:LATEST]
    frequency = history.own_counts * np.exp2((history.own_last_ms - now_ms) / HALF_LIFE_MS)
    frequent = np.argsort(-frequency, kind="stable")[:MOST_FREQUENT]
    return history.own_rows[np.union1d(latest, frequent)]
