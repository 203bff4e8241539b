from __future__ import annotations

import pytest

from stream_rec.broker.jars import LISTED, LISTED_VERSION, LOGGING, kafka_jars, name, resolve
from stream_rec.config import BrokerSettings
from stream_rec.errors import BrokerUnavailable


def test_the_version_that_is_used_is_the_one_that_is_listed():
    """Else every first start would resolve what a list could say."""
    assert BrokerSettings().kafka_version == LISTED_VERSION
    assert LOGGING in LISTED.split()


@pytest.mark.kafka
def test_the_list_is_what_the_poms_ask_for():
    """No jar is missing and none is of another version."""
    pytest.importorskip("jgo")
    wanted = resolve([f"org.apache.kafka:kafka_2.13:{LISTED_VERSION}", LOGGING])

    assert {str(one) for one in name(LISTED.split())} == {str(one) for one in wanted}


@pytest.mark.kafka
def test_half_a_jar_is_fetched_again():
    """A download that was cut off does not break every later start."""
    pytest.importorskip("jgo")
    jar = next(jar for jar in kafka_jars(BrokerSettings().kafka_version) if jar.name.startswith("slf4j-simple"))
    whole = jar.read_bytes()
    jar.write_bytes(whole[:1000])
    try:
        kafka_jars(BrokerSettings().kafka_version)

        assert jar.read_bytes() == whole
    finally:
        jar.write_bytes(whole)  # without network the cache stays as it was


@pytest.mark.kafka
def test_a_version_that_does_not_exist_is_named():
    """A typing error in kafka_version is told apart from a missing network."""
    pytest.importorskip("jgo")
    with pytest.raises(BrokerUnavailable, match=r"jars of Kafka 0\.0\.0 cannot be fetched"):
        kafka_jars("0.0.0")
