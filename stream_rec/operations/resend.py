"""Sending rejected records again, and writing down on ``rejected`` that this was done.

It is written down when the broker has acknowledged the record. So a crash between the two may send a record twice,
never not at all; for events the ``event_id`` decides what counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream_rec.client.connect import connect
from stream_rec.errors import DeliveryFailed
from stream_rec.events.rejected import Origin
from stream_rec.events.validate import InputLimits
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.rejections import REPLAYED_TO, path_of
from stream_rec.operations.replay_decision import Resend

DELIVERY_TIMEOUT_MS = 60_000
BATCH = 200
"""How many records to give to ``Resender.send`` at once: a crash sends at most so many twice."""


class Resender:
    """Sends records again, each batch then written down on ``rejected``. For one thread; close it."""

    def __init__(self, kafka: KafkaSettings, *, limits: InputLimits) -> None:
        """Connect; raises what ``connect`` raises."""
        self._kafka = kafka
        # As EventProducer's, and for its reasons: murmur2 of the key, one request at a time.
        self._producer = connect(
            KafkaProducer,
            kafka,
            acks="all",
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
            linger_ms=5,
            max_request_size=max(1 << 20, 2 * limits.record_bytes),
            allow_auto_create_topics=False,
            max_block_ms=5_000,
            request_timeout_ms=DELIVERY_TIMEOUT_MS // 2,
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            metrics_enabled=False,
        )
        self.sent: Counter[str] = Counter()
        """Acknowledged records by topic."""

    def send(self, resends: Sequence[Resend]) -> list[Origin]:
        """Send records and return, in their order, where each stands now, when that is written down.

        Raises:
            DeliveryFailed: the broker did not take some; those that it took are written down.
        """
        failures: list[str] = []
        arrived: list[tuple[Resend, Origin]] = []
        futures = [
            self._send(failures, r.dead_letter.origin.topic, key=r.key, value=r.value, headers=r.headers)
            for r in resends
        ]
        for resend, future in zip(resends, futures):
            if metadata := _outcome(future, failures):
                arrived.append((resend, Origin(metadata.topic, metadata.partition, metadata.offset)))
                self.sent[metadata.topic] += 1
        n_unsent = len(failures)
        self._write_down(arrived, failures)
        if failures:
            n_unnoted = len(failures) - n_unsent
            unnoted = f", {n_unnoted} were, but it could not be written down on {self._kafka.topic('rejected')}"
            raise DeliveryFailed(
                f"{n_unsent} of {len(resends)} records were not sent again{unnoted if n_unnoted else ''}; the first: "
                f"{failures[0]}; mend what that says, or see that the broker is up, then run it again"
            )
        return [origin for _, origin in arrived]

    def close(self) -> None:
        """Disconnect."""
        self._producer.close(timeout=5)

    def _write_down(self, arrived: Iterable[tuple[Resend, Origin]], failures: list[str]) -> None:
        """Repeat each rejection with where its record was sent.

        In its own partition and with its own time: retention never takes it before the rejection.
        """
        futures = [
            self._send(
                failures,
                self._kafka.topic("rejected"),
                key=resend.dead_letter.key,
                value=resend.dead_letter.value,
                headers=[(REPLAYED_TO, path_of(origin).encode())],
                partition=resend.dead_letter.partition,
                timestamp_ms=resend.dead_letter.rejected_ms,
            )
            for resend, origin in arrived
        ]
        for future in futures:
            _outcome(future, failures)

    def _send(self, failures: list[str], topic: str, **record: Any) -> Any:
        try:
            return self._producer.send(topic, **record)
        except KafkaError as error:
            failures.append(f"topic {topic}: {type(error).__name__}: {error}")
            return None


def _outcome(future: Any, failures: list[str]) -> Any:
    """Return the metadata of a record sent, or None after noting why there is none."""
    if future is None:
        return None
    try:
        return future.get(timeout=2 * DELIVERY_TIMEOUT_MS / 1000)
    except KafkaError as error:
        failures.append(f"{type(error).__name__}: {error}")
        return None
