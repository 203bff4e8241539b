"""A signal: what one event teaches about one item, on its way from the user stage to the item stage.

Signals of many events travel in one message per item partition; each names its source, so that the item stage can
apply it once however often it arrives.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.events.codec import EventTime, KindNumber, Offset, decode_versioned
from stream_rec.events.interaction import Id

VERSION = 4
_ERASER = 15
"""In place of a kind, in the number of a source: the topic `forget`."""

Change = Annotated[int, Meta(ge=-(2**31), le=2**31)]


class Signal(Struct, frozen=True, array_like=True):
    """What the event at one source offset teaches about ``item_id``."""

    item_id: Id
    kind: KindNumber
    """Of the event; it names the source topic too."""
    partition: Annotated[int, Meta(ge=0, lt=2**31)]
    """Of the source topic."""
    offset: Offset
    """In the source partition. Signals of one source reach an item in the order of their offsets."""
    seen_ms: EventTime | None = None
    """Event time, where the event is about this very item; None where it only moves pairs."""
    pairs: list[tuple[str, Change]] = []
    """(item that came before, change of the pair's weight)."""
    visitor: Annotated[int, Meta(ge=0)] = 0
    """Who: ``visits.visitor_of``. With ``seen_ms`` only, like ``again``."""
    again: bool = False
    """Whether this user had the item before."""
    erases: bool = False
    """The visitor is to be forgotten; the source is then `forget`, and ``kind`` means nothing."""
    is_first: bool = False
    """Whether it is this user's first event of its kind. With ``seen_ms`` only."""

    @property
    def source(self) -> int:
        """The source partition as one number, the key of an item's watermarks."""
        return source_number(_ERASER if self.erases else self.kind, self.partition)


class Signals(Struct, frozen=True, array_like=True):
    """One message on ``item-signals``."""

    version: int
    signals: list[Signal]


def source_number(kind: int, partition: int) -> int:
    """Return one number for a partition of the topic of ``kind``."""
    return partition * 16 + kind


def encode(signals: list[Signal]) -> bytes:
    """Return the message that carries ``signals``."""
    return _ENCODER.encode(Signals(VERSION, signals))


def decode(data: bytes) -> list[Signal]:
    """Return the signals of one message.

    Raises:
        StateVersionError: written by a newer program, or no signals at all.
    """
    return decode_versioned(data, _DECODER, what="message of item signals", version=VERSION).signals


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Signals)
