"""Every client of the runtime gets its address, login and limits from the settings."""

from __future__ import annotations

import asyncio
import ssl

from aiokafka import AIOKafkaConsumer
from faust.types.auth import AuthProtocol

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.clients import new_app, raw_topic
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.sessions import AiokafkaTokens
from stream_rec.runtime.stage_buffer import CAPACITY

SECURED = KafkaSettings(
    bootstrap="one:9093,two:9093",
    topic_prefix="test-",
    security_protocol="SASL_SSL",
    sasl_username="ann",
    sasl_password="secret",
)


def test_faust_logs_in_with_the_password_over_tls(tmp_path):
    """SASL over TLS reaches Faust's clients."""
    credentials = new_app("app", SECURED, instance_id="w1", lease=Lease(15.0)).conf.broker_credentials

    assert (credentials.username, credentials.password) == ("ann", "secret")
    assert str(getattr(credentials.mechanism, "value", credentials.mechanism)) == "SCRAM-SHA-512"
    assert credentials.protocol is AuthProtocol.SASL_SSL
    assert credentials.ssl_context.verify_mode is ssl.CERT_REQUIRED


def test_faust_uses_tls_without_a_password(tmp_path):
    """TLS alone reaches Faust's clients."""
    kafka = KafkaSettings(bootstrap="one:9093", security_protocol="SSL")

    assert (
        new_app("app", kafka, instance_id="w1", lease=Lease(15.0)).conf.broker_credentials.protocol is AuthProtocol.SSL
    )


def test_plain_kafka_has_no_credentials(tmp_path):
    """Without TLS and SASL nothing is sent but the data."""
    kafka = KafkaSettings(bootstrap="one:9092")

    assert new_app("app", kafka, instance_id="w1", lease=Lease(15.0)).conf.broker_credentials is None


def test_every_broker_of_the_bootstrap_is_known(tmp_path):
    """With one broker down the others are asked."""
    app = new_app("app", SECURED, instance_id="w1", lease=Lease(15.0))

    assert [f"{url.host}:{url.port}" for url in app.conf.broker] == ["one:9093", "two:9093"]
    assert app.conf.id == "test-app"


def test_plain_clients_get_the_same_login():
    """What aiokafka and kafka-python have in common: address, protocol, mechanism, name and password."""
    options = SECURED.client_options(AiokafkaTokens)

    assert options["bootstrap_servers"] == ["one:9093", "two:9093"]
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ann", "secret")
    assert isinstance(options["ssl_context"], ssl.SSLContext)


def test_the_instance_url_does_not_depend_on_the_machine(tmp_path):
    """A member that comes back gets its old metadata from the broker: another URL and Faust would never get ready."""
    app = new_app("app", KafkaSettings(bootstrap="one:9092"), instance_id="w7", lease=Lease(15.0))

    assert str(app.conf.canonical_url) == "http://w7:6066"


def test_topics_are_read_as_bytes(tmp_path):
    """Faust's own decoding would lose a bad record, so it gets none to do."""
    app = new_app("app", KafkaSettings(bootstrap="one:9092"), instance_id="w1", lease=Lease(15.0))
    topic = raw_topic(app, "views")

    assert topic.value_serializer == "raw"
    assert topic.key_serializer == "raw"


def test_a_backlog_waits_in_the_broker():
    """What is fetched ahead is bounded, of each partition and before each stage."""
    app = new_app("app", KafkaSettings(bootstrap="one:9092"), instance_id="w1", lease=Lease(15.0))

    async def made() -> AIOKafkaConsumer:
        return app.consumer._thread._create_worker_consumer(app.transport)

    fetching = asyncio.run(made())
    assert fetching._max_partition_fetch_bytes == 131_072
    assert raw_topic(app, "views").queue.maxsize == CAPACITY
