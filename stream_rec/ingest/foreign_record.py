"""A record as it stands on a topic that is not ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class ForeignRecord(NamedTuple):
    """One record, not yet understood."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Its own, whether a producer gave it or the broker."""
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = {}

    @property
    def event_id(self) -> str:
        """Return an id that is this record's alone, whenever it is read; another's if the topic is made again."""
        return f"{self.topic}-{self.partition}-{self.offset}-{self.timestamp_ms}"


class Content(NamedTuple):
    """What is in a record, as plain data."""

    value: Any
    """None of a record that deletes."""
    key: Any = None
    envelope: Mapping[str, Any] = {}
    """What an envelope says besides: attributes of a CloudEvent, ``op`` and ``ts_ms`` of Debezium."""
    is_deletion: bool = False
