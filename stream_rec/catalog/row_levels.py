"""What items hold by number, as queries and contexts, turned round for looking up: rows by number, with how much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stream_rec.knowledge import fading
from stream_rec.knowledge.fading import HALF_LIFE_MS, Fading

_MOST = 53.0
"""As log2: what would be more, by a time far ahead of now, would make of all shares no numbers."""


class RowLevels:
    """Rows by number, with how much each holds of it. Some 150 bytes for each number of an item."""

    def __init__(self) -> None:
        self._levels: dict[int, dict[int, float]] = defaultdict(dict)
        """By number and row, as of ``fading.level``: comparable whenever the last change was."""

    def __len__(self) -> int:
        """Return how many numbers are known."""
        return len(self._levels)

    def put(self, row: int, before: Mapping[int, Fading], after: Mapping[int, Fading]) -> None:
        """Replace the sums of one item."""
        for number in before:
            if number not in after:
                self._remove(number, row)
        for number, sums in after.items():
            if sums != before.get(number):
                if (level := fading.level(sums)) > -np.inf:
                    self._levels[number][row] = level
                else:  # corrections have come before what they correct
                    self._remove(number, row)

    def find(self, number: int, now_ms: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the rows that hold something of a number, (r,), and how much as of now, (r,) above 0."""
        levels = self._levels.get(number, {})
        rows = np.fromiter(levels, dtype=np.int64, count=len(levels))
        now = np.fromiter(levels.values(), dtype=np.float64, count=len(levels)) - now_ms / HALF_LIFE_MS
        return rows, np.exp2(np.minimum(now, _MOST))

    def _remove(self, number: int, row: int) -> None:
        levels = self._levels.get(number)
        if levels is not None and levels.pop(row, None) is not None and not levels:
            del self._levels[number]
