"""Another client's producer: librdkafka's, set up as docs/guides/other-languages.md says that it must be."""

from __future__ import annotations

from collections.abc import Iterable

import confluent_kafka
import msgspec

from stream_rec.events.interaction import LoggedEvent
from stream_rec.kafka_settings import KafkaSettings

CODECS = ("gzip", "snappy", "lz4", "zstd")
TIMEOUT_S = 120.0
"""Longer than any outage that a run with this fault can have."""


class ForeignProducer:
    """Sends events with librdkafka."""

    def __init__(self, kafka: KafkaSettings, **settings: object) -> None:
        """Connect.

        Args:
            settings: Of librdkafka, with underscores for dots: ``compression_type="zstd"``.
        """
        self._kafka = kafka
        named = {name.replace("_", "."): value for name, value in settings.items()}
        usual = {"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True}
        self.client = confluent_kafka.Producer({**usual, **named})
        self._failures: list[str] = []

    def send(self, events: Iterable[LoggedEvent]) -> None:
        """Send events, and return when the broker has them.

        Raises:
            RuntimeError: it did not take them all.
        """
        for kind, event in events:
            self.client.produce(
                self._kafka.topic(kind.topic),
                key=event.user_id.encode(),
                value=msgspec.json.encode(event),
                on_delivery=self._delivered,
            )
        n_open = self.client.flush(TIMEOUT_S)
        if n_open or self._failures:
            raise RuntimeError(f"librdkafka: {n_open} records open; failures: {self._failures[:3]}")

    def commit(self) -> None:
        """Commit the transaction, as often as the client says that this may be tried again."""
        while True:
            try:
                return self.client.commit_transaction(TIMEOUT_S)
            except confluent_kafka.KafkaException as error:
                if not error.args[0].retriable():
                    raise

    def _delivered(self, error: confluent_kafka.KafkaError | None, message: object) -> None:
        if error is not None:
            self._failures.append(str(error))
