"""What came of one user, and from where."""

from __future__ import annotations

from msgspec import Struct

from stream_rec.events.profile import Profile
from stream_rec.events.slate import AsOf
from stream_rec.events.source import Source, UserEvent
from stream_rec.user.state import UserState


class Arrival(Struct, frozen=True):
    """One valid event, search, impression or profile as it came from its topic."""

    event: UserEvent
    source: Source
    partition: int
    offset: int
    received_ms: int = 0
    """The broker's time of its record; without a broker there is none."""

    def as_of(self, user: UserState) -> AsOf:
        """Return what a list that goes out on it says that it was made on.

        When a profile was said may be long ago, and is no time at which the user did anything: its list is of the time
        of the newest event or search, where there is one. It has no id: its place is one.

        Args:
            user: After it.
        """
        topic, event = self.source.topic, self.event
        if not isinstance(event, Profile):
            return AsOf(topic, self.partition, self.offset, event.event_id, event.timestamp_ms)
        time_ms = (user.newest_said or event).timestamp_ms
        return AsOf(topic, self.partition, self.offset, f"{topic}/{self.partition}/{self.offset}", time_ms)
