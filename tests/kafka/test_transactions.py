"""What another library's transactions have committed counts, and nothing else; their markers are no records."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from kafka import KafkaAdminClient

from stream_rec.cli import cli
from stream_rec.client.connect import connect
from stream_rec.events.interaction import TOPIC_OF_KIND, Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.lag import open_records, unreadable_records
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user import forgotten
from tests.kafka.outcome import assert_same_as_replay, read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

READ_BY_WORKERS = (*TOPIC_OF_KIND.values(), "forget", "item-signals")
KAFKA = quick_settings().kafka


def in_partition(number: int, name: str) -> str:
    """Return a user's id of that partition."""
    return next(u for n in range(1000) if partition_of((u := f"{name}-{n}").encode(), KAFKA.partitions) == number)


ANN, BOB, EVE = in_partition(0, "ann"), in_partition(1, "bob"), in_partition(2, "eve")


def events(user: str, first: int, n: int, kind: Kind = Kind.CLICK) -> list[LoggedEvent]:
    return [
        LoggedEvent(kind, Interaction(f"{user}-{number}", user, f"i{number % 3}", 1_700_000_000_000 + number))
        for number in range(first, first + n)
    ]


class Transactions:
    """librdkafka's transactional producer: one transaction after another. Those that are left open stay so."""

    def __init__(self, kafka: KafkaSettings, name: str) -> None:
        self._kafka = kafka
        self._producer = Producer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "transactional.id": kafka.topic(name),
                "partitioner": "murmur2_random",
            }
        )
        self._producer.init_transactions(20)

    def begin(self, log: list[LoggedEvent], items: list[Item] = ()) -> None:
        """Write, and leave it open."""
        self._producer.begin_transaction()
        for kind, event in log:
            self._send(kind.topic, event.user_id, msgspec.json.encode(event))
        for item in items:
            self._send("items", item.item_id, msgspec.json.encode(item))
        self._producer.flush(20)

    def commit(self) -> None:
        self._producer.commit_transaction(20)

    def abort(self) -> None:
        self._producer.abort_transaction(20)

    def _send(self, topic: str, key: str, value: bytes) -> None:
        self._producer.produce(self._kafka.topic(topic), key=key.encode(), value=value)


def command(running: RunningPipeline, *words: str) -> Result:
    kafka = running.settings.kafka
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    return CliRunner().invoke(cli, [*address, *words])


def unread(running: RunningPipeline) -> dict[str, int]:
    """Return the records that workers have not committed."""
    kafka = running.settings.kafka
    with closing(connect(KafkaAdminClient, kafka)) as client:
        group, topics = kafka.topic(running.settings.worker.app_id), map(kafka.topic, READ_BY_WORKERS)
        return open_records(client, group, list(topics), kafka.partitions)


def waiting(running: RunningPipeline) -> int:
    """Return how many records wait for a transaction to end."""
    kafka = running.settings.kafka
    with closing(connect(KafkaAdminClient, kafka)) as client:
        return sum(unreadable_records(client, list(map(kafka.topic, READ_BY_WORKERS)), kafka.partitions).values())


def notes(running: RunningPipeline) -> list[bytes]:
    """Return the notes of forgotten users that stand in the table."""
    last = {
        record.key: record.value for record in read(running, f"{running.settings.worker.app_id}-user-state-changelog")
    }
    return [key for key, value in last.items() if key.startswith(forgotten.PREFIX) and value is not None]


def test_what_transactions_have_committed_counts_and_nothing_else(bootstrap: str, tmp_path: Path) -> None:
    """Committed, aborted and left open, events and items; export, backfill and forget work after each of them."""
    committed = events(ANN, 0, 12) + events(BOB, 0, 12, Kind.VIEW)
    beside = events(BOB, 100, 6)
    file = tmp_path / "state.snapshot"
    with RunningPipeline(bootstrap, quick_settings()) as running:
        kafka = running.settings.kafka
        first, left_open = Transactions(kafka, "first"), Transactions(kafka, "open")
        first.begin(events(ANN, 500, 5), [Item("i8", title="Aborted")])
        first.abort()
        first.begin(committed, [Item("i0", title="Committed")])
        first.commit()
        first.begin(events(EVE, 600, 5) + events(ANN, 600, 5), [Item("i9", title="Aborted")])
        first.abort()
        wait_until(lambda: not waiting(running))  # its marker too: Kafka writes it later than it says
        left_open.begin(events(EVE, 0, 7))
        with running.producer() as producer:  # nothing is blocked but the partition of the one that is open
            for kind, event in beside:
                producer.send_interaction(kind, event)
        wait_until(lambda: not unread(running))
        wait_until(lambda: set(running.read_compacted("item-embeddings")) == {"i0"})
        assert waiting(running) == 7
        assert_same_as_replay(running, committed + beside)

        running.children["worker-1"].stop()
        refused = command(running, "snapshot", "export", str(file))
        assert refused.exit_code == 1 and f"still open, or after such: 7 of {kafka.topic('clicks')}" in str(
            refused.exception
        )
        running.start_worker()
        left_open.commit()
        log = committed + beside + events(EVE, 0, 7)
        wait_until(lambda: not waiting(running) and not unread(running))
        assert_same_as_replay(running, log)

        history = tmp_path / "history.jsonl"
        more = events(EVE, 200, 30, Kind.PURCHASE)
        history.write_text(
            "".join(
                msgspec.json.encode(msgspec.to_builtins(event) | {"event_type": kind.label}).decode() + "\n"
                for kind, event in more
            )
        )
        filled = command(running, "backfill", "--events", str(history), "--behind", "1")
        assert filled.exit_code == 0, filled.output
        running.wait_until_settled()
        assert_same_as_replay(running, log + more)

        with running.producer() as producer:
            producer.forget(ANN)
        wait_until(lambda: read(running, "receipts"))
        assert ANN not in running.user_states() and len(notes(running)) == 1
        wait_until(lambda: not unread(running))
        neighbour = in_partition(0, "neighbour")
        with running.producer() as producer:
            producer.click(neighbour, "i1")
        wait_until(lambda: neighbour in running.user_states() and not notes(running))

        running.wait_until_settled()
        running.children["worker-1"].stop()
        exported = command(running, "snapshot", "export", str(file))
        assert exported.exit_code == 0, (exported.output, exported.exception)
