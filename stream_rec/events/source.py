"""A source: a topic of what users do, interactions and searches alike, as states and signals number it."""

from __future__ import annotations

from enum import IntEnum

from stream_rec.events.interaction import TOPIC_OF_KIND


class Source(IntEnum):
    """Topics of what users do. Those of interactions have the number of their ``Kind``; never renumber, only add."""

    VIEW = 0
    CLICK = 1
    PURCHASE = 2
    SEARCH = 3

    @property
    def topic(self) -> str:
        """Name of the topic, without prefix."""
        return TOPIC_OF_SOURCE[self]

    @property
    def label(self) -> str:
        """The word used in logs of events (``event_type``) and in explanations."""
        return self.name.lower()


TOPIC_OF_SOURCE = {**{Source(kind): topic for kind, topic in TOPIC_OF_KIND.items()}, Source.SEARCH: "searches"}
SOURCE_OF_LABEL = {source.label: source for source in Source}
SOURCE_OF_TOPIC = {topic: source for source, topic in TOPIC_OF_SOURCE.items()}
