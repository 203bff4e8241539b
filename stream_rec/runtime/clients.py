"""Faust apps and aiokafka clients from settings: every client gets its address, login and limits here."""

from __future__ import annotations

import aiokafka
import faust
from faust.types.auth import CredentialsT

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.login_logs import Secret, hide_logins
from stream_rec.runtime.consumer import BeginsAnew, NoTables, install_consumer
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.sessions import AiokafkaTokens, stay_logged_in
from stream_rec.runtime.stage_buffer import CAPACITY

REQUEST_TIMEOUT_S = 30.0
FETCH_BYTES = 131_072
"""Of one partition at a time, kept by the client until it is asked for; a larger record comes alone."""
WEB_PORT = 6066
"""Of the URL by which Faust's members know each other; nothing listens there."""


class App(faust.App):
    """A Faust app that makes no directories: ``app_id-data`` in the working directory would stay empty."""

    def _create_directories(self) -> None:
        """Make none."""


def new_app(
    app_id: str,
    kafka: KafkaSettings,
    *,
    instance_id: str,
    lease: Lease,
    session_timeout_s: float = 15.0,
    commit_interval_s: float = 1.0,
    begins_anew: BeginsAnew = lambda assigned: set(),
) -> faust.App:
    """Return a Faust app set up as our delivery guarantees need it; nothing connects yet.

    Args:
        app_id: Name of the consumer group, without prefix.
        instance_id: Stable name in the group (static membership): a restart gets its partitions back at once.
        lease: Renewed by the app's consumer.
        begins_anew: As of ``install_consumer``.
    """
    app = App(
        kafka.topic(app_id),
        broker=[f"kafka://{address}" for address in kafka.addresses()],
        broker_credentials=_credentials(kafka),
        broker_session_timeout=session_timeout_s,
        broker_heartbeat_interval=session_timeout_s / 5,
        broker_rebalance_timeout=max(REQUEST_TIMEOUT_S, session_timeout_s),
        broker_request_timeout=max(REQUEST_TIMEOUT_S, session_timeout_s),
        broker_commit_interval=commit_interval_s,
        consumer_max_fetch_size=FETCH_BYTES,
        stream_buffer_maxsize=CAPACITY,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance_id,
        # The broker hands a returning member its old metadata; were the URL another, Faust would never get ready.
        canonical_url=f"http://{instance_id}:{WEB_PORT}",
        topic_partitions=kafka.partitions,
        topic_replication_factor=kafka.replication_factor,
        topic_allow_declare=False,
        topic_disable_leader=True,
        producer_request_timeout=REQUEST_TIMEOUT_S,
        agent_supervisor="mode.CrashingSupervisor",
        cython_optimizations=True,
        web_enabled=False,
        web_bind="127.0.0.1",
        autodiscover=False,
        TableManager=NoTables,
    )
    install_consumer(app, lease, begins_anew)
    return app


def raw_topic(app: faust.App, *names: str) -> faust.TopicT:
    """Return topics whose keys and values are bytes as they came. ``value_type=bytes`` alone would decode JSON."""
    return app.topic(*names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def new_producer(kafka: KafkaSettings, lease: Lease) -> aiokafka.AIOKafkaProducer:
    """Return an idempotent producer: in order, once for each send, whatever is retried, and only under a lease."""
    producer = aiokafka.AIOKafkaProducer(
        **kafka.client_options(AiokafkaTokens),
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=262_144,
        request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
    )
    stay_logged_in(producer.client)
    lease.guard(producer.client)
    return producer


def new_reader(kafka: KafkaSettings, *, sees_open: bool = False) -> aiokafka.AIOKafkaConsumer:
    """Return a consumer without group: it is told what to read and commits nothing.

    Args:
        sees_open: Whether it sees what stands in transactions that are open or were aborted.
    """
    reader = aiokafka.AIOKafkaConsumer(
        **kafka.client_options(AiokafkaTokens),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_uncommitted" if sees_open else "read_committed",
        request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
        max_partition_fetch_bytes=4 << 20,
    )
    stay_logged_in(reader._client)
    return reader


def _credentials(kafka: KafkaSettings) -> CredentialsT | None:
    context = kafka.ssl_context()
    hide_logins()
    if kafka.uses_tokens:
        return faust.OAuthCredentials(oauth_cb=AiokafkaTokens(kafka.token_source()), ssl_context=context)
    if kafka.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=Secret(kafka.sasl_password),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None
