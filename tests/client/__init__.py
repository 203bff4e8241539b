"""What the tests of the SDK share."""

from __future__ import annotations

import uuid

from stream_rec.config import Settings
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.topics.admin import create


def fresh_topics(bootstrap: str) -> KafkaSettings:
    """Return settings whose topics are new and empty: two partitions each, under a prefix of their own."""
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=2)
    create(Settings(kafka=kafka))
    return kafka
