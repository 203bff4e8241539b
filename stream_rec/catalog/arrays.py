"""Arrays with one row an item that grow by doubling."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def take(array: NDArray[T], rows: NDArray[np.int64], fill: float = 0) -> NDArray[T]:
    """Return some rows of ``array``, (k, ...), ``fill`` for those that it has not grown to yet."""
    found = np.full((len(rows), *array.shape[1:]), fill, dtype=array.dtype)
    is_there = rows < len(array)
    found[is_there] = array[rows[is_there]]
    return found


def find_sorted(rows: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where each of some rows stands, (k,), and whether it is there at all, (k,).

    Args:
        rows: Ascending, each once.
    """
    if not len(rows):
        return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    return places, rows[places] == wanted


def grow(array: NDArray[T], n_rows: int, fill: float = 0) -> NDArray[T]:
    """Return ``array`` itself if it has ``n_rows`` rows, else a copy with at least twice the room, filled up."""
    if n_rows <= len(array):
        return array
    larger = np.full((max(n_rows, 2 * len(array), 1024), *array.shape[1:]), fill, dtype=array.dtype)
    larger[: len(array)] = array
    return larger
