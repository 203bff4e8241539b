"""The most recent different numbers of many rows: a user's last items, an item's last visits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
"""Fills what is not used yet."""


class Recent:
    """Rows of at most ``length`` different numbers, oldest first, right-aligned; rows are added as needed."""

    def __init__(self, n_rows: int, length: int) -> None:
        self._numbers: NDArray[np.int32] = np.full((max(n_rows, 1), length), NOBODY, np.int32)

    def row(self, row: int) -> NDArray[np.int32]:
        """Return a row's numbers, oldest first."""
        if row >= len(self._numbers):
            return np.zeros(0, np.int32)
        numbers: NDArray[np.int32] = self._numbers[row]
        return numbers[np.searchsorted(numbers >= 0, True) :]

    def rows(self, rows: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return (rows, length) numbers, ``NOBODY`` at the left."""
        numbers: NDArray[np.int32] = self._numbers[rows]
        return numbers

    def put(self, row: int, number: int) -> None:
        """Make ``number`` the newest of a row; the oldest leaves where there is no room."""
        if row >= len(self._numbers):
            more = np.full((max(row + 1 - len(self._numbers), len(self._numbers)), self._numbers.shape[1]), NOBODY)
            self._numbers = np.concatenate([self._numbers, more.astype(np.int32)])
        numbers = self._numbers[row]
        at = int((numbers == number).argmax())  # 0, the oldest, where it is new
        numbers[at:-1] = numbers[at + 1 :]
        numbers[-1] = number
