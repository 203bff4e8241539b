"""Source `successors`: what users came to after the items that this user had last (item co-visits)."""

from __future__ import annotations

import numba
import numpy as np

from stream_rec.catalog.successors import Successors
from stream_rec.retrieval.scratch import LAST, RECENT, WIDE, Scratch

NEAR, NEAR_DECAY = 12, 0.6
FAR, FAR_DECAY = 30, 0.85
"""Items looked at, and how much less each earlier one counts than the one after it."""


def add_successors(scratch: Scratch, recent_rows: np.ndarray, successors: Successors) -> None:
    """Add, for each successor, its share of all pairs of each recent item, the newer the heavier."""
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
    )


@numba.njit(cache=True)
def _add(values, is_touched, touched, n_touched, recent, rows, weights, n, total):
    near, far = 1.0, 1.0
    for place in range(len(recent)):
        row = recent[place]
        if total[row] > 0.0:
            for at in range(n[row]):
                successor = rows[row, at]
                share = weights[row, at] / total[row]
                if not is_touched[successor]:
                    is_touched[successor] = True
                    touched[n_touched] = successor
                    n_touched += 1
                if place == 0:
                    values[successor, LAST] += share
                if place < NEAR:
                    values[successor, RECENT] += near * share
                values[successor, WIDE] += far * share
        near *= NEAR_DECAY
        far *= FAR_DECAY
    return n_touched
