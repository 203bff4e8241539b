"""A search: the user's intent in words."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import Id, TimestampMs


class Search(Struct, frozen=True):
    """One event on ``searches``; the record's key is ``user_id``."""

    event_id: Id
    user_id: Id
    query: Annotated[str, Meta(min_length=1, max_length=2000)]
    timestamp_ms: TimestampMs
