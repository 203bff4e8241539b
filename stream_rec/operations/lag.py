"""How far a consumer group is behind, and what topics hold: all of it asked of the broker."""

from __future__ import annotations

from collections.abc import Collection

from kafka import KafkaAdminClient, TopicPartition
from kafka.protocol.consumer import IsolationLevel, OffsetSpec

from stream_rec.client.groups import ask_coordinator


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
    done = committed_offsets(client, group, partitions)
    begins = _offsets(client, [tp for tp in partitions if tp not in done], OffsetSpec.EARLIEST)
    ends = _offsets(client, partitions, OffsetSpec.LATEST, IsolationLevel.READ_COMMITTED)
    return {tp: max(0, ends[tp] - (done[tp] if tp in done else begins[tp])) for tp in partitions}


def committed_offsets(
    client: KafkaAdminClient, group: str, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return the offset that a group reads next of each partition, as far as it has committed one.

    Raises:
        KafkaError: the broker did not say.
    """
    answer = ask_coordinator(lambda: client.list_group_offsets({group: partitions}))[group]
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


def has_committed(client: KafkaAdminClient, group: str) -> bool:
    """Return whether a group of this name has ever committed an offset that is still known.

    Raises:
        KafkaError: the broker did not say.
    """
    answer = ask_coordinator(lambda: client.list_group_offsets({group: None}))[group]
    return any(found.offset >= 0 for found in answer.values())


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
