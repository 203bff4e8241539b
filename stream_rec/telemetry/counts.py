"""What one process has counted since it began: plain numbers, added to as things happen, read when somebody asks.

One owner adds, in one thread, so that no count needs a lock. Metrics and the status are both made from these.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from stream_rec.events.status import EVENT_TO_LIST_BOUNDS_MS, JUDGED_ITEMS, Judged


class JudgedSums:
    """How one method's lists stood up: see ``events.status.Judged``."""

    __slots__ = ("dcg", "hits", "n")

    def __init__(self) -> None:
        self.n = self.hits = 0
        self.dcg = 0.0

    def add(self, positions: Iterable[int]) -> None:
        """Count choices by where they stood, from 1; 0: not in the list.

        Example:
            >>> sums = JudgedSums()
            >>> sums.add([1, 3, 0, 21])
            >>> sums.n, sums.hits, sums.dcg
            (4, 2, 1.5)
        """
        for position in positions:
            self.n += 1
            if 0 < position <= JUDGED_ITEMS:
                self.hits += 1
                self.dcg += 1 / math.log2(1 + position)

    def judged(self) -> Judged:
        """Return the sums as they are now."""
        return Judged(self.n, self.hits, self.dcg)


class Counts:
    """Counts of one process. What is counted is said by the field of the same name in ``events.status.Status``."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rejected: dict[str, int] = defaultdict(int)
        self.lists = 0
        self.surfaces = 0
        self.learned = 0
        self.duplicates = 0
        self.forgotten = 0
        self.event_to_list = [0] * (len(EVENT_TO_LIST_BOUNDS_MS) + 1)
        self.event_to_list_ms = 0.0
        self.judged: dict[str, JudgedSums] = defaultdict(JudgedSums)
        self.drifts = 0
        self.drifted_ms = 0
        self.embedded_items = 0
        self.ingested: dict[str, int] = defaultdict(int)
        self.ignored = 0

    def took(self, ages_ms: Iterable[float]) -> None:
        """Count events by how long they took from the broker to a list.

        Example:
            >>> counts = Counts()
            >>> counts.took([0.4, 1.0, 1.5, 100_000.0])
            >>> counts.event_to_list[:2], counts.event_to_list[-1]
            ([2, 1], 1)
        """
        for age_ms in ages_ms:
            self.event_to_list[bisect_left(EVENT_TO_LIST_BOUNDS_MS, age_ms)] += 1
            self.event_to_list_ms += age_ms

    def drifted(self, now_ms: int) -> None:
        """Count that the head has forgotten in part."""
        self.drifts += 1
        self.drifted_ms = now_ms
