"""What a list needs of a user's facts, as arrays of catalog rows: recent items, own items, and a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.events.interaction import Kind
from stream_rec.knowledge.slots import SLOTS, usual_examination
from stream_rec.user.answers import count_answers
from stream_rec.user.entries import (
    SHOWN_PERIOD_MS,
    TEACHES_NOBODY,
    Entry,
    ImpressionEntry,
    SearchEntry,
    ShownCount,
    WeeklyCount,
)
from stream_rec.user.rated import NOTHING_RATED, Rated, read_rated
from stream_rec.user.state import UserState

SESSION_BREAK_MS = 1_800_000
"""A pause that ends a session: half an hour, as web analytics have it."""


class Shown(NamedTuple):
    """What a user was shown and has not come to since, once for each day of that. The arrays run parallel."""

    rows: NDArray[np.int64]
    """(s,) of the items."""
    times: NDArray[np.float64]
    """(s,) how often on that day, as far as such slots are looked at."""
    last_ms: NDArray[np.float64]
    """(s,) when last on that day."""


NOTHING_SHOWN = Shown(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class History:
    """A user's history as far as it reaches. Items that the catalog does not know are left out."""

    recent: list[Entry]
    """The newest event of each of the last items, newest first."""
    recent_rows: NDArray[np.int64]
    """(r,) int64 rows of ``recent``."""
    own_rows: NDArray[np.int64]
    """(o,) int64 every item in the weekly counts, each once, in the order in which they came first."""
    own_counts: NDArray[np.float64]
    """(o,) how often."""
    own_first_ms: NDArray[np.float64]
    """(o,) when first: the end of that week's interactions with it, the finest that the weekly counts keep."""
    own_last_ms: NDArray[np.float64]
    """(o,) when last."""
    n_events: int
    """All interactions ever."""
    n_counted: int
    """Those that the weekly counts reach, with items that the catalog knows."""
    last_ms: int | None
    """Event time of the newest event; None for a user without history."""
    last_kind: Kind | None
    """Of the newest event."""
    last_is_repeat: bool
    """Whether the user had its item before, as far as the weekly counts reach: a fact, as ``Entry.again`` is not."""
    session_length: int
    """How many of the newest events follow each other by less than ``SESSION_BREAK_MS``, the newest included."""
    group_size: float
    """How many events share a time, on average over the recent events: the lines of an order, or 1."""
    weekly_counts: Sequence[WeeklyCount] = ()
    """The user's, as it stands in the state: for what few lists ask."""
    shown_counts: Sequence[ShownCount] = ()
    """The same of what the user was shown."""
    search: SearchEntry | None = None
    """The user's newest search."""
    n_answers: int = 0
    """How many of the recent events answer it."""
    contexts: Sequence[int] = ()
    """``ContextNumbers`` of the newest event or search."""
    shown: Shown = NOTHING_SHOWN
    of_profile: Sequence[int] = ()
    """``ContextNumbers`` of the user's profile."""
    interests: Sequence[str] = ()
    """What the user says to like."""
    birth_year: int | None = None
    rated: Rated = NOTHING_RATED
    """What the user has rated."""

    @property
    def n_repeats(self) -> int:
        """How many interactions, as far as the weekly counts reach, were with an item that the user had before."""
        return self.n_counted - len(self.own_rows)

    def counts_of(self, item_ids: Collection[str]) -> dict[str, tuple[list[int], int]]:
        """Return how often the user had these items, by ``Kind``, and when last, as far as the weekly counts reach."""
        found: dict[str, tuple[list[int], int]] = {}
        for count in self.weekly_counts if item_ids else ():
            if count.item_id in item_ids:
                counts, last_ms = found.get(count.item_id, ([0, 0, 0], 0))
                summed = [one + more for one, more in zip(counts, count.counts)]
                found[count.item_id] = summed, max(last_ms, count.last_ms)
        return found


