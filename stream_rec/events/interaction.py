"""An interaction: what one user did with one item. The topic that carries it says what kind it is."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=256, description="1 to 256 bytes of UTF-8")]
TimestampMs = Annotated[int, Meta(ge=0, description="event time, milliseconds since 1970-01-01 UTC")]
Context = Annotated[dict[str, Any], Meta(description="anything the app knows: session, device, order, ...")]

ACTION = "action"
"""In an event's context: what its app calls what the user did."""


class Kind(IntEnum):
    """Interaction kinds. The numbers are stored in states and signals: never renumber, only add."""

    VIEW = 0
    CLICK = 1
    PURCHASE = 2

    @property
    def topic(self) -> str:
        """Name of the topic that carries this kind, without prefix."""
        return TOPIC_OF_KIND[self]

    @property
    def label(self) -> str:
        """The word used in logs of events (``event_type``) and in explanations."""
        return self.name.lower()


TOPIC_OF_KIND = {Kind.VIEW: "views", Kind.CLICK: "clicks", Kind.PURCHASE: "purchases"}
KIND_OF_TOPIC = {topic: kind for kind, topic in TOPIC_OF_KIND.items()}
KIND_OF_LABEL = {kind.label: kind for kind in Kind}


class Interaction(Struct, frozen=True, omit_defaults=True):
    """One event on ``views``, ``clicks`` or ``purchases``; the record's key is ``user_id``."""

    event_id: Id
    """Unique among the user's events. The same id again, whatever its time and topic, is the same event and counts once
    if it comes within 7 days (`user.deduplication_window_s`) of the first: send it again freely when in doubt."""
    user_id: Id
    item_id: Id
    timestamp_ms: TimestampMs
    value: float | None = None
    """What it was worth: price paid, rating given, seconds watched."""
    context: Context = {}


class LoggedEvent(NamedTuple):
    """An interaction and its kind, which on Kafka is its topic."""

    kind: Kind
    event: Interaction
