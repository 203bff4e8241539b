"""What a list needs of a user's facts, as arrays of catalog rows: recent items, own items, and a few numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_rec.user.state import Entry, UserState


@dataclass(frozen=True, slots=True)
class Past:
    """A user's history as far as it reaches. Items that the catalog does not know are left out."""

    recent: list[Entry]
    """The newest event of each of the last items, newest first."""
    recent_rows: np.ndarray
    """(r,) int64 rows of ``recent``."""
    own_rows: np.ndarray
    """(o,) int64 every item in the tally, each once, in the order in which they came first."""
    own_counts: np.ndarray
    """(o,) how often."""
    own_first_ms: np.ndarray
    """(o,) when first: the end of that week's interactions with it, the finest that the tally keeps."""
    own_last_ms: np.ndarray
    """(o,) when last."""
    n_events: int
    """All interactions ever."""
    n_counted: int
    """Those that the tally reaches, with items that the catalog knows."""
    last_ms: int | None
    """Event time of the newest event; None for a user without history."""
    group_size: float
    """How many events share a time, on average over the ring: the lines of an order, or 1."""

    @property
    def n_repeats(self) -> int:
        """How many interactions, as far as the tally reaches, were with an item that the user had before."""
        return self.n_counted - len(self.own_rows)


def past(state: UserState, find: Callable[[str], int | None], *, recent_items: int) -> Past:
    """Return the arrays of one user's state.

    Args:
        find: Row of an item, None where there is none.
        recent_items: Most of ``Past.recent``.
    """
    recent: dict[int, Entry] = {}
    for entry in reversed(state.ring):
        row = find(entry.item_id)
        if row is not None and row not in recent:
            recent[row] = entry
            if len(recent) == recent_items:
                break
    own: dict[str, list] = {}
    for tally in state.tally:
        item_id, last_ms, count = tally.item_id, tally.last_ms, sum(tally.counts)
        known = own.get(item_id)
        if known is None:
            own[item_id] = [find(item_id), count, last_ms, last_ms]
        else:
            known[1] += count
            known[3] = max(known[3], last_ms)
    found = np.array([known for known in own.values() if known[0] is not None], dtype=np.float64).reshape(-1, 4)
    return Past(
        recent=list(recent.values()),
        recent_rows=np.fromiter(recent, dtype=np.int64, count=len(recent)),
        own_rows=found[:, 0].astype(np.int64),
        own_counts=found[:, 1].copy(),
        own_first_ms=found[:, 2].copy(),
        own_last_ms=found[:, 3].copy(),
        n_events=sum(state.counts),
        n_counted=int(found[:, 1].sum()),
        last_ms=state.ring[-1].timestamp_ms if state.ring else None,
        group_size=len(state.ring) / max(1, len({entry.timestamp_ms for entry in state.ring})),
    )
