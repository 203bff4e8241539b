"""Addresses of brokers: what people write, and what they meant."""

from __future__ import annotations

import pytest

from stream_rec.addresses import EXPECTED, AddressError, addresses
from stream_rec.client import EventProducer
from stream_rec.errors import SettingsError
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.sessions import AiokafkaTokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("localhost:9092", [("localhost", 9092)]),
        ("a.example:1, b_1:65535", [("a.example", 1), ("b_1", 65535)]),
        (" 127.0.0.1:9092 ", [("127.0.0.1", 9092)]),
        ("[::1]:9092,[fe80::1%eth0]:9093", [("::1", 9092), ("fe80::1%eth0", 9093)]),
    ],
)
def test_a_list_is_read_and_written_again(text: str, found: list[tuple[str, int]]):
    """Spaces around commas are forgiven, and an IPv6 address keeps its brackets."""
    assert addresses(text) == found
    assert addresses(",".join(map(str, addresses(text)))) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("host", "'host' has no port"),
        ("host:", "'' is no port"),
        (":9092", "'' is no name of a host"),
        ("host:0", "'0' is no port from 1 to 65535"),
        ("host:-1", "'-1' is no port"),
        ("host:99999", "'99999' is no port"),
        ("host:kafka", "'kafka' is no port"),
        ("host:9092x", "'9092x' is no port"),
        ("host:²", "'²' is no port"),
        ("host: 9092", "' 9092' is no port"),
        ("my host:9092", "'my host' is no name of a host"),
        ("host 9092", "'host 9092' has no port"),
        ("a:1,,b:2", "an address is empty"),
        ("a:1,", "an address is empty"),
        (" ", "an address is empty"),
        ("kafka://host:9092", "leave out 'kafka://'"),
        ("SASL_SSL://host:9092", "leave out 'SASL_SSL://'"),
        ("::1:9092", "goes into brackets"),
        ("fe80::1", "goes into brackets"),
        ("[::1]", "has no port"),
        ("[host]:9092", "'[host]' is no name of a host"),
        ("host:9092/topic", "'9092/topic' is no port"),
        ("user@host:9092", "'user@host' is no name of a host"),
    ],
)
def test_what_is_none_is_told_why(text: str, why: str):
    """What was expected, what came, and which part of it is wrong."""
    with pytest.raises(AddressError) as caught:
        addresses(text)

    assert str(caught.value).startswith(f"{EXPECTED}, came {text!r}: ")
    assert why in str(caught.value)


def test_an_app_is_told_too():
    """The SDK takes an address as it comes, and says at once what is wrong with it."""
    with pytest.raises(SettingsError, match="'99999' is no port"):
        EventProducer("host:99999")


def test_clients_get_clean_addresses():
    """aiokafka and kafka-python read some that are none in a way of their own: a host without a port is no error."""
    options = KafkaSettings(bootstrap="a:1, [::1]:2").client_options(AiokafkaTokens)

    assert options["bootstrap_servers"] == ["a:1", "[::1]:2"]
