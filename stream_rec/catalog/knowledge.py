"""What the item stage knows, by row, as the arrays that a list is made from."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import compress
from operator import gt, ne

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.contexts import Contexts
from stream_rec.catalog.impressions import Impressions
from stream_rec.catalog.neighbour_index import NeighbourIndex
from stream_rec.catalog.row_levels import RowLevels
from stream_rec.catalog.successors import Successors
from stream_rec.catalog.trending import Trending
from stream_rec.knowledge import popularity
from stream_rec.knowledge.state import UNSEEN, ItemState

HALF_LIVES = len(popularity.HALF_LIVES_MS)
FIRST_HALF_LIVES = len(popularity.FIRST_HALF_LIVES_MS)
NEWCOMERS = 64


class Knowledge:
    """Counts, popularity, successors, and who came last."""

    def __init__(self) -> None:
        self.counts = np.zeros((0, 3), dtype=np.int64)
        """(>= n, kinds) interactions ever."""
        self.repeats = np.zeros(0, dtype=np.int64)
        """(>= n,) how many of them were by users who had the item before."""
        self.levels = np.full((0, HALF_LIVES), -np.inf)
        """(>= n, half-lives) see ``popularity.levels``."""
        self.first_levels = np.full((0, FIRST_HALF_LIVES), -np.inf)
        """(>= n, half-lives) the same among events that were their user's first."""
        self.first_ms = np.zeros(0)
        """(>= n,) event time of the first event, 0 where there is none."""
        self.last_ms = np.zeros(0)
        self.newest_ms = 0
        """Event time of the newest event that any item has seen."""
        self.newcomers: list[int] = []
        """Rows by their first event's arrival, the newest last; the last ``NEWCOMERS`` of them at least."""
        self.n_events = 0
        self.n_repeats = 0
        self.successors = Successors()
        self.neighbour_index = NeighbourIndex()
        self.answered = RowLevels()
        self.contexts = Contexts()
        self.impressions = Impressions()
        self._trending = Trending(HALF_LIVES)
        self._states: dict[int, ItemState] = {}

    def ensure_capacity(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        self.counts = grow(self.counts, n_rows)
        self.repeats = grow(self.repeats, n_rows)
        self.levels = grow(self.levels, n_rows, fill=-np.inf)
        self.first_levels = grow(self.first_levels, n_rows, fill=-np.inf)
        self.first_ms = grow(self.first_ms, n_rows)
        self.last_ms = grow(self.last_ms, n_rows)
        self.successors.ensure_capacity(n_rows)
        self.neighbour_index.ensure_capacity(n_rows)

    def put(
        self,
        row: int,
        state: ItemState,
        rows_of: Callable[[Collection[str]], list[int]],
        *,
        is_listed: bool,
        tie_breaks: NDArray[np.uint32],
    ) -> None:
        """Replace what is known of one item.

        Args:
            rows_of: Rows of item ids, made where there are none yet.
            tie_breaks: (>= n,) by row, as of ``Catalog``; rows made meanwhile need not be there.
        """
        before = self._states.get(row, UNSEEN)
        if state.shown != before.shown or state.chosen != before.chosen:
            self.impressions.put(row, state.shown, state.chosen)
            if (
                state.counts == before.counts
                and msgspec.structs.replace(before, shown=state.shown, chosen=state.chosen) == state
            ):  # it was shown, and no more
                self._states[row] = state
                return
        if before.first_ms is None and state.first_ms is not None:
            self.newcomers.append(row)
            if len(self.newcomers) > 2 * NEWCOMERS:
                del self.newcomers[:NEWCOMERS]
        self._states[row] = state
        self.n_events += sum(state.counts) - sum(before.counts)
        self.n_repeats += state.repeats - before.repeats
        self.counts[row] = state.counts
        self.repeats[row] = state.repeats
        self._put_popularity(row, state, is_listed)
        self._put_predecessors(row, before.predecessors, state.predecessors, rows_of)
        if state.queries or before.queries:
            self.answered.put(row, before.queries, state.queries)
        if state.contexts or before.contexts:
            self.contexts.put(row, before.contexts, state.contexts)
        if state.visits != before.visits:
            self.neighbour_index.put(row, before.visits, state.visits, tie_breaks)

    def now_ms(self, event_ms: int) -> int:
        """Return the time of a list made on an event: its own, or that of the newest event known if it came late."""
        return max(event_ms, self.newest_ms)

    def find_state(self, row: int) -> ItemState:
        """Return what the item stage knows of an item, ``UNSEEN`` where that is nothing."""
        return self._states.get(row, UNSEEN)

    def n_events_of(self, row: int) -> int:
        """Return how often an item was interacted with."""
        return sum(self._states.get(row, UNSEEN).counts)

    def trending(self, is_listed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return (half-lives, k) the listed rows most popular at each of ``HALF_LIVES_MS``, the best first."""
        return self._trending.of(self.levels, is_listed)

    def forget_trending(self) -> None:
        """Forget which items are trending: others are listed than before."""
        self._trending.forget()

    def _put_popularity(self, row: int, state: ItemState, is_listed: bool) -> None:
        if state.last_first_ms is None:
            self.first_levels[row] = -np.inf
        else:
            self.first_levels[row] = popularity.levels(
                state.first_sums, state.last_first_ms, popularity.FIRST_HALF_LIVES_MS
            )
        if state.last_ms is None or state.first_ms is None:
            self.first_ms[row] = self.last_ms[row] = 0
            self.levels[row] = -np.inf
            self._trending.forget()
            return
        self.first_ms[row], self.last_ms[row] = state.first_ms, state.last_ms
        self.newest_ms = max(self.newest_ms, state.last_ms)
        levels = popularity.levels(state.sums, state.last_ms)
        has_sunk = any(map(gt, self.levels[row].tolist(), levels))
        self.levels[row] = levels
        if has_sunk:
            self._trending.forget()
        elif is_listed:
            self._trending.move_up(row, self.levels)

    def _put_predecessors(
        self, row: int, before: dict[str, int], after: dict[str, int], rows_of: Callable[[Collection[str]], list[int]]
    ) -> None:
        if not before:  # at a start every item comes whole
            rows = np.array(rows_of(after), dtype=np.int64)
            weights = np.array(list(after.values()), dtype=np.float64)
            if after:
                self.successors.put(row, rows, weights, np.zeros(len(rows)))
            return
        changed = _find_changed(before, after)
        if changed:
            rows = np.array(rows_of(changed))
            self.successors.put(
                row,
                rows,
                np.array([after.get(item_id, 0) for item_id in changed], dtype=np.float64),
                np.array([before.get(item_id, 0) for item_id in changed], dtype=np.float64),
            )


def _find_changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Return the items whose weights differ; none counts as another weight than 0.

    Most often no item is gone and newcomers stand behind the others: then values are compared in step, which takes a
    quarter of the time.
    """
    ids = list(after)
    if ids[: len(before)] == list(before):
        return [*compress(ids, map(ne, before.values(), after.values())), *ids[len(before) :]]
    changed = [item_id for item_id, weight in after.items() if weight != before.get(item_id)]
    return changed + [item_id for item_id in before if item_id not in after]
