"""The topic follower: when the past counts as read, and what of it comes from the mirror."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime import topic_follower as module
from stream_rec.runtime.mirror import Mirror
from stream_rec.runtime.topic_follower import TopicFollower
from tests.runtime.test_mirror import record

ITEMS = TopicPartition("items", 0)
IDS = {"items": "id"}
KAFKA = KafkaSettings(bootstrap="nowhere:1", partitions=2)


class Consumer:
    """The edge: each poll leads a step on and brings no record, as what a transaction has aborted."""

    def __init__(self, positions: list[int]) -> None:
        self._positions = positions
        self.n_polls = 0

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[min(self.n_polls, len(self._positions) - 1)]

    def highwater(self, tp: TopicPartition) -> int:
        return self._positions[-1]

    async def getmany(self, **_: int) -> dict:
        self.n_polls += 1
        return {}


async def caught_up(positions: list[int], end: int) -> int:
    """Return how many polls it took."""
    following = TopicFollower(KafkaSettings(), ["items"], lambda record: None)
    following._consumer = Consumer(positions)
    await asyncio.wait_for(following._catch_up({ITEMS: end}), 10.0)
    return following._consumer.n_polls


def test_what_was_aborted_is_read_past():
    """Many polls without a record are no end as long as they lead on."""
    assert asyncio.run(caught_up(list(range(0, 1000, 100)), end=900)) == 9


def test_an_end_that_is_never_reached_is_given_up():
    """Compaction may have taken the last records, and a client may stand before them."""
    assert asyncio.run(caught_up([0, 100], end=900)) == 1 + module.QUIET_POLLS + 1


class FakeReader:
    """The edge: a consumer of one topic with two partitions, whose log may begin late."""

    def __init__(self, log: list[ConsumerRecord]) -> None:
        self.log = log
        self.begins: dict[TopicPartition, int] = {}
        self.positions: dict[TopicPartition, int] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0, 1}

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, 0)

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.begins.get(tp, 0) for tp in partitions}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        ends = dict.fromkeys(partitions, 0)
        for one in self.log:
            ends[TopicPartition(one.topic, one.partition)] = one.offset + 1
        return ends

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.positions[tp]

    def highwater(self, tp: TopicPartition) -> int:
        return 0

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        found = defaultdict(list)
        for one in self.log:
            tp = TopicPartition(one.topic, one.partition)
            if one.offset >= self.positions[tp]:
                found[tp].append(one)
                self.positions[tp] = one.offset + 1
        await asyncio.sleep(0.001)
        return found


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    """What the follower reads from: three records of two partitions."""
    fake = FakeReader([record(0, b"a", b"1"), record(1, b"b", b"2"), record(0, b"c", b"3", partition=1)])
    monkeypatch.setattr(module, "new_reader", lambda kafka: fake)
    return fake


def started(folder: Path, ids: dict[str, str] = IDS) -> list[tuple[int, int, bytes]]:
    """Start a follower with its mirror, stop it, and return what was taken, as (partition, offset, value)."""
    taken: list[ConsumerRecord] = []

    async def run() -> None:
        follower = TopicFollower(KAFKA, ["items"], taken.append, Mirror(folder, ids))
        await follower.start()
        await follower.stop()

    asyncio.run(run())
    return [(one.partition, one.offset, one.value) for one in taken]


def test_a_second_start_takes_the_mirror_and_then_only_what_came_since(reader: FakeReader, tmp_path: Path) -> None:
    """What was overwritten meanwhile is taken twice, the newest last."""
    assert started(tmp_path / "m") == [(0, 0, b"1"), (0, 1, b"2"), (1, 0, b"3")]

    reader.log = [record(5, b"a", b"9"), record(1, b"d", b"4", partition=1)]  # the topic is compacted
    assert started(tmp_path / "m") == [(0, 0, b"1"), (0, 1, b"2"), (1, 0, b"3"), (0, 5, b"9"), (1, 1, b"4")]

    reader.log = [record(5, b"a", b"9"), record(1, b"d", b"4", partition=1)]
    assert started(tmp_path / "m") == [(0, 1, b"2"), (0, 5, b"9"), (1, 0, b"3"), (1, 1, b"4")]


def test_a_log_that_begins_behind_the_mirror_is_read_from_its_beginning(
    reader: FakeReader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody deleted records: what they said of a key the mirror never heard."""
    started(tmp_path / "m")
    reader.log = [record(8, b"a", b"9")]
    reader.begins = {TopicPartition("items", 0): 8}

    assert started(tmp_path / "m") == [(0, 8, b"9")]
    assert "removed_mirror" in caplog.text


def test_a_mirror_that_cannot_be_read_to_its_end_is_made_anew(
    reader: FakeReader, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the topics comes then, and the newest record of a key counts."""
    started(tmp_path / "m")

    def torn(self: Mirror):
        yield record(0, b"a", b"1")
        raise OSError("block checksum mismatch")

    monkeypatch.setattr(Mirror, "records", torn)
    assert started(tmp_path / "m") == [(0, 0, b"1"), (0, 0, b"1"), (0, 1, b"2"), (1, 0, b"3")]
    assert "block checksum mismatch" in caplog.text
