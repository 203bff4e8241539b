"""librdkafka through confluent-kafka: see ``__init__.py`` for what it does."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition


def main(bootstrap: str, prefix: str, name: str) -> None:
    """Send, wait, print."""
    # Without the partitioner half of the users would be rejected as wrong_partition.
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "compression.type": "zstd", "acks": "all"}
    )
    last: dict[str, dict[str, int]] = {}

    def on_delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        topic = message.topic().removeprefix(prefix)
        if topic != "items":
            seen = last.setdefault(message.key().decode(), {})
            seen[topic] = max(message.offset(), seen.get(topic, -1))

    def send(topic: str, key: str, value: dict[str, Any]) -> None:
        producer.produce(prefix + topic, key=key, value=json.dumps(value), on_delivery=on_delivered)

    for n in range(5):
        send("items", f"{name}-item-{n}", {"item_id": f"{name}-item-{n}", "title": f"Thing {n}"})
    for user in range(3):
        user_id = f"{name}-user-{user}"
        for n in range(9):
            topic = ("views", "clicks", "purchases")[n % 3]
            event = {"event_id": f"{user_id}-{n}", "user_id": user_id, "item_id": f"{name}-item-{n % 5}"}
            event["timestamp_ms"] = time.time_ns() // 1_000_000
            send(topic, user_id, event)
            if n == 8:
                send(topic, user_id, event)
    producer.flush(30)

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": prefix + name, "enable.auto.commit": False})
    topic = prefix + "recommendations"
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    lists: dict[str, dict[str, Any]] = {}
    while len(lists) < len(last):
        message = consumer.poll(0.2)
        if message is None or message.error() or message.value() is None:
            continue
        wanted = last.get(message.key().decode())
        slate = json.loads(message.value())
        if wanted and all(slate["seen"].get(name, -1) >= offset for name, offset in wanted.items()):
            items = [item["item_id"] for item in slate["items"]]
            lists[slate["user_id"]] = {"list_id": slate["list_id"], "items": items}
    consumer.close()
    print(json.dumps(lists))


if __name__ == "__main__":
    main(*sys.argv[1:])
