"""Impressions of a user, folded into the state: the newest whole, and counts by item and six hours."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import msgspec

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.source import Source
from stream_rec.knowledge.slots import slot_of, usual_examination
from stream_rec.user import by_period
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import SHOWN_PERIOD_MS, TEACHES_NOBODY, WEEK_MS, ImpressionEntry, ShownCount
from stream_rec.user.recent import insert, is_known
from stream_rec.user.state import UserState, digests_of

MOST_PENDING_BYTES = 1 << 18
"""Of pending impressions, about. A batch with more of one user's, which nobody looks at, teaches nobody by the others:
a state must fit into a record."""
FEW_PENDING = 16
"""Pending impressions for which there is room, whatever is in them."""
MOST_UNCOUNTED_SHOWN = 2_048
"""Of the items that were shown within six hours, and that the counts cannot hold, so many teach all the same."""


def fold_impression(
    state: UserState,
    impression: Impression,
    offset: int,
    config: UserConfig,
    archived: Container[bytes] = frozenset(),
) -> UserState:
    """Return the state after one impression that is not applied yet; as ``fold``."""
    offsets = {**state.offsets, int(Source.IMPRESSION): offset}
    if is_known(state, impression.event_id, archived):
        return msgspec.structs.replace(state, offsets=offsets)
    counts, first, n_alike = _count_shown(state, impression, config)
    period = impression.timestamp_ms // SHOWN_PERIOD_MS
    uncounted_in, n_uncounted = state.uncounted_shown
    if period > uncounted_in:
        uncounted_in, n_uncounted = period, 0
    is_crowded = _is_crowded(state.pending_impressions)
    slots = []
    for shown, n in zip(impression.items, n_alike):
        teaches = n <= config.training_impressions if n else n_uncounted < MOST_UNCOUNTED_SHOWN
        slots.append(slot_of(shown.position) if teaches and not is_crowded else TEACHES_NOBODY)
        n_uncounted += n == 0
    entry = ImpressionEntry(
        timestamp_ms=impression.timestamp_ms,
        event_id=impression.event_id,
        item_ids=[shown.item_id for shown in impression.items],
        slots=slots,
        offset=offset,
        arrival=state.arrivals,
    )
    recent_impressions, left = insert(state.recent_impressions, entry, config.recent_impressions)
    left = [msgspec.structs.replace(each, features=b"") for each in left]
    return msgspec.structs.replace(
        state,
        offsets=offsets,
        arrivals=state.arrivals + 1,
        recent_impressions=recent_impressions,
        pending_impressions=[*state.pending_impressions, *(e for e in left if not is_crowded or _teaches_any(e))],
        shown_counts=counts,
        first_shown_period=first,
        uncounted_shown=(uncounted_in, n_uncounted),
        newest_week_shown=_count_week(state, impression.timestamp_ms // WEEK_MS),
        recent_ids=state.recent_ids + digests_of(left),
    )


def put_features(state: UserState, features: Mapping[str, bytes]) -> UserState:
    """Return the state with other ``features`` of some recent impressions, by ``event_id``."""
    return msgspec.structs.replace(
        state,
        recent_impressions=[
            msgspec.structs.replace(entry, features=features.get(entry.event_id, entry.features))
            for entry in state.recent_impressions
        ],
    )


def _count_week(state: UserState, week: int) -> tuple[int, int]:
    """Return the newest week and its impressions with one more, of ``week``; of weeks before, none is counted."""
    newest, n = state.newest_week_shown
    return (week, 1) if week > newest else (newest, n + (week == newest))


def _is_crowded(pending: Sequence[ImpressionEntry]) -> bool:
    """Return whether there is no room for more pending impressions."""
    return sum(map(_n_bytes, pending)) > MOST_PENDING_BYTES if len(pending) > FEW_PENDING else False


def _n_bytes(entry: ImpressionEntry) -> int:
    """Return about how many bytes an impression takes in a state: never less than it does."""
    return 64 + 4 * len(entry.event_id) + sum(4 + len(item_id.encode()) for item_id in entry.item_ids)


def _teaches_any(entry: ImpressionEntry) -> bool:
    return any(slot != TEACHES_NOBODY for slot in entry.slots)


def _count_shown(
    state: UserState, impression: Impression, config: UserConfig
) -> tuple[list[ShownCount], int, list[int]]:
    """Return the counts after an impression, the first period in them, and how often each item was shown in its period.

    0 for an item that they have no room for.
    """
    counts, first = state.shown_counts, state.first_shown_period
    period = impression.timestamp_ms // SHOWN_PERIOD_MS
    if period < first:
        return counts, first, [0] * len(impression.items)
    new = [_count_one(counts, period, shown, impression.timestamp_ms) for shown in impression.items]
    salt = f"{impression.user_id}/{period}/"
    counts, first = by_period.put(counts, first, new, config.shown_counts, salt)
    kept = {count.item_id for count in counts if count.period == period}
    return counts, first, [count.n if count.item_id in kept else 0 for count in new]


def _count_one(counts: Sequence[ShownCount], period: int, shown: ShownItem, timestamp_ms: int) -> ShownCount:
    """Return the count of an item after it was shown once more."""
    examined = round(100 * usual_examination(shown.position))
    old = by_period.find(counts, period, shown.item_id)
    if old is None:
        return ShownCount(period, shown.item_id, 1, examined, timestamp_ms)
    last_ms = max(old.last_ms, timestamp_ms)
    return ShownCount(period, shown.item_id, old.n + 1, old.examined + examined, last_ms)
