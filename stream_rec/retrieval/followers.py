"""Source `followers`: what users came to after the items that this user had last (item co-visits)."""

from __future__ import annotations

import numba
import numpy as np

from stream_rec.catalog.followers import Followers
from stream_rec.retrieval.scratch import LAST, RECENT, WIDE, Scratch

NEAR, NEAR_DECAY = 12, 0.6
FAR, FAR_DECAY = 30, 0.85
"""Items looked at, and how much less each earlier one counts than the one after it."""


def add_followers(scratch: Scratch, recent_rows: np.ndarray, followers: Followers) -> None:
    """Add, for each follower, its share of all pairs of each recent item, the newer the heavier."""
    scratch.n_touched = _add(
        scratch.values,
        scratch.is_touched,
        scratch.touched,
        scratch.n_touched,
        recent_rows[:FAR],
        followers.rows,
        followers.weights,
        followers.n,
        followers.total,
    )


@numba.njit(cache=True)
def _add(values, is_touched, touched, n_touched, recent, rows, weights, n, total):
    near, far = 1.0, 1.0
    for place in range(len(recent)):
        row = recent[place]
        if total[row] > 0.0:
            for at in range(n[row]):
                follower = rows[row, at]
                share = weights[row, at] / total[row]
                if not is_touched[follower]:
                    is_touched[follower] = True
                    touched[n_touched] = follower
                    n_touched += 1
                if place == 0:
                    values[follower, LAST] += share
                if place < NEAR:
                    values[follower, RECENT] += near * share
                values[follower, WIDE] += far * share
        near *= NEAR_DECAY
        far *= FAR_DECAY
    return n_touched
