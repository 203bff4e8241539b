"""Source `similar`: text neighbours of the user's recent items."""

from __future__ import annotations

import numba
import numpy as np

from stream_rec.catalog.similar import SimilarItems
from stream_rec.retrieval.scratch import TEXT, Scratch

ITEMS, DECAY = 12, 0.8
"""Recent items looked at, and how much less each earlier one counts than the one after it."""


def add_similar(scratch: Scratch, recent_rows: np.ndarray, similar: SimilarItems) -> None:
    """Add the similarities of the text neighbours of each recent item."""
    rows, similarities, n = similar.lists(recent_rows[:ITEMS])
    scratch.n_touched = _add(
        scratch.values,
        scratch.is_touched,
        scratch.touched,
        scratch.n_touched,
        recent_rows[:ITEMS],
        rows,
        similarities,
        n,
    )


@numba.njit(cache=True)
def _add(values, is_touched, touched, n_touched, recent, rows, similarities, n):
    weight = np.float32(1.0)
    for row in recent:
        for at in range(n[row]):
            near = rows[row, at]
            if not is_touched[near]:
                is_touched[near] = True
                touched[n_touched] = near
                n_touched += 1
            values[near, TEXT] += weight * max(similarities[row, at], np.float32(1e-6))
        weight *= np.float32(DECAY)
    return n_touched
