from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from stream_rec.broker.data_dir import read_state
from stream_rec.broker.docker import container_environment, remove_volume, start_docker
from stream_rec.broker.find import resolve_bootstrap
from stream_rec.broker.lifecycle import broker_status, start_broker, stop_broker
from stream_rec.client.reachable import answers
from stream_rec.config import BrokerSettings, Settings, load
from stream_rec.errors import BrokerUnavailable


def test_clients_are_sent_to_the_host_port_and_the_broker_to_itself():
    """The address for clients means another machine inside the container, so the broker has one of its own."""
    environment = container_environment(BrokerSettings(heap_mb=300), port=5555)

    assert environment["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:5555,INTERNAL://localhost:9094"
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] == "INTERNAL"
    assert environment["KAFKA_HEAP_OPTS"] == "-Xms256m -Xmx300m"


def test_without_an_engine_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine without Docker gets the remedies, and no broker.json."""
    pytest.importorskip("testcontainers")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    with pytest.raises(BrokerUnavailable, match=r"start Docker, or Podman.*leave out --docker"):
        start_docker(BrokerSettings(), tmp_path)

    assert read_state(tmp_path) is None


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """testcontainers comes with the same extra as the local broker."""
    monkeypatch.setitem(sys.modules, "testcontainers.core.docker_client", None)

    with pytest.raises(BrokerUnavailable, match=r"stream-rec\[broker\]"):
        start_docker(BrokerSettings(), tmp_path)


@pytest.mark.container
def test_an_image_that_does_not_exist_is_named(tmp_path: Path):
    """The error names the image and the setting, and nothing stays."""
    with pytest.raises(BrokerUnavailable, match=r"localhost/stream-rec-none:4\.1\.0.*\[broker\] image"):
        start_docker(BrokerSettings(image="localhost/stream-rec-none"), tmp_path)

    assert read_state(tmp_path) is None


@pytest.mark.container
def test_a_broker_in_a_container_keeps_its_records_over_a_restart(tmp_path: Path):
    """Started, found, written to, stopped and started again: the same address, and the record is still there."""
    settings = Settings(broker=BrokerSettings(data_dir=str(tmp_path), image=load().broker.image, preferred_port=0))
    try:
        started = start_broker(settings, {}, docker=True)
        bootstrap = started.bootstrap
        assert (started.kind, started.is_new) == ("docker", True)
        assert resolve_bootstrap(settings, {}) == bootstrap
        assert not start_broker(settings, {}).is_new
        with socket.socket() as everywhere, pytest.raises(OSError, match="in use"):
            everywhere.bind(("127.0.0.1", int(bootstrap.rpartition(":")[2])))

        write_in_a_transaction(bootstrap, b"survives")

        stop_broker(settings.broker)
        assert not answers(bootstrap, timeout_s=2)
        assert not broker_status(settings, {}).running
        assert stop_broker(settings.broker) is None

        assert start_broker(settings, {}, docker=True).bootstrap == bootstrap
        assert read_one(bootstrap) == b"survives"
    finally:
        stop_broker(settings.broker)
        remove_volume(tmp_path)


@pytest.mark.container
def test_a_container_that_ends_is_told_with_its_log(tmp_path: Path):
    """Java that refuses its options ends the container; the message has its last words, and the container is gone."""
    from testcontainers.core.docker_client import DockerClient

    settings = BrokerSettings(data_dir=str(tmp_path), image=load().broker.image, heap_mb=99_999_999)
    before = {container.id for container in DockerClient().client.containers.list(all=True)}
    try:
        with pytest.raises(BrokerUnavailable, match=r"(?s)ended while it started.*(heap|memory)"):
            start_docker(settings, tmp_path)
    finally:
        remove_volume(tmp_path)

    assert read_state(tmp_path) is None
    assert {container.id for container in DockerClient().client.containers.list(all=True)} == before


@pytest.mark.container
def test_a_test_session_can_have_a_container():
    """The context manager gives a container's address, and it is gone afterwards."""
    from stream_rec.testing.broker import kafka_broker

    with kafka_broker(docker=True) as bootstrap:
        assert answers(bootstrap, timeout_s=8)

    assert not answers(bootstrap, timeout_s=2)


def write_in_a_transaction(bootstrap: str, value: bytes) -> None:
    """A transaction ends only if the broker reaches itself."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id="test")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send("kept", value)
    producer.commit_transaction()
    producer.close()


def read_one(bootstrap: str) -> bytes:
    consumer = KafkaConsumer(
        "kept",
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        consumer_timeout_ms=20_000,
    )
    try:
        return next(consumer).value
    finally:
        consumer.close()
