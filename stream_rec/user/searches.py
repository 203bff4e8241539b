"""Searches of a user, folded into the state."""

from __future__ import annotations

from collections.abc import Container

import msgspec

from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge import contexts
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import LONGEST_TEXT, SearchEntry
from stream_rec.user.recent import insert, is_known
from stream_rec.user.state import UserState, digests_of


def fold_search(
    state: UserState, search: Search, offset: int, config: UserConfig, archived: Container[bytes] = frozenset()
) -> UserState:
    """Return the state after one search that is not applied yet; as ``fold``."""
    offsets = {**state.offsets, int(Source.SEARCH): offset}
    if is_known(state, search.event_id, archived):
        return msgspec.structs.replace(state, offsets=offsets)
    entry = SearchEntry(
        timestamp_ms=search.timestamp_ms,
        event_id=search.event_id,
        query=search.query[:LONGEST_TEXT],
        item_id=search.item_id,
        offset=offset,
        arrival=state.arrivals,
        contexts=contexts.numbers_of(search.context, config.context_keys),
    )
    recent_searches, left = insert(state.recent_searches, entry, config.recent_searches)
    return msgspec.structs.replace(
        state,
        offsets=offsets,
        arrivals=state.arrivals + 1,
        recent_searches=recent_searches,
        pending_searches=[*state.pending_searches, *left],
        recent_ids=state.recent_ids + digests_of(left),
    )
