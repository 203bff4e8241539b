"""An impression: which items of a list an app really showed, and where."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import Id, TimestampMs


class ShownItem(Struct, frozen=True):
    """One item in one slot."""

    item_id: Id
    position: Annotated[int, Meta(ge=1, description="slot, counted from 1")]


class Impression(Struct, frozen=True):
    """One event on ``impressions``; the record's key is ``user_id``."""

    event_id: Id
    user_id: Id
    list_id: Annotated[str, Meta(max_length=256, description="the `list_id` of the recommendations record shown")]
    items: Annotated[list[ShownItem], Meta(max_length=1000)]
    timestamp_ms: TimestampMs
