"""A source: a topic of what users do, see and say of themselves, as states and signals number it."""

from __future__ import annotations

from enum import IntEnum

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import TOPIC_OF_KIND, Interaction
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search

Event = Interaction | Search | Impression
"""What a user did or saw, once: it has an ``event_id``."""
UserEvent = Event | Profile
"""What one record of such a topic says."""


class Source(IntEnum):
    """Topics of what users do, see and say of themselves. Those of interactions have the number of their ``Kind``.

    Numbers stay.
    """

    VIEW = 0
    CLICK = 1
    PURCHASE = 2
    SEARCH = 3
    IMPRESSION = 4
    PROFILE = 5

    @property
    def topic(self) -> str:
        """Name of the topic, without prefix."""
        return TOPIC_OF_SOURCE[self]

    @property
    def label(self) -> str:
        """The word used in logs of events (``event_type``) and in explanations."""
        return self.name.lower()


TOPIC_OF_SOURCE = {
    **{Source(kind): topic for kind, topic in TOPIC_OF_KIND.items()},
    Source.SEARCH: "searches",
    Source.IMPRESSION: "impressions",
    Source.PROFILE: "profiles",
}
EVENT_SOURCES = tuple(source for source in Source if source != Source.PROFILE)
SOURCE_OF_LABEL = {source.label: source for source in Source}
SOURCE_OF_TOPIC = {topic: source for source, topic in TOPIC_OF_SOURCE.items()}