def read_history(state: UserState, find: Callable[[str], int | None], *, recent_items: int) -> History:
    """Return the arrays of one user's state.

    Args:
        find: Row of an item, None where there is none.
        recent_items: Most of ``History.recent``.
    """
    row_of: dict[str, int | None] = {}
    counts: dict[int, int] = {}
    first_ms: dict[int, int] = {}
    last_ms: dict[int, int] = {}
    for count in state.weekly_counts:
        item_id = count.item_id
        if item_id in row_of:
            row = row_of[item_id]
        else:
            row = row_of[item_id] = find(item_id)
        if row is None:
            continue
        views, clicks, purchases = count.counts
        if row in counts:
            counts[row] += views + clicks + purchases
            last_ms[row] = max(last_ms[row], count.last_ms)
        else:
            counts[row] = views + clicks + purchases
            first_ms[row] = last_ms[row] = count.last_ms
    recent: dict[int, Entry] = {}
    for entry in reversed(state.recent_events):
        item_id = entry.item_id
        row = row_of[item_id] if item_id in row_of else find(item_id)
        if row is not None and row not in recent:
            recent[row] = entry
            if len(recent) == recent_items:
                break
    newest = state.newest
    row = find(newest.item_id) if newest else None
    times = list(map(_TIMESTAMP_MS, state.recent_events))
    profile = state.profile
    return History(
        recent=list(recent.values()),
        recent_rows=np.array(list(recent), dtype=np.int64),
        own_rows=np.array(list(counts), dtype=np.int64),
        own_counts=np.array(list(counts.values()), dtype=np.float64),
        own_first_ms=np.array(list(first_ms.values()), dtype=np.float64),
        own_last_ms=np.array(list(last_ms.values()), dtype=np.float64),
        n_events=sum(state.counts),
        n_counted=sum(counts.values()),
        last_ms=newest.timestamp_ms if newest else None,
        last_kind=Kind(newest.kind) if newest else None,
        last_is_repeat=row is not None and counts.get(row, 0) > 1,
        session_length=_session_length(times),
        group_size=len(times) / max(1, len(set(times))),
        weekly_counts=state.weekly_counts,
        shown_counts=state.shown_counts,
        search=state.recent_searches[-1] if state.recent_searches else None,
        n_answers=count_answers(state) if state.recent_searches else 0,
        contexts=_find_contexts(state),
        shown=_find_shown(state, find, last_ms) if state.shown_counts else NOTHING_SHOWN,
        of_profile=profile.contexts if profile else (),
        interests=profile.interests if profile else (),
        birth_year=profile.birth_year if profile else None,
        rated=read_rated(state, find),
    )


def _find_contexts(state: UserState) -> tuple[int, ...]:
    """Return what was said of where the user is by the newest event or search."""
    newest = state.newest_said
    return newest.contexts if newest else ()


def _find_shown(state: UserState, find: Callable[[str], int | None], last_ms: Mapping[int, int]) -> Shown:
    """Return what was shown since the user last came to it.

    A count of the period in which that was holds both; how much of it came later the recent impressions say.

    Args:
        last_ms: By row, when the user last came to it.
    """
    shown: list[tuple[int, float, int]] = []
    for count in state.shown_counts:
        row = find(count.item_id)
        came_ms = -1 if row is None else last_ms.get(row, -1)
        if row is None or count.last_ms <= came_ms:
            continue
        times = count.examined / 100
        if came_ms // SHOWN_PERIOD_MS == count.period:
            times = min(times, _count_since(state.recent_impressions, count.item_id, came_ms))
        shown.append((row, times, count.last_ms))
    return Shown(
        rows=np.array([row for row, _, _ in shown], dtype=np.int64),
        times=np.array([times for _, times, _ in shown]),
        last_ms=np.array([at_ms for _, _, at_ms in shown], dtype=np.float64),
    )


def _count_since(impressions: Sequence[ImpressionEntry], item_id: str, since_ms: int) -> float:
    """Return in how many impressions after a time an item was looked at, as slots usually are."""
    later = (each for each in impressions if each.timestamp_ms > since_ms and item_id in each.item_ids)
    slots = (each.slots[each.item_ids.index(item_id)] for each in later)
    return sum(1.0 if slot == TEACHES_NOBODY else usual_examination(SLOTS[slot]) for slot in slots)


def _session_length(times: list[int]) -> int:
    """Return how many events the last session has so far.

    Args:
        times: Of the events, in ms, ascending.
    """
    for n, (later_ms, time_ms) in enumerate(pairwise(reversed(times)), 1):
        if later_ms - time_ms >= SESSION_BREAK_MS:
            return n
    return len(times)


_TIMESTAMP_MS = attrgetter("timestamp_ms")
