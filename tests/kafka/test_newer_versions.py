"""A worker that meets what a newer one wrote ends and says so: it neither guesses nor goes past it."""

from __future__ import annotations

import msgspec
import pytest
from kafka import KafkaProducer

from stream_rec.client.connect import connect
from stream_rec.events.partition import partition_of
from stream_rec.knowledge import signal as signals
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user import state as user_state
from tests.kafka.outcome import open_records, read
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

CHANGELOG = "stream-rec-user-state-changelog"


def of_next_version(version: int) -> bytes:
    """Whatever else it says."""
    return msgspec.msgpack.encode([version + 1, {"all": "is"}, "new"])


def put(running: RunningPipeline, topic: str, key: bytes | None, value: bytes, partition: int) -> int:
    """Write one record by hand; return its offset."""
    producer = connect(KafkaProducer, running.settings.kafka)
    try:
        full_name = running.settings.kafka.topic(topic)
        return producer.send(full_name, key=key, value=value, partition=partition).get(10).offset
    finally:
        producer.close()


def ended_once_more(running: RunningPipeline) -> tuple[int, list[str]]:
    """Start a worker; return its exit code and the lines in which it said what it refused."""
    worker = running.start_worker(wait=False)
    code = worker.process.wait(60)
    lines = worker.log.read_text(errors="replace").splitlines()
    return code, [line for line in lines if " ERROR " in line and "refused_newer_version" in line]


def test_a_user_state_of_a_newer_program_is_left_as_it_is(bootstrap: str) -> None:
    """The worker ends when the user's next event comes, at each start; it writes nothing and commits nothing."""
    newer = of_next_version(user_state.VERSION)
    with RunningPipeline(bootstrap, quick_settings(), workers=0, embedder=False) as running:
        kafka = running.settings.kafka
        partition = partition_of(b"ann", kafka.partitions)
        put(running, CHANGELOG, b"ann", newer, partition)
        with running.producer() as producer:
            producer.click("ann", "teapot")
        codes = [ended_once_more(running) for _ in range(2)]

        assert [code for code, _ in codes] == [1, 1]
        line = codes[0][1][0]
        assert f"{kafka.topic(CHANGELOG)}[{partition}] key='ann'" in line
        assert f"version {user_state.VERSION + 1}, this program reads up to {user_state.VERSION}: update it" in line
        assert [record.value for record in read(running, CHANGELOG) if record.key == b"ann"] == [newer]
        assert open_records(running) == {f"{kafka.topic('clicks')}[{partition}]": 1}
        assert not read(running, "recommendations") and not read(running, "rejected")


def test_signals_of_a_newer_program_are_neither_lost_nor_rejected(bootstrap: str) -> None:
    """A user stage that was updated first sends them. Set aside they would be counted by nobody; so they wait."""
    with RunningPipeline(bootstrap, quick_settings(), workers=0, embedder=False) as running:
        kafka = running.settings.kafka
        place = partition_of(b"teapot", kafka.partitions)
        put(running, "item-signals", None, signals.encode([signals.Signal("teapot", 0, 0, 0)]), place)
        offset = put(running, "item-signals", None, of_next_version(signals.VERSION), place)
        code, lines = ended_once_more(running)

        assert code == 1
        line = lines[0]
        assert f"at={kafka.topic('item-signals')}[{place}]@{offset} " in line
        assert f"version {signals.VERSION + 1}, this program reads up to {signals.VERSION}: update it" in line
        waiting = open_records(running)[f"{kafka.topic('item-signals')}[{place}]"]
        assert waiting in (1, 2)  # the one before it may have come in a batch of its own
        assert not read(running, "rejected")
