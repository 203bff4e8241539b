"""A source: a topic of what users do and see, as states and signals number it."""

from __future__ import annotations

from enum import IntEnum

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import TOPIC_OF_KIND, Interaction
from stream_rec.events.search import Search

UserEvent = Interaction | Search | Impression
"""What one record of such a topic says."""


class Source(IntEnum):
    """Topics of what users do and see. Those of interactions have the number of their ``Kind``; numbers stay."""

    VIEW = 0
    CLICK = 1
    PURCHASE = 2
    SEARCH = 3
    IMPRESSION = 4

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
}
SOURCE_OF_LABEL = {source.label: source for source in Source}
SOURCE_OF_TOPIC = {topic: source for source, topic in TOPIC_OF_SOURCE.items()}
