"""Events of a user, folded into the state: the newest whole, and counts by item and week."""

from __future__ import annotations

from collections.abc import Container
from operator import attrgetter

import msgspec

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.knowledge import contexts
from stream_rec.user import by_period
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import WEEK_MS, Entry, WeeklyCount
from stream_rec.user.ratings import NO_RATINGS, RatingsConfig, read_rating
from stream_rec.user.recent import insert, is_known
from stream_rec.user.state import UserState, digests_of

UNCOUNTED = 512
"""As many weekly counts as are kept by default: three topics of a long past, read far out of step, lose none."""


def fold(
    state: UserState,
    event: Interaction,
    kind: Kind,
    offset: int,
    config: UserConfig,
    archived: Container[bytes] = frozenset(),
    ratings: RatingsConfig = NO_RATINGS,
) -> UserState:
    """Return the state after one event that is not applied yet.

    An event whose id is known is a duplicate: only its offset is noted. What leaves the recent events goes to
    ``pending``, where it stays until ``release``, and its digest to ``recent_ids``.

    Args:
        archived: Digests that the user's archive holds, this event's among them if it does.
        ratings: Which values are ratings.
    """
    offsets = {**state.offsets, int(kind): offset}
    if is_known(state, event.event_id, archived):
        return msgspec.structs.replace(state, offsets=offsets)
    weekly_counts, first_week, n_alike = _count(
        state.weekly_counts, state.first_week, event, kind, config.weekly_counts
    )
    entry = Entry(
        timestamp_ms=event.timestamp_ms,
        event_id=event.event_id,
        item_id=event.item_id,
        kind=int(kind),
        value=event.value,
        offset=offset,
        arrival=state.arrivals,
        again=event.item_id in map(_ITEM_ID, state.weekly_counts),
        teaches=n_alike <= config.weekly_training_events if n_alike else state.n_uncounted < UNCOUNTED,
        is_first=state.counts[kind] == 0,
        contexts=contexts.numbers_of(event.context, config.context_keys),
        of_profile=state.profile.contexts if state.profile else (),
        rating=read_rating(event, kind, ratings),
    )
    recent_events, left = insert(state.recent_events, entry, config.recent_events)
    counts = list(state.counts)
    counts[kind] += 1
    views, clicks, purchases = counts
    n_ratings, total = state.ratings
    return msgspec.structs.replace(
        state,
        recent_events=recent_events,
        weekly_counts=weekly_counts,
        first_week=first_week,
        counts=(views, clicks, purchases),
        first_ms=entry.timestamp_ms if state.first_ms is None else min(state.first_ms, entry.timestamp_ms),
        offsets=offsets,
        arrivals=state.arrivals + 1,
        pending=[*state.pending, *left],
        n_uncounted=state.n_uncounted + (n_alike == 0),
        recent_ids=state.recent_ids + digests_of(left),
        ratings=state.ratings if entry.rating is None else (n_ratings + 1, total + entry.rating),
    )


def _count(
    weekly_counts: list[WeeklyCount], first_week: int, event: Interaction, kind: Kind, bound: int
) -> tuple[list[WeeklyCount], int, int]:
    """Return the weekly counts with one more interaction, the first week still in them, and how many are alike by now.

    Alike are those of one kind with one item in one week; 0 where the weekly counts have no room for this one.
    """
    week = event.timestamp_ms // WEEK_MS
    if week < first_week:
        return weekly_counts, first_week, 0
    old = by_period.find(weekly_counts, week, event.item_id)
    counts = [0, 0, 0] if old is None else list(old.counts)
    counts[kind] += 1
    views, clicks, purchases = counts
    last_ms = event.timestamp_ms if old is None else max(event.timestamp_ms, old.last_ms)
    count = WeeklyCount(week, event.item_id, (views, clicks, purchases), last_ms)
    counted, first_week = by_period.put(weekly_counts, first_week, [count], bound)
    is_kept = by_period.find(counted, week, event.item_id) is not None
    return counted, first_week, counts[kind] if is_kept else 0


_ITEM_ID = attrgetter("item_id")
