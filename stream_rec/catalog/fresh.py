"""Fresh items: listed, and with fewer than five events. What nobody knows yet and only text can find.

At most ``POOL`` of them are looked at, those listed last: a bound on what a list costs, whatever the catalog.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EVENTS = 5
"""Items with fewer events are fresh."""
POOL = 8192


class Fresh:
    """The fresh rows, in the order in which they were listed."""

    def __init__(self) -> None:
        self._rows: dict[int, None] = {}
        self._array: NDArray[np.int64] | None = None
        """All of ``_rows``; None where some have come since it was made."""

    def __len__(self) -> int:
        """Return how many items are fresh."""
        return len(self._rows)

    def __contains__(self, row: int) -> bool:
        return row in self._rows

    def set(self, row: int, is_fresh: bool) -> None:
        """Set whether an item is fresh."""
        if is_fresh == (row in self._rows):
            return
        if is_fresh:
            self._rows[row] = None
            self._array = None
        else:
            del self._rows[row]
            if self._array is not None:  # a tenth of the time of making it anew
                self._array = self._array[self._array != row]

    def rows(self) -> NDArray[np.int64]:
        """Return (f,) int64 fresh rows, at most ``POOL``, those listed last."""
        if self._array is None:
            self._array = np.fromiter(self._rows, dtype=np.int64, count=len(self._rows))
        return self._array[-POOL:]
