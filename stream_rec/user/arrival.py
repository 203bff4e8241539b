"""What came of one user, and from where."""

from __future__ import annotations

from msgspec import Struct

from stream_rec.events.profile import Profile
from stream_rec.events.slate import AsOf
from stream_rec.events.source import Source, UserEvent


class Arrival(Struct, frozen=True):
    """One valid event, search, impression or profile as it came from its topic."""

    event: UserEvent
    source: Source
    partition: int
    offset: int
    received_ms: int = 0
    """The broker's time of its record; without a broker there is none."""

    @property
    def as_of(self) -> AsOf:
        """What a list that goes out on it says that it was made on."""
        topic = self.source.topic
        place = f"{topic}/{self.partition}/{self.offset}"
        event_id = place if isinstance(self.event, Profile) else self.event.event_id  # a profile has none
        return AsOf(topic, self.partition, self.offset, event_id, self.event.timestamp_ms)
