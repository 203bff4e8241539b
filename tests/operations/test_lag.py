"""How far a group is behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing

import aiokafka
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    GroupIdNotFoundError,
    KafkaError,
)
from kafka.structs import OffsetAndMetadata

from stream_rec.client import groups
from stream_rec.client.connect import connect
from stream_rec.client.groups import members
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.lag import has_committed, kept_records, open_by_partition, open_records
from stream_rec.runtime.sessions import AiokafkaTokens


class NewCluster:
    """The edge: an admin client of a cluster that makes its coordinator known at the third question."""

    def __init__(self) -> None:
        self.n_asked = 0

    def describe_groups(self, groups: list[str]) -> dict[str, dict[str, list[dict[str, str]]]]:
        self.n_asked += 1
        if self.n_asked < 3:
            raise CoordinatorNotAvailableError("not yet")
        return {"g": {"members": [{"client_id": "c"}, {"group_instance_id": "b", "client_id": "a"}]}}


def test_a_new_cluster_is_asked_again():
    """Until a group is asked for there is no coordinator of groups; static members are named by their names."""
    client = NewCluster()

    assert (members(client, "g"), client.n_asked) == (["b", "c"], 3)


def test_a_cluster_that_never_answers(monkeypatch: pytest.MonkeyPatch):
    """After a while the error comes out."""
    monkeypatch.setattr(groups, "COORDINATOR_S", 0.0)
    client = NewCluster()
    client.n_asked = -100

    with pytest.raises(CoordinatorNotAvailableError):
        members(client, "g")


class Noted:
    """The edge: kafka-python raises nothing for what a broker says of one group, but notes it."""

    def __init__(self, error: KafkaError | None) -> None:
        self._note = None if error is None else str(error)

    def describe_groups(self, groups: list[str]) -> dict[str, dict[str, object]]:
        return {"g": {"error": self._note, "members": []}}


@pytest.mark.parametrize("error", [GroupAuthorizationFailedError("g"), GroupAuthorizationFailedError()])
def test_who_may_not_see_a_group_is_not_told_that_it_is_empty(error: KafkaError):
    """Else a snapshot would be taken of a pipeline at work."""
    with pytest.raises(GroupAuthorizationFailedError):
        members(Noted(error), "g")


def test_a_coordinator_that_still_loads_is_asked_again(monkeypatch: pytest.MonkeyPatch):
    """It knows of no members yet."""
    monkeypatch.setattr(groups, "COORDINATOR_S", 0.0)
    with pytest.raises(CoordinatorLoadInProgressError):
        members(Noted(CoordinatorLoadInProgressError()), "g")


@pytest.mark.parametrize("error", [GroupIdNotFoundError("g was never there"), None])
def test_in_a_group_that_never_was_there_is_nobody(error: KafkaError | None):
    """Whether the broker says so, as since Kafka 4.0, or describes it as empty."""
    assert members(Noted(error), "g") == []


@pytest.fixture
def client(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    with closing(connect(KafkaAdminClient, kafka)) as made:
        yield made


@pytest.mark.kafka
def test_records_are_open_until_they_are_committed(kafka: KafkaSettings, client: KafkaAdminClient):
    """By partition and by topic; those that retention has taken are not open, where nothing was ever committed."""
    clicks, views = kafka.topic("clicks"), kafka.topic("views")
    producer = connect(KafkaProducer, kafka)
    for number in range(10):
        producer.send(clicks, value=b"", partition=number % 2).get(10)
    producer.close()
    client.delete_records({TopicPartition(clicks, 0): 2})

    assert open_records(client, "g", [clicks, views], 2) == {clicks: 8}
    assert kept_records(client, [clicks, views], 2) == {clicks: 8}
    assert not has_committed(client, kafka.topic("g"))

    client.alter_group_offsets(kafka.topic("g"), {TopicPartition(clicks, 1): OffsetAndMetadata(4, "", -1)})

    assert has_committed(client, kafka.topic("g"))
    assert open_by_partition(client, kafka.topic("g"), [clicks], 2) == {
        TopicPartition(clicks, 0): 3,
        TopicPartition(clicks, 1): 1,
    }


@pytest.mark.kafka
def test_who_is_in_a_group(kafka: KafkaSettings, client: KafkaAdminClient):
    """Nobody in one that never was; a consumer of aiokafka, which Faust's workers are, by its name."""
    group, clicks = kafka.topic("g"), kafka.topic("clicks")

    async def members_of_one() -> list[str]:
        options = kafka.client_options(AiokafkaTokens)
        async with aiokafka.AIOKafkaConsumer(clicks, group_id=group, client_id="me", **options) as one:
            while not one.assignment():
                await one.getmany(timeout_ms=100)
            return await asyncio.to_thread(members, client, group)  # while the consumer's heart goes on beating

    assert members(client, group) == []
    assert asyncio.run(asyncio.wait_for(members_of_one(), 60)) == ["me"]
