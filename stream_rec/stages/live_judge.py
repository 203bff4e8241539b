"""Which choices the lists of a worker are judged by: the first so many of each second, before anything learns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.live_quality import Positions, find_positions
from stream_rec.recommend.ranked import Ranked
from stream_rec.telemetry.counts import Counts


class LiveJudge:
    """Adds to ``counts.judged``."""

    def __init__(self, counts: Counts, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            per_second: Choices, at most; what comes at once, as the lines of an order, is judged whole or not at all.
        """
        self._counts = counts
        self._per_second = per_second
        self._clock = clock
        self._second = 0
        self._n_left = per_second

    def judge(self, ranked: Ranked, events: Sequence[tuple[Kind, Interaction]], catalog: Catalog) -> None:
        """Look up what a user chose in the lists of before.

        Args:
            ranked: What could have been shown just before the first of the events.
        """
        if self._per_second == 0:
            return
        if (second := int(self._clock())) != self._second:
            self._second, self._n_left = second, self._per_second
        if self._n_left <= 0:
            return
        self._n_left -= len(events)
        chosen = [catalog.find(event.item_id) for _, event in events]
        positions = find_positions(ranked, chosen, catalog, events[0][1].timestamp_ms)
        for method, of_method in zip(Positions._fields, positions):
            self._counts.judged[method].add(of_method)
