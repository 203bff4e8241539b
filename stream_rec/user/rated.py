"""What a user has rated, as arrays of catalog rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.user.ratings import THOUSANDTHS
from stream_rec.user.state import UserState


class Rated(NamedTuple):
    """What a user has rated. The arrays run parallel, the newest rating last."""

    rows: NDArray[np.int64]
    """(m,) of the items of the recent events that are ratings, as far as the catalog knows them."""
    values: NDArray[np.float64]
    """(m,) how they were rated."""
    n: int
    """Ratings ever."""
    total: float
    """Sum of all of them."""


NOTHING_RATED = Rated(np.zeros(0, dtype=np.int64), np.zeros(0), 0, 0.0)


def read_rated(state: UserState, find: Callable[[str], int | None]) -> Rated:
    """Return what a user has rated.

    Args:
        find: Row of an item, None where there is none.
    """
    n, total = state.ratings
    if not n:
        return NOTHING_RATED
    found = [
        (row, entry.rating)
        for entry in state.recent_events
        if entry.rating is not None and (row := find(entry.item_id)) is not None
    ]
    rows = np.array([row for row, _ in found], dtype=np.int64)
    return Rated(rows, np.array([rating for _, rating in found]) / THOUSANDTHS, n, total / THOUSANDTHS)
