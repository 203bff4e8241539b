"""Arrays with one row an item that grow by doubling."""

from __future__ import annotations

import numpy as np


def grow(array: np.ndarray, n_rows: int, fill: float = 0) -> np.ndarray:
    """Return ``array`` itself if it has ``n_rows`` rows, else a copy with at least twice the room, filled up."""
    if n_rows <= len(array):
        return array
    larger = np.full((max(n_rows, 2 * len(array), 1024), *array.shape[1:]), fill, dtype=array.dtype)
    larger[: len(array)] = array
    return larger
