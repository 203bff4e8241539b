"""An erasure request: delete what is known of one user."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import Id, TimestampMs


class Forget(Struct, frozen=True, omit_defaults=True):
    """One event on ``forget``; the record's key is ``user_id``."""

    user_id: Id
    timestamp_ms: TimestampMs
    request_id: Annotated[str, Meta(max_length=256)] = ""
    """Names this request: the receipt on ``receipts`` has it as its key. Put nothing of the user into it."""
