"""Records of a recording to the topics that they came from."""

from __future__ import annotations

from stream_rec.client import EventProducer
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule
from stream_rec.events.search import Search
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.logs.recording import ITEMS, RULES, Recorded


def send_again(producer: EventProducer, record: Recorded) -> None:
    """Send one record to the topic of its name; raises what the producer's methods raise."""
    topic, key, value = record.place.topic, record.key, record.value
    match value:
        case None if topic == ITEMS:
            producer.delete_item(key)
        case None if topic == RULES:
            producer.end_rule(key)
        case None:
            producer.delete_profile(key)
        case Item():
            producer.item(value)
        case Rule():
            producer.rule(value)
        case Profile():
            producer.send_profile(value)
        case Search():
            producer.send_search(value)
        case Impression():
            producer.send_impression(value)
        case Interaction():
            producer.send_interaction(Kind(SOURCE_OF_TOPIC[topic]), value)
