"""Orders of the load on a topic of a shop's own: other partitions, other names, a key that says nothing.

What users buy goes there, and not to `purchases`: the ingest processes bring it where it belongs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from kafka import KafkaAdminClient

from stream_rec.config import Settings
from stream_rec.events.interaction import Kind, LoggedEvent
from stream_rec.ingest_settings import AdoptedTopic, IngestSettings
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.lag import open_records
from tests.kafka.logs import Logged

EPOCH = datetime.fromtimestamp(0, UTC)
PARTITIONS = 6
SECTION = "shop-orders"
FIELDS = {
    "event_id": "number",
    "user_id": "customer.id",
    "item_id": "line.sku",
    "value": "line.price",
    "timestamp": "at",
    "context": "said",
}


def topic_of(kafka: KafkaSettings) -> str:
    """Return the shop's topic: each pipeline under test has one, named so that it is none of ours."""
    return f"their-{kafka.topic_prefix}shop.orders"


def adopting(settings: Settings) -> Settings:
    """Return settings by which that topic is read."""
    topic = AdoptedTopic(name=topic_of(settings.kafka), event_type="purchase", fields=dict(FIELDS))
    return msgspec.structs.replace(settings, ingest=IngestSettings(topics={SECTION: topic}))


def make_topic(client: KafkaAdminClient, kafka: KafkaSettings) -> None:
    """Make the topic, with the times of who writes: of years ago, and of days ahead where a clock has jumped."""
    any_time = str(2**63 - 1)  # Kafka before 4.0 took any time; newer ones refuse what is over an hour ahead
    times = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": any_time}
    configs = times | {"retention.ms": "-1"}
    asked = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}
    client.create_topics({topic_of(kafka): asked})
    client.wait_for_topics([topic_of(kafka)])


def is_order(line: Logged) -> bool:
    """Return whether the shop writes it."""
    return isinstance(line, LoggedEvent) and line.kind == Kind.PURCHASE


def orders_in(log: Iterable[Logged]) -> Iterable[tuple[bytes, bytes, int]]:
    """Yield what the shop writes of it: key, value and time. Of one user all is in one partition, in its order."""
    for line in log:
        if is_order(line):
            assert isinstance(line, LoggedEvent)
            event = line.event
            order = {
                "number": event.event_id,
                "customer": {"id": event.user_id},
                "line": {"sku": event.item_id, "price": event.value},
                "at": (EPOCH + timedelta(milliseconds=event.timestamp_ms)).isoformat(),
                "said": event.context,
            }
            yield f"customer {event.user_id}".encode(), json.dumps(order).encode(), event.timestamp_ms


def open_orders(client: KafkaAdminClient, settings: Settings) -> dict[str, int]:
    """Return how many orders are not taken yet."""
    group = settings.kafka.topic(settings.ingest.group)
    return open_records(client, group, [topic_of(settings.kafka)], PARTITIONS)
