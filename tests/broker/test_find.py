from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import psutil
import pytest

from stream_rec.broker.data_dir import BrokerState, write_state
from stream_rec.broker.find import find_broker, resolve_bootstrap
from stream_rec.client.reachable import require_answering
from stream_rec.config import BrokerSettings, Settings
from stream_rec.errors import BrokerUnavailable, SettingsError
from stream_rec.kafka_settings import KafkaSettings


def settings(data_dir: Path, bootstrap: str = "") -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap=bootstrap, partitions=7), broker=BrokerSettings(data_dir=str(data_dir))
    )


def remember_a_broker(data_dir: Path, *, created_s: float) -> None:
    write_state(data_dir, BrokerState(kind="local", bootstrap="127.0.0.1:33", pid=os.getpid(), created_s=created_s))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_setting_wins_then_the_variable_then_our_own_broker(tmp_path: Path):
    """What is nearer to the call counts more."""
    remember_a_broker(tmp_path, created_s=psutil.Process().create_time())
    environ = {"KAFKA_BOOTSTRAP": "variable:2"}

    assert resolve_bootstrap(settings(tmp_path, "setting:1"), environ) == "setting:1"
    assert resolve_bootstrap(settings(tmp_path), environ) == "variable:2"
    assert resolve_bootstrap(settings(tmp_path), {}) == "127.0.0.1:33"


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path):
    """Compose files and CI pass on variables that are empty."""
    remember_a_broker(tmp_path, created_s=psutil.Process().create_time())

    assert resolve_bootstrap(settings(tmp_path), {"KAFKA_BOOTSTRAP": ""}) == "127.0.0.1:33"


def test_without_any_broker_the_error_says_how_to_get_one(tmp_path: Path):
    """The message names both remedies, and the directory that was looked at."""
    with pytest.raises(BrokerUnavailable, match="stream-rec broker start`, or set KAFKA_BOOTSTRAP") as caught:
        resolve_bootstrap(settings(tmp_path), {})

    assert str(tmp_path) in str(caught.value)


def test_a_broker_that_has_ended_is_not_used(tmp_path: Path):
    """The file of a broker that was killed does not send anybody to a dead port."""
    remember_a_broker(tmp_path, created_s=1.0)

    with pytest.raises(BrokerUnavailable):
        resolve_bootstrap(settings(tmp_path), {})


def test_connected_fills_in_the_address_and_nothing_else(tmp_path: Path):
    """The settings that come back differ in kafka.bootstrap alone; those that went in are as they were."""
    before = settings(tmp_path)

    after = find_broker(before, {"KAFKA_BOOTSTRAP": "variable:2"})

    assert (after.kafka.bootstrap, after.kafka.partitions) == ("variable:2", 7)
    assert after.broker == before.broker
    assert before.kafka.bootstrap == ""


def test_a_refused_connection_fails_at_once():
    """Where nothing listens there is nothing to wait for."""
    began = time.monotonic()

    with pytest.raises(BrokerUnavailable, match="stream-rec broker start"):
        require_answering(KafkaSettings(bootstrap=f"127.0.0.1:{closed_port()}"))

    assert time.monotonic() - began < 2


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_SSL"])
def test_something_that_is_silent_fails_within_the_limit(protocol: str):
    """A port that takes connections and says nothing costs the limit and not more; 10 s is what the default keeps."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        kafka = KafkaSettings(
            bootstrap=f"127.0.0.1:{silent.getsockname()[1]}", security_protocol=protocol, sasl_password="secret"
        )
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="said nothing that Kafka says") as caught:
            require_answering(kafka, timeout_s=1)
        took_s = time.monotonic() - began

    assert took_s < 2
    assert require_answering.__defaults__[0] + 1 < 10
    assert (protocol in str(caught.value)) == (protocol == "SASL_SSL")
    assert "secret" not in str(caught.value)


def test_each_address_is_tried_and_named():
    """With several brokers the message says what became of each."""
    one, two = closed_port(), closed_port()

    with pytest.raises(BrokerUnavailable) as caught:
        require_answering(KafkaSettings(bootstrap=f"127.0.0.1:{one},127.0.0.1:{two}"))

    assert f"127.0.0.1:{one}:" in str(caught.value)
    assert f"127.0.0.1:{two}:" in str(caught.value)


def test_it_can_be_asked_inside_an_event_loop():
    """A worker asks before it starts, and may have its loop by then."""

    async def main() -> None:
        require_answering(KafkaSettings(bootstrap=f"127.0.0.1:{closed_port()}"))

    with pytest.raises(BrokerUnavailable):
        asyncio.run(main())


def test_an_address_that_is_none_is_a_mistake_in_the_settings():
    """A port that is no number is not a broker that is down."""
    with pytest.raises(SettingsError, match="host:port"):
        require_answering(KafkaSettings(bootstrap="localhost:kafka"))


@pytest.mark.kafka
def test_a_real_broker_answers(bootstrap: str):
    """With a broker there the check returns nothing and raises nothing, also when another address is dead."""
    require_answering(KafkaSettings(bootstrap=f"127.0.0.1:{closed_port()},{bootstrap}"))
