"""Source `similar`: text neighbours of the user's recent items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.similar import SimilarItems
from stream_rec.kernel import kernel
from stream_rec.retrieval.scratch import TEXT, Scratch, touch

ITEMS, DECAY = 12, 0.8
"""Recent items looked at, and how much less each earlier one counts than the one after it."""


def add_similar(scratch: Scratch, recent_rows: NDArray[np.int64], similar: SimilarItems, space: int = 0) -> None:
    """Add the similarities of the text neighbours of each recent item in one space."""
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
        TEXT + space,
    )


@kernel()
def _add(
    values: NDArray[np.float32],
    is_touched: NDArray[np.bool_],
    touched: NDArray[np.int64],
    n_touched: int,
    recent: NDArray[np.int64],
    rows: NDArray[np.int32],
    similarities: NDArray[np.float32],
    n: NDArray[np.int32],
    column: int,
) -> int:
    """Add to a column of ``values``, in place; return how many rows are touched now.

    Args:
        recent: (r,) rows of the user's recent items, newest first; the first four as of ``Scratch``.
        rows: (>= n, k) neighbours by row, with their ``similarities``, of which the first ``n``, (>= n,), count.
    """
    weight = np.float32(1.0)
    for row in recent:
        for k in range(n[row]):
            near = rows[row, k]
            n_touched = touch(near, is_touched, touched, n_touched)
            values[near, column] += weight * max(similarities[row, k], np.float32(1e-6))
        weight *= np.float32(DECAY)
    return n_touched
