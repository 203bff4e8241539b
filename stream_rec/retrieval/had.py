"""What a user had or was shown, as far as what is kept of them reaches: for rules, and for lists with or without it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import KIND_OF_LABEL, Kind
from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.user.entries import ShownCount, WeeklyCount
from stream_rec.user.state import UserState

DAY_MS = 24 * HOUR_MS
SHOWN = len(Kind)
"""Beside the kinds of events: that the user was shown an item."""


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


def history_of(
    had: Iterable[str], not_had: Iterable[str], within_days: float | None, not_shown_hours: float | None
) -> HistoryFilter:
    """Return the same of words and units that people use.

    >>> history_of(["click"], [], 1.0, None).within_ms
    86400000.0
    """
    return HistoryFilter(
        tuple(KIND_OF_LABEL[label] for label in had),
        tuple(KIND_OF_LABEL[label] for label in not_had),
        None if within_days is None else within_days * DAY_MS,
        None if not_shown_hours is None else not_shown_hours * HOUR_MS,
    )


class Had:
    """Items that a user had, once for each week of that, or was shown, once for each six hours of it.

    The events of one item in one week are all as late as the newest of them.
    """

    def __init__(
        self, catalog: Catalog, weekly_counts: Iterable[WeeklyCount] = (), shown_counts: Iterable[ShownCount] = ()
    ) -> None:
        """Take what is kept of a user, or that part of it which is asked for."""
        found: list[tuple[int, tuple[int, ...], int]] = [
            (row, (*each.counts, 0), each.last_ms)
            for each in weekly_counts
            if (row := catalog.find(each.item_id)) is not None
        ]
        shown = (0,) * SHOWN + (1,)
        found += [
            (row, shown, each.last_ms) for each in shown_counts if (row := catalog.find(each.item_id)) is not None
        ]
        self.rows = np.array([row for row, _, _ in found], dtype=np.int64)
        """(h,)"""
        self._relations = np.array([counts for _, counts, _ in found], dtype=np.int64).reshape(-1, SHOWN + 1) > 0
        """(h, kinds + 1) what the user did, and ``SHOWN``."""
        self._last_ms = np.array([last_ms for _, _, last_ms in found], dtype=np.int64)

    def has(self, relations: Collection[int], since_ms: float) -> NDArray[np.bool_]:
        """Return to which of them the user has any of these relations since a time, (h,).

        Args:
            relations: Kinds, or ``SHOWN``.
        """
        found: NDArray[np.bool_] = np.logical_or.reduce(self._relations[:, list(relations)], axis=1)
        return found & (self._last_ms >= since_ms)


def keep_wanted(
    is_in: NDArray[np.bool_], wanted: HistoryFilter, user: UserState, catalog: Catalog, now_ms: int
) -> NDArray[np.bool_]:
    """Return which items of a pool are wanted, (n,) by row, an array of its own.

    Args:
        is_in: (n,) by row, those of the pool.
    """
    is_in = is_in.copy()
    if wanted.had or wanted.not_had:
        had, since_ms = Had(catalog, user.weekly_counts), 0 if wanted.within_ms is None else now_ms - wanted.within_ms
        if wanted.had:
            is_had = np.zeros(len(is_in), dtype=bool)
            is_had[had.rows[had.has(wanted.had, since_ms)]] = True
            is_in &= is_had
        is_in[had.rows[had.has(wanted.not_had, since_ms)]] = False
    if wanted.not_shown_ms is not None:
        shown = Had(catalog, shown_counts=user.shown_counts)
        is_in[shown.rows[shown.has((SHOWN,), now_ms - wanted.not_shown_ms)]] = False
    return is_in
