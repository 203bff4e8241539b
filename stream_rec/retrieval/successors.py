"""Source `successors`: what users came to after the items that this user had last (item co-visits)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.successors import Successors
from stream_rec.kernel import kernel
from stream_rec.retrieval.scratch import LAST, RECENT, RECENT_COSINE, WIDE, WIDE_COSINE, Scratch, touch

NEAR, NEAR_DECAY = 12, 0.6
FAR, FAR_DECAY = 64, 0.97
"""Items looked at, and how much less each earlier one counts than the one after it."""


def add_successors(scratch: Scratch, recent_rows: NDArray[np.int64], successors: Successors) -> None:
    """Add, for each successor, its share of all pairs of each recent item, the newer the heavier: the first source.

    Cosines have that share over the square root of all pairs of the successor: what many come to anyway counts less.
    """
    scratch.n_touched = _add(
        scratch.values,
        scratch.is_touched,
        scratch.touched,
        scratch.n_touched,
        recent_rows[:FAR],
        successors.rows,
        successors.weights,
        successors.n,
        successors.total,
        successors.total_before,
    )


@kernel()
def _add(
    values: NDArray[np.float32],
    is_touched: NDArray[np.bool_],
    touched: NDArray[np.int64],
    n_touched: int,
    recent: NDArray[np.int64],
    rows: NDArray[np.int32],
    weights: NDArray[np.float32],
    n: NDArray[np.int32],
    total: NDArray[np.float64],
    total_before: NDArray[np.float64],
) -> int:
    """Add to the five columns of ``values``, in place; return how many rows are touched now.

    Args:
        recent: (r,) rows of the user's recent items, newest first; the first four as of ``Scratch``, others as of
            ``Successors``.
    """
    near, far = 1.0, 1.0
    for index in range(len(recent)):
        row = recent[index]
        if total[row] > 0.0:
            for k in range(n[row]):
                successor = rows[row, k]
                share = weights[row, k] / total[row]
                n_touched = touch(successor, is_touched, touched, n_touched)
                if index == 0:
                    values[successor, LAST] += share
                if index < NEAR:
                    values[successor, RECENT] += near * share
                values[successor, WIDE] += far * share
        near *= NEAR_DECAY
        far *= FAR_DECAY
    for k in range(n_touched):
        row = touched[k]
        popular = np.sqrt(1.0 + total_before[row] + total[row])
        values[row, RECENT_COSINE] = values[row, RECENT] / popular
        values[row, WIDE_COSINE] = values[row, WIDE] / popular
    return n_touched
