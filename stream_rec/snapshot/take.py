"""From the topics to a file: all that a pipeline knows, at one moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from stream_rec import __version__
from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, connect
from stream_rec.client.groups import members
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, NotAtRest
from stream_rec.events.source import TOPIC_OF_SOURCE
from stream_rec.operations.lag import open_records, unreadable_records
from stream_rec.operations.permissions import require_permissions
from stream_rec.snapshot.file import Manifest, Source, Writer
from stream_rec.snapshot.newest import read_newest
from stream_rec.snapshot.sections import ITEM_STATES, SECTIONS, USERS, portable

READ_BY_WORKERS = (*TOPIC_OF_SOURCE.values(), "forget", "item-signals")


def take(
    settings: Settings, path: Path, *, is_live: bool, wait_s: float = 0.0, on_read: Callable[[str, int], None]
) -> Manifest:
    """Write a snapshot of a pipeline to ``path``; return what it holds.

    Args:
        is_live: Take it from a pipeline that is at work, or has open records: what it had not finished may be in one
            part of the snapshot and not in another.
        wait_s: How long to wait for the last workers to be gone. One that was stopped counts as there for
            ``session_timeout_s``: it could come back and go on with its partitions.
        on_read: Called with a section's name and how many records of its topic were read; may raise to stop.

    Raises:
        NotAtRest: workers run, or records are open, and not ``is_live``.
        FileProblem: the file cannot be written.
        NotAllowed: this user lacks permissions.
        BrokerUnavailable, TopicMismatch, StateVersionError: the topics cannot be read.
    """
    kafka, app_id = settings.kafka, settings.worker.app_id
    require_permissions(
        kafka,
        describe=() if is_live else READ_BY_WORKERS,
        read=[topic_of(section, app_id) for section in SECTIONS],
        group=None if is_live else kafka.topic(app_id),
    )
    if not is_live:
        _wait_for_rest(settings, wait_s, on_read)
    writer = Writer(path)
    try:
        for section in SECTIONS:
            make, topic = portable(section, settings.limits), topic_of(section, app_id)
            is_changelog = section in (USERS, ITEM_STATES)

            def read(n_records: int, section: str = section) -> None:
                on_read(section, n_records)

            with read_newest(kafka, topic, make, read, is_changelog=is_changelog) as values:
                writer.write(section, values)
        if not is_live:
            require_rest(settings)  # still
        return writer.finish(
            app_version=__version__,
            created_ms=time.time_ns() // 1_000_000,
            is_live=is_live,
            source=Source(app_id=app_id, topic_prefix=kafka.topic_prefix, partitions=kafka.partitions),
        )
    finally:
        writer.give_up()


def _wait_for_rest(settings: Settings, wait_s: float, on_read: Callable[[str, int], None]) -> None:
    """Return when ``require_rest`` does, and workers may take ``wait_s`` to be gone."""
    group = settings.kafka.topic(settings.worker.app_id)
    deadline = time.monotonic() + wait_s
    try:
        with closing(connect(KafkaAdminClient, settings.kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS)) as client:
            while members(client, group) and time.monotonic() < deadline:
                on_read("nothing until workers are gone", 0)
                time.sleep(0.2)
    except KafkaError as error:
        raise _silent(settings, error) from error
    require_rest(settings)


def topic_of(section: str, app_id: str) -> str:
    """Return the name, without prefix, of the topic that a section is of."""
    return f"{app_id}-{section}-changelog" if section in (USERS, ITEM_STATES) else section


def require_rest(settings: Settings) -> None:
    """Check that no worker runs, and that all that was written has been taken: then the topics agree with each other.

    Raises:
        NotAtRest: that is not so.
        BrokerUnavailable: the broker did not say.
    """
    kafka = settings.kafka
    group = kafka.topic(settings.worker.app_id)
    try:
        with closing(connect(KafkaAdminClient, kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS)) as client:
            running = members(client, group)
            topics = [kafka.topic(name) for name in READ_BY_WORKERS]
            behind = open_records(client, group, topics, kafka.partitions)
            unreadable = unreadable_records(client, topics, kafka.partitions)
    except KafkaError as error:
        raise _silent(settings, error) from error
    if running:
        raise NotAtRest(
            f"{', '.join(running)} of group {group}: at work, or stopped less than session_timeout_s ago; stop all "
            "workers and export again, or give --live for a snapshot whose parts are of different moments"
        )
    if unreadable:
        still = ", ".join(f"{n:,} of {topic}" for topic, n in sorted(unreadable.items()))
        raise NotAtRest(
            f"records in transactions that are still open, or after such: {still}; end those transactions, or wait "
            "until the broker does (transaction.timeout.ms of whoever began them), and export again, or give --live "
            "for a snapshot without them"
        )
    if behind:
        still = ", ".join(f"{n:,} of {topic}" for topic, n in sorted(behind.items()))
        raise NotAtRest(
            f"records that no worker has taken: {still}; have nobody write more, run a worker until they are taken, "
            "stop it and export again, or give --live for a snapshot without them"
        )


def _silent(settings: Settings, error: KafkaError) -> BrokerUnavailable:
    group = settings.kafka.topic(settings.worker.app_id)
    return BrokerUnavailable(f"{settings.kafka.bootstrap} does not say what group {group} does: {error}")
