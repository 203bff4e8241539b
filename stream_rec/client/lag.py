"""How far a consumer group is behind, whether it is at work, and what topics hold: all of it asked of the broker."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import kafka.errors
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    NotCoordinatorError,
)
from kafka.protocol.consumer import IsolationLevel, OffsetSpec

T = TypeVar("T")

COORDINATOR_S = 15.0
"""How long a cluster may take to make a group's coordinator known."""


def open_records(client: KafkaAdminClient, group: str, topics: Collection[str], n_partitions: int) -> dict[str, int]:
    """Return how many records of each topic the group has not committed yet; topics without any are left out.

    What is committed has been taken a moment ago: a worker commits once in ``worker.commit_interval_s``.

    Args:
        group, topics: Full names, with prefix.

    Raises:
        KafkaError: the broker did not say.
    """
    behind: dict[str, int] = {}
    for tp, n_open in open_by_partition(client, group, topics, n_partitions).items():
        if n_open:
            behind[tp.topic] = behind.get(tp.topic, 0) + n_open
    return behind


def open_by_partition(
    client: KafkaAdminClient, group: str, topics: Collection[str], n_partitions: int
) -> dict[TopicPartition, int]:
    """Return ``open_records`` of every single partition, those without any too.

    What stands in a transaction that is open, and after it, cannot be read yet and is not among them. Raises as
    ``open_records`` does.
    """
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(n_partitions)]
    done = committed(client, group, partitions)
    begins = _offsets(client, [tp for tp in partitions if tp not in done], OffsetSpec.EARLIEST)
    ends = _offsets(client, partitions, OffsetSpec.LATEST, IsolationLevel.READ_COMMITTED)
    return {tp: max(0, ends[tp] - (done[tp] if tp in done else begins[tp])) for tp in partitions}


def committed(client: KafkaAdminClient, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offset that a group reads next of each partition, as far as it has committed one.

    Raises:
        KafkaError: the broker did not say.
    """
    answer = _answered(lambda: client.list_group_offsets({group: partitions}))[group]
    return {tp: found.offset for tp, found in answer.items() if found.offset >= 0}


def unreadable_records(client: KafkaAdminClient, topics: Collection[str], n_partitions: int) -> dict[str, int]:
    """Return how many records of each topic, full name, wait for a transaction to end; topics without any are left out.

    Raises:
        KafkaError: the broker did not say.
    """
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(n_partitions)]
    readable = _offsets(client, partitions, OffsetSpec.LATEST, IsolationLevel.READ_COMMITTED)
    return _between(readable, _offsets(client, partitions, OffsetSpec.LATEST))


def kept_records(client: KafkaAdminClient, topics: Collection[str], n_partitions: int) -> dict[str, int]:
    """Return how many offsets of each topic, full name, are in use; topics without any are left out.

    Raises:
        KafkaError: the broker did not say.
    """
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(n_partitions)]
    begins, ends = (_offsets(client, partitions, spec) for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))
    return _between(begins, ends)


def members(client: KafkaAdminClient, group: str) -> list[str]:
    """Return the names of the processes that are in a group now: what static members are called, else client ids.

    Raises:
        KafkaError: the broker did not say.
    """
    found = _answered(lambda: _described(client, group))
    return sorted(str(member.get("group_instance_id") or member.get("client_id")) for member in found["members"])


def has_committed(client: KafkaAdminClient, group: str) -> bool:
    """Return whether a group of this name has ever committed an offset that is still known.

    Raises:
        KafkaError: the broker did not say.
    """
    answer = _answered(lambda: client.list_group_offsets({group: None}))[group]
    return any(found.offset >= 0 for found in answer.values())


def _described(client: KafkaAdminClient, group: str) -> dict[str, Any]:
    """Return a group as the broker describes it; raise what it says instead, which kafka-python only notes."""
    found = client.describe_groups([group])[group]
    if said := re.match(r"\[Error (-?\d+)\]", found.get("error") or ""):
        error = kafka.errors.for_code(int(said[1]))
        if error is not GroupIdNotFoundError:  # nobody was ever in it
            raise error(found["error"])
    return found


def _answered(ask: Callable[[], T]) -> T:
    """Return what a group's coordinator says, once there is one: a new cluster has none until it is first asked."""
    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            return ask()
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _between(begins: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> dict[str, int]:
    """Return how many offsets lie between of each topic; topics without any are left out."""
    found: dict[str, int] = {}
    for tp, begin in begins.items():
        if ends[tp] > begin:
            found[tp.topic] = found.get(tp.topic, 0) + ends[tp] - begin
    return found


def _offsets(
    client: KafkaAdminClient,
    partitions: list[TopicPartition],
    spec: OffsetSpec,
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
) -> dict[TopicPartition, int]:
    if not partitions:
        return {}
    found = client.list_partition_offsets(dict.fromkeys(partitions, spec), isolation_level=isolation)
    return {tp: at.offset for tp, at in found.items()}
