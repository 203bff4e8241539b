"""A rejected record: bad input, kept with where it came from and why it was not used."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

HEAD_BYTES = 512
"""How much of a rejected value is kept."""


class Origin(Struct, frozen=True):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Rejected(Struct, frozen=True):
    """One record on ``rejected``; the key is the original one. The same origin twice is one rejection."""

    origin: Origin
    reason: Annotated[str, Meta(description="constant word to count by, see events/validate.py")]
    detail: str
    """What was expected and what came."""
    head: Annotated[bytes, Meta(description=f"first {HEAD_BYTES} bytes of the value, base64")]
