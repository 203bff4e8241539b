"""A receipt: a user was forgotten. It names the erasure request, not the user."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import TimestampMs


class Receipt(Struct, frozen=True):
    """One record on ``receipts``; its key is ``request_id``."""

    request_id: str
    """As the erasure request had it; without one there, ``partition/offset`` of the request on ``forget``."""
    forgotten_at_ms: TimestampMs
    """When state and list were gone, by the worker's clock."""
    n_events: Annotated[int, Meta(ge=0)]
    """Interactions that were known; 0 where there were none, as of a user who only searched."""
    n_items: Annotated[int, Meta(ge=0)]
    """Items that they were with."""
