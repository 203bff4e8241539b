"""A wish to be forgotten: delete what is known of one user."""

from __future__ import annotations

from msgspec import Struct

from stream_rec.events.interaction import Id, TimestampMs


class Forget(Struct, frozen=True):
    """One event on ``forget``; the record's key is ``user_id``."""

    user_id: Id
    timestamp_ms: TimestampMs
