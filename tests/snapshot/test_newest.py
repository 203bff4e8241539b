"""What a topic holds in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.errors import BrokerUnavailable, NewerVersion
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations import stall_timeout
from stream_rec.runtime.changelog import OWNER_HEADER, Claim
from stream_rec.snapshot import newest as module
from stream_rec.snapshot.newest import Newest, read_newest
from stream_rec.user import seen

SEEN = seen.key_of(b"a", 0)
A, B = b"owner--a", b"owner--b"


def record(partition: int, key: bytes | None, value: bytes | None, owner: bytes = b"") -> Any:
    fields: dict[str, Any] = dict.fromkeys(ConsumerRecord._fields)
    headers = [(OWNER_HEADER, owner)] if owner else []
    return ConsumerRecord(**fields | {"partition": partition, "key": key, "value": value, "headers": headers})


class FakeReader:
    """The edge: gives a topic's records one by one."""

    records: ClassVar[list[Any]] = []

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self.topic = topic
        self.n_partitions = {topic: 2}
        self.left = list(self.records)
        self.reached = 0

    @property
    def is_ready(self) -> bool:
        return not self.left

    def poll(self, timeout_s: float) -> list[Any]:
        return [self.left.pop(0)]

    def close(self) -> None:
        pass


def held(monkeypatch: pytest.MonkeyPatch, records: list[Any], *, is_changelog: bool) -> dict[bytes, bytes]:
    monkeypatch.setattr(module, "TopicReader", FakeReader)
    monkeypatch.setattr(FakeReader, "records", records)

    def portable(key: bytes, value: bytes) -> bytes | None:
        return None if value == b"useless" else value + b"!"

    with read_newest(KafkaSettings(), "t", portable, lambda n: None, is_changelog=is_changelog) as values:
        return dict(values)


def test_the_last_value_of_each_key(monkeypatch: pytest.MonkeyPatch):
    """As compaction leaves it; a null deletes, what is of no use leaves what was there, without key there is none.

    What stands where its key does not belong was rejected: murmur2 puts "a" and "b" into partition 0 of 2, "d" into 1.
    """
    records = [
        *(record(0, b"a", b"1"), record(0, b"b", b"1"), record(1, b"d", b"1"), record(0, b"a", b"2")),
        *(record(0, b"b", None), record(1, b"d", b"useless"), record(1, None, b"3"), record(1, b"\0x", b"1")),
        *(record(1, b"a", b"3"), record(0, b"d", None)),
    ]

    assert held(monkeypatch, records, is_changelog=False) == {b"a": b"2!", b"d": b"1!"}


def test_late_writes_to_a_changelog_do_not_count(monkeypatch: pytest.MonkeyPatch):
    """What a worker wrote that had lost its partition, claims, and notes are no states; each partition by itself."""
    claim_a, claim_b = Claim(1, A), Claim(2, B)
    records = [
        *(record(0, claim_a.key, claim_a.value, A), record(0, b"a", b"1", A), record(0, claim_b.key, claim_b.value, B)),
        *(record(0, b"a", b"late", A), record(0, b"b", b"1", B), record(0, b"\0gone\0x", b"1", B)),
        *(record(0, SEEN, b"1", B), record(0, seen.key_of(b"a", 1), b"1", B), record(0, seen.key_of(b"a", 1), None, B)),
        *(record(1, b"c", b"imported"), record(1, claim_a.key, claim_a.value, A), record(1, b"d", b"1", A)),
    ]

    assert held(monkeypatch, records, is_changelog=True) == {
        **{b"a": b"1!", b"b": b"1!", b"c": b"imported!", b"d": b"1!"},
        SEEN: b"1!",
    }


def test_a_state_that_cannot_be_read_says_where_it_stands(monkeypatch: pytest.MonkeyPatch):
    """Which of millions it is."""
    monkeypatch.setattr(module, "TopicReader", FakeReader)
    monkeypatch.setattr(FakeReader, "records", [record(3, b"ann", b"1")])

    def portable(key: bytes, value: bytes) -> bytes | None:
        raise NewerVersion("user state has version 99")

    with (
        pytest.raises(NewerVersion, match=r"\[3\]@None, key 'ann': user state has version 99"),
        read_newest(KafkaSettings(), "t", portable, lambda n: None, is_changelog=True),
    ):
        pass


def test_a_topic_that_goes_silent(monkeypatch: pytest.MonkeyPatch):
    """Reading fails instead of taking a part for the whole."""
    monkeypatch.setattr(stall_timeout, "STALL_TIMEOUT_S", 0.0)
    monkeypatch.setattr(FakeReader, "poll", lambda self, timeout_s: [])

    with pytest.raises(BrokerUnavailable, match="stalled for 0 s before its end"):
        held(monkeypatch, [record(0, b"a", b"1")], is_changelog=False)


def test_what_was_aborted_is_no_stall(monkeypatch: pytest.MonkeyPatch):
    """However long nothing comes of it: the position goes on."""
    monkeypatch.setattr(stall_timeout, "STALL_TIMEOUT_S", 0.0)

    def poll(self: FakeReader, timeout_s: float) -> list[Any]:
        self.reached += 1
        return [self.left.pop()] if self.reached == 5 else []

    monkeypatch.setattr(FakeReader, "poll", poll)

    assert held(monkeypatch, [record(0, b"a", b"1")], is_changelog=True) == {b"a": b"1!"}


def test_more_than_fits_in_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Values are on the disk; they come out in the order of keys."""
    monkeypatch.setattr(module, "BATCH_BYTES", 50)
    values = Newest(tmp_path / "db")
    for number in range(100):
        values.put(b"%03d" % (number * 7 % 100), b"value")
    values.put(b"050", None)

    assert [key for key, _ in values] == [b"%03d" % number for number in range(100) if number != 50]
    values.close()
