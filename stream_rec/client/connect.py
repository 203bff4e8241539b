"""Kafka-python clients for our settings: connected within ten seconds, or an error that says what to do."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import Cancelled, KafkaConnectionError, KafkaError, UnsupportedCodecError
from kafka.net.compat import KafkaNetClient
from kafka.net.sasl.oauth import AbstractTokenProvider

from stream_rec.errors import BrokerUnavailable, StreamRecError, TopicMismatch, UnreadableRecords
from stream_rec.kafka_settings import KafkaSettings

if TYPE_CHECKING:
    from stream_rec.oauth import TokenSource

C = TypeVar("C")

BOOTSTRAP_TIMEOUT_MS = 8_000
"""How long a client looks for a broker before it gives up."""
RECONNECT_MS = 1_000
"""How long it pauses at most between tries. With kafka-python's 30 s an outage would last half a minute longer."""
ASK_AGAIN_S = 0.2
"""How long it pauses before it asks a broker again that did not know the answer yet."""


def connect(client: type[C], kafka: KafkaSettings, **options: Any) -> C:
    """Return a connected ``KafkaProducer``, ``KafkaConsumer`` or ``KafkaAdminClient``.

    Raises:
        BrokerUnavailable: no broker answered.
        LoginRefused: it did, and the login or its certificate is wrong.
        TokenUnavailable: the OIDC provider gives no token to log in with.
        SettingsError: an address is none, or a certificate file cannot be read.
    """
    if not kafka.bootstrap:
        raise BrokerUnavailable("no Kafka broker is named; give host:port, or set kafka.bootstrap")
    if kafka.security_protocol != "PLAINTEXT":  # a refused login kafka-python tries again until its time is over
        from stream_rec.client.reachable import require_answering  # brings aiokafka, which an app may not need

        require_answering(kafka, BOOTSTRAP_TIMEOUT_MS / 1000)
    expect_closing()
    made: list[KafkaNetClient] = []

    def network(**config: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**config))
        return made[-1]

    patience = {"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS, "reconnect_backoff_max_ms": RECONNECT_MS}
    options = kafka.client_options(KafkaPythonTokens) | patience | {"kafka_client": network} | options
    try:
        return client(**options)
    except (KafkaError, OSError, ValueError) as error:
        for opened in made:  # else its sockets and its thread stay: the constructor leaves them when it fails
            opened.close()
        raise BrokerUnavailable(
            f"no Kafka broker can be used at {kafka.bootstrap} ({type(error).__name__}: {error}); "
            "start one with `stream-rec broker start`, or correct kafka.bootstrap and the security settings"
        ) from error


class KafkaPythonTokens(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """A token source as kafka-python asks for it, from its own thread."""

    def __init__(self, source: TokenSource) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        """Return a token.

        Raises:
            KafkaConnectionError: there is none now. kafka-python tries again then; of a failed login it would not.
        """
        try:
            return self._source.token()
        except StreamRecError as error:
            raise KafkaConnectionError(str(error)) from error


def expect_closing() -> None:
    """Have kafka-python not call it an error that a client is closed while it connects or asks for metadata.

    It does both in its own time, so any closing may meet them.
    """
    for logger in ("kafka.cluster", "kafka.net.connection", "kafka.net.transport"):
        logging.getLogger(logger).addFilter(_is_no_closing)  # the same filter again changes nothing


def _is_no_closing(record: logging.LogRecord) -> bool:
    return not (isinstance(record.args, tuple) and any(map(_means_closing, record.args)))


def _means_closing(value: object) -> bool:
    """Whether an error comes of our own ``close``: a connection that is lost says in its arguments how (3.0.12)."""
    return isinstance(value, Cancelled) or (
        isinstance(value, Exception) and type(value) is KafkaConnectionError and not value.args
    )


class ReadingConsumer(KafkaConsumer):  # type: ignore[misc]  # kafka-python has no types
    """A consumer that says so when it cannot read a codec, and that waits for a broker which just came back."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        """Return the numbers of a topic's partitions: empty where there is no such topic, or none to see.

        A broker that was away, and is not yet part of its cluster again, answers that the cluster has no brokers. That,
        and whatever else passes, is asked again for as long as ``connect`` looks for a broker.

        Raises:
            KafkaError: it did not pass.
        """
        deadline = time.monotonic() + BOOTSTRAP_TIMEOUT_MS / 1000
        while True:
            try:
                numbers: set[int] = super().partitions_for_topic(topic)
            except KafkaError as error:
                if not error.retriable or time.monotonic() > deadline:
                    raise
                time.sleep(ASK_AGAIN_S)
            else:
                return numbers

    def poll(self, *args: Any, **kwargs: Any) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Return the next records, as of ``KafkaConsumer``, and raise what it raises.

        Raises:
            UnreadableRecords: they are compressed with a codec whose library is missing.
        """
        try:
            records: dict[TopicPartition, list[ConsumerRecord]] = super().poll(*args, **kwargs)
        except UnsupportedCodecError as error:
            topics = ", ".join(sorted({tp.topic for tp in self.assignment()}))
            raise UnreadableRecords(
                f"records of {topics} cannot be read: {error}; install stream-rec with all that it depends on (lz4, "
                "python-snappy, zstandard), or have the topic written with another compression.type"
            ) from error
        return records


def reading_consumer(kafka: KafkaSettings, **options: Any) -> ReadingConsumer:
    """Return a connected consumer that belongs to no group, commits nothing and makes no topic.

    Where it is sent to an offset that is not there it goes to the beginning, unless ``options`` say otherwise. It sees
    what transactions have committed: not those that are open, nor what comes after them. Raises what ``connect``
    raises.
    """
    reading: dict[str, Any] = {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }
    return connect(ReadingConsumer, kafka, **reading | options)


def idempotent_producer(kafka: KafkaSettings, *, delivery_timeout_ms: int, **options: Any) -> KafkaProducer:
    """Return a connected producer for bulk: what it sends is there once, in order, whatever is tried again.

    After one failure it sends nothing any more (kafka-python 3.0.12): whoever uses it must end then. Raises what
    ``connect`` raises.
    """
    return connect(
        KafkaProducer,
        kafka,
        acks="all",
        enable_idempotence=True,
        max_in_flight_requests_per_connection=1,
        allow_auto_create_topics=False,
        max_block_ms=5_000,
        request_timeout_ms=delivery_timeout_ms // 2,
        delivery_timeout_ms=delivery_timeout_ms,
        metrics_enabled=False,
        **options,
    )


def settings_of(kafka: KafkaSettings | str) -> KafkaSettings:
    """Return settings for ``host:port,...``, or those given."""
    return KafkaSettings(bootstrap=kafka) if isinstance(kafka, str) else kafka


def absent(kafka: KafkaSettings, topic: str) -> TopicMismatch:
    """Return the error for a topic that is not there, or that this user may not see: the broker tells them alike."""
    if kafka.security_protocol != "PLAINTEXT":
        return TopicMismatch(
            f"there is no topic {topic} at {kafka.bootstrap}, or {kafka.who} lacks permissions on it; "
            "create it with `stream-rec topics create`, or grant what `stream-rec topics acls` prints"
        )
    return TopicMismatch(f"there is no topic {topic} at {kafka.bootstrap}; create it with `stream-rec topics create`")
