"""A signal: what one event teaches about one item, on its way from the user stage to the item stage.

Signals of many events travel in one message per item partition; each names its source, so that the item stage can
apply it once however often it arrives.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import StateVersionError
from stream_rec.events.codec import EventTime, Offset, SourceNumber, decode_versioned
from stream_rec.events.interaction import Id
from stream_rec.events.source import Source
from stream_rec.knowledge.contexts import MOST_KEYS
from stream_rec.knowledge.fading import Number
from stream_rec.knowledge.slots import N_SLOTS

VERSION = 8
_ERASER = 15
"""In place of a kind, in the number of a source: the topic `forget`."""

NOT_SHOWN = -1
Change = Annotated[int, Meta(ge=-(2**31), le=2**31)]


class Signal(Struct, frozen=True, array_like=True):
    """What the event at one source offset teaches about ``item_id``."""

    item_id: Id
    kind: SourceNumber
    """Of the event, a ``Source``: it names the source topic too."""
    partition: Annotated[int, Meta(ge=0, lt=2**31)]
    """Of the source topic."""
    offset: Offset
    """In the source partition. Signals of one source reach an item in the order of their offsets."""
    seen_ms: EventTime | None = None
    """Event time, where the event is about this very item; None where it only moves pairs or answers."""
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
    answers: list[tuple[Number, EventTime, Change]] = []
    """(query, time of the event that answers it, change of how much it does): see ``user/answers.py``."""
    shown: Annotated[int, Meta(ge=NOT_SHOWN, lt=N_SLOTS)] = NOT_SHOWN
    """Slot in which the item was shown, of an impression only."""
    chosen: list[tuple[Annotated[int, Meta(ge=0, lt=N_SLOTS)], Change]] = []
    """(slot, change of how often the item was chosen from there): see ``user/conversions.py``."""
    contexts: Annotated[list[Number], Meta(max_length=MOST_KEYS)] = []
    """What was said of where and how it came about: see ``contexts.py``. With ``seen_ms`` only."""
    rating: Annotated[int, Meta(ge=-(10**7), le=10**7)] | None = None
    """How the item was rated, in thousandths. With ``seen_ms`` only."""

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
    signals = decode_versioned(data, _DECODER, what="message of item signals", version=VERSION).signals
    if any(signal.kind >= Source.SEARCH and signal.seen_ms is not None for signal in signals):
        raise StateVersionError("message of item signals cannot be read: no search or impression is a visit")
    return signals


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Signals)
