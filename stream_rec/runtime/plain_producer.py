"""A producer for what may be lost, from settings; it needs no Faust."""

from __future__ import annotations

import aiokafka

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.sessions import AiokafkaTokens, stay_logged_in

TIMEOUT_S = 5.0
"""Of a request."""


def new_plain_producer(kafka: KafkaSettings) -> aiokafka.AIOKafkaProducer:
    """Return a producer for what may be lost: nothing that is wrong with what it sends touches any other."""
    producer = aiokafka.AIOKafkaProducer(
        **kafka.client_options(AiokafkaTokens), acks=1, linger_ms=0, request_timeout_ms=int(TIMEOUT_S * 1000)
    )
    stay_logged_in(producer.client)
    return producer
