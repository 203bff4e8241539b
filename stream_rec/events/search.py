"""A search: what a user asked for, in words."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import Context, Id, TimestampMs

LONGEST_QUERY = 2000
Query = Annotated[str, Meta(min_length=1, max_length=LONGEST_QUERY, description="as the user typed or chose it")]


class Search(Struct, frozen=True, omit_defaults=True):
    """One event on ``searches``; the record's key is ``user_id``."""

    event_id: Id
    """Unique among all that the user did, as that of an interaction."""
    user_id: Id
    query: Query
    timestamp_ms: TimestampMs
    item_id: Id | None = None
    """Where the user asked for something like this item, but as the query says: "cheaper", "in blue"."""
    context: Context = {}
