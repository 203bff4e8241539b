"""From a file to empty topics, before any worker has run there: what is written is all that they begin with."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.producer.future import FutureRecordMetadata

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, connect, idempotent_producer
from stream_rec.client.groups import members
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, DeliveryFailed, NotAtRest, TopicMismatch, TopicsInUse
from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.lag import has_committed, kept_records
from stream_rec.operations.permissions import require_permissions
from stream_rec.snapshot.file import Manifest, Snapshot
from stream_rec.snapshot.sections import ITEM_STATES, KNOWLEDGE, SECTIONS, SINCE_FIRST, owner_of, require_readable
from stream_rec.snapshot.take import topic_of
from stream_rec.topics import admin
from stream_rec.topics.definition import changelogs, load

UNDER_WAY = 2_000
"""Records sent and not acknowledged yet."""
DELIVERY_TIMEOUT_MS = 120_000
AGAIN = "delete them, create them with `stream-rec topics create`, and import again; or use another kafka.topic_prefix"


def check(path: Path, on_read: Callable[[str, int], None]) -> Manifest:
    """Read a whole snapshot; return what it holds if all of it can be used.

    Raises:
        FileProblem: it is damaged.
        StateVersionError: a newer program wrote it, or what is in it.
    """
    with closing(Snapshot(path, SINCE_FIRST)) as snapshot:
        for section in SECTIONS:
            for key, value in snapshot.records(section):
                require_readable(section, key, value)
                on_read(section, 1)
        return snapshot.manifest


def require_empty(settings: Settings) -> None:
    """Check that the topics are as they should be and empty, that no worker has run on them, and that we may write.

    Events may be there: the first worker takes them.

    Raises:
        NotAllowed: this user lacks permissions.
        TopicMismatch: some are missing, or differ.
        TopicsInUse: some are not empty, or workers of this name have read them before.
        NotAtRest: workers run.
        BrokerUnavailable: the broker did not say.
    """
    kafka, group = settings.kafka, settings.kafka.topic(settings.worker.app_id)
    every = [*(topic.name for topic in load()), *(topic.name for topic in changelogs(settings.worker.app_id))]
    require_permissions(kafka, describe=every, describe_configs=every, write=_written_topics(settings), group=group)
    if found := admin.differences(settings):
        raise TopicMismatch("\n".join(["topics are not as needed:", *(f"  {difference}" for difference in found)]))
    topics = [kafka.topic(name) for name in (*_written_topics(settings), "item-signals")]
    try:
        with closing(connect(KafkaAdminClient, kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS)) as client:
            kept, running = kept_records(client, topics, kafka.partitions), members(client, group)
            has_run = has_committed(client, group)
    except KafkaError as error:
        raise BrokerUnavailable(f"{kafka.bootstrap} does not say what its topics hold: {error}") from error
    if running:
        raise NotAtRest(f"{', '.join(running)} of group {group}: at work; an import comes before the first worker")
    if kept:
        full = ", ".join(f"{topic} ({n:,})" for topic, n in sorted(kept.items()))
        raise TopicsInUse(f"topics hold records, and an import needs empty ones: {full}; {AGAIN}")
    if has_run:
        raise TopicsInUse(
            f"group {group} has read topics of this name before and would go on where it was; use another "
            "worker.app_id, or delete the group"
        )


def restore(settings: Settings, path: Path, on_sent: Callable[[str, int], None]) -> dict[str, int]:
    """Write a checked snapshot to topics that are empty; return how many records went to each, named without prefix.

    Args:
        on_sent: Called with a section's name and how many records were sent; may raise to stop. Then the topics hold a
            part, and must be deleted.

    Raises:
        FileProblem: the file is damaged, though it was not when it was checked.
        DeliveryFailed: the broker did not take something.
        NotAtRest: a worker started meanwhile: what it has read is not all.
    """
    kafka = settings.kafka
    sent: Counter[str] = Counter()
    under_way: deque[FutureRecordMetadata] = deque()
    producer = idempotent_producer(
        kafka,
        delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
        linger_ms=20,
        batch_size=256 << 10,
        max_request_size=max(8 << 20, 2 * settings.limits.record_bytes),
    )
    try:
        with closing(Snapshot(path, SINCE_FIRST)) as snapshot:
            for section, topic, key, value in _records(snapshot, settings.worker.app_id):
                partition = partition_of(owner_of(section, key), kafka.partitions)
                under_way.append(producer.send(kafka.topic(topic), key=key, value=value, partition=partition))
                sent[topic] += 1
                on_sent(section, 1)
                while len(under_way) > UNDER_WAY:
                    under_way.popleft().get(timeout=2 * DELIVERY_TIMEOUT_MS / 1000)
        for future in under_way:
            future.get(timeout=2 * DELIVERY_TIMEOUT_MS / 1000)
    except KafkaError as error:
        raise DeliveryFailed(
            f"{kafka.bootstrap} did not take a record ({type(error).__name__}: {error}); the topics hold a part of the "
            f"snapshot: {AGAIN}"
        ) from error
    finally:
        producer.close(timeout=5)
    _require_alone(kafka, sent)
    return dict(sent)


def _records(snapshot: Snapshot, app_id: str) -> Iterator[tuple[str, str, bytes, bytes]]:
    """Yield section, topic, key and value of all that is to be written."""
    for section in SECTIONS:
        topic = topic_of(section, app_id)
        for key, value in snapshot.records(section):
            yield section, topic, key, value
            if section == ITEM_STATES:  # as portable, a state is what the world may know of it
                yield section, KNOWLEDGE, key, value


def _written_topics(settings: Settings) -> list[str]:
    """Return the topics that an import writes, without prefix."""
    return [*(topic_of(section, settings.worker.app_id) for section in SECTIONS), KNOWLEDGE]


def _require_alone(kafka: KafkaSettings, sent: Counter[str]) -> None:
    """Check that the topics hold what was sent and nothing else: a worker claims its changelogs before all else."""
    try:
        with closing(connect(KafkaAdminClient, kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS)) as client:
            kept = kept_records(client, [kafka.topic(name) for name in sent], kafka.partitions)
    except KafkaError as error:
        raise BrokerUnavailable(
            f"{kafka.bootstrap} took all of the snapshot, and then did not say whether others wrote to its topics "
            f"meanwhile ({error}): {AGAIN}"
        ) from error
    if others := [topic for name in sent if kept[topic := kafka.topic(name)] != sent[name]]:
        raise NotAtRest(
            f"others wrote to {', '.join(others)} during the import, perhaps a worker, which then has only a part; "
            f"stop it: the topics of this prefix cannot be used, {AGAIN}"
        )
