"""What a user had or was shown, as far as what is kept of them reaches: for lists with it alone, or without it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.user.state import ShownCount, UserState, WeeklyCount


class HistoryFilter(Struct, frozen=True):
    """Which items are wanted, by what the user did with them, and saw of them."""

    had: tuple[Kind, ...] = ()
    """Those of which the user has an event of any of these kinds."""
    not_had: tuple[Kind, ...] = ()
    """Those of which the user has none of these."""
    within_ms: float | None = None
    """How long ago such an event was, at most; None: ever."""
    not_shown_ms: float | None = None
    """Those that the user was not shown for so long; None: all."""


WHATEVER = HistoryFilter()


def find_had(
    weekly_counts: Iterable[WeeklyCount], kinds: Collection[Kind], catalog: Catalog, since_ms: float = 0
) -> NDArray[np.int64]:
    """Return the rows of the items of which a user has an event of these kinds, (h,), ascending.

    The events of one item in one week are all as late as the newest of them.
    """
    counts = (
        each.item_id for each in weekly_counts if each.last_ms >= since_ms and any(each.counts[kind] for kind in kinds)
    )
    return _find_rows(counts, catalog)


def find_shown(shown_counts: Iterable[ShownCount], catalog: Catalog, since_ms: float) -> NDArray[np.int64]:
    """Return the rows of the items that a user was shown, (s,), ascending."""
    return _find_rows((each.item_id for each in shown_counts if each.last_ms >= since_ms), catalog)


def keep_wanted(
    is_in: NDArray[np.bool_], wanted: HistoryFilter, user: UserState, catalog: Catalog, now_ms: int
) -> NDArray[np.bool_]:
    """Return which items of a pool are wanted, (n,) by row, an array of its own.

    Args:
        is_in: (n,) by row, those of the pool.
    """
    is_in = is_in.copy()
    since_ms = 0 if wanted.within_ms is None else now_ms - wanted.within_ms
    if wanted.had:
        is_had = np.zeros(len(is_in), dtype=bool)
        is_had[find_had(user.weekly_counts, wanted.had, catalog, since_ms)] = True
        is_in &= is_had
    if wanted.not_had:
        is_in[find_had(user.weekly_counts, wanted.not_had, catalog, since_ms)] = False
    if wanted.not_shown_ms is not None:
        is_in[find_shown(user.shown_counts, catalog, now_ms - wanted.not_shown_ms)] = False
    return is_in


def _find_rows(item_ids: Iterable[str], catalog: Catalog) -> NDArray[np.int64]:
    rows = {row for item_id in item_ids if (row := catalog.find(item_id)) is not None}
    return np.array(sorted(rows), dtype=np.int64)
