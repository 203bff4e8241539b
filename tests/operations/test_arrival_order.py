"""Ranges of partitions, merged: what `record` reads, without a broker."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from stream_rec.errors import BrokerUnavailable, OffsetsOutOfRange, TopicMismatch
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations import arrival_order
from stream_rec.operations.arrival_order import Offset, OrderedReader, Selection, Time

KAFKA = KafkaSettings(bootstrap="broker:9092", topic_prefix="p-", partitions=2)


class Record:
    """What is read of a ``ConsumerRecord``."""

    def __init__(self, topic: str, partition: int, offset: int, timestamp: int) -> None:
        self.topic, self.partition, self.offset, self.timestamp = topic, partition, offset, timestamp

    def __repr__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Consumer:
    """A broker's partitions, of which one poll brings a few records."""

    def __init__(self, records: Iterable[Record], *, first: int = 0, at_once: int = 2) -> None:
        self.records: dict[TopicPartition, list[Record]] = {}
        for record in records:
            self.records.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
        self.first, self.at_once = first, at_once
        self.positions: dict[TopicPartition, int] = {}
        self.is_silent = False

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {tp.partition for tp in self.records if tp.topic == topic}

    def beginning_offsets(self, partitions, timeout_ms):
        return dict.fromkeys(partitions, self.first)

    def end_offsets(self, partitions, timeout_ms):
        return {tp: self.records[tp][-1].offset + 1 for tp in partitions}

    def offsets_for_times(self, times):
        found = {tp: [r for r in self.records[tp] if r.timestamp >= ms] for tp, ms in times.items()}
        return {tp: later[0] if later else None for tp, later in found.items()}

    def assign(self, partitions) -> None:
        self.positions = dict.fromkeys(partitions, 0)

    def seek(self, tp, offset) -> None:
        self.positions[tp] = offset

    def position(self, tp, timeout_ms) -> int:
        return self.positions[tp]

    def poll(self, timeout_ms):
        polled = {}
        for tp in self.positions:
            taken = [] if self.is_silent else [r for r in self.records[tp] if r.offset >= self.positions[tp]]
            taken = taken[: self.at_once]
            if taken:
                polled[tp] = taken
                self.positions[tp] = taken[-1].offset + 1
        return polled

    def close(self) -> None:
        pass


def open_reader(monkeypatch: pytest.MonkeyPatch, consumer: Consumer, **selections: Selection) -> OrderedReader:
    monkeypatch.setattr(arrival_order, "reading_consumer", lambda kafka, **options: consumer)
    return OrderedReader(KAFKA, selections)


def of(topic: str, partition: int, *times: int) -> list[Record]:
    return [Record(f"p-{topic}", partition, offset, time) for offset, time in enumerate(times)]


def read(reader: OrderedReader, rank=lambda record: (0,)) -> list[str]:
    return [repr(record).removeprefix("p-") for record in reader.read(rank)]


def test_the_oldest_record_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Across topics and partitions, however few records one poll brings."""
    records = [*of("views", 0, 1, 4, 5), *of("views", 1, 2, 3, 9), *of("items", 0, 0, 6)]
    reader = open_reader(monkeypatch, Consumer(records, at_once=1), views=Selection(), items=Selection())

    assert read(reader) == [
        *("items[0]@0", "views[0]@0", "views[1]@0", "views[1]@1", "views[0]@1", "views[0]@2", "items[0]@1"),
        "views[1]@2",
    ]
    assert (reader.n_offsets, reader.n_passed, reader.n_without_record) == (8, 8, 0)


def test_a_clock_that_was_set_back_changes_no_partitions_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came behind stays behind, at the time of the record before it."""
    records = [*of("views", 0, 10, 2, 11), *of("views", 1, 5, 10)]
    reader = open_reader(monkeypatch, Consumer(records), views=Selection())

    assert read(reader) == ["views[1]@0", "views[0]@0", "views[0]@1", "views[1]@1", "views[0]@2"]


def test_of_one_millisecond_the_rank_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the name, so that it is the same each time."""
    records = [*of("views", 0, 7), *of("items", 0, 7), *of("clicks", 0, 7)]
    selections = {"views": Selection(), "items": Selection(), "clicks": Selection()}
    reader = open_reader(monkeypatch, Consumer(records), **selections)

    assert read(reader, lambda r: (r.topic != "p-items",)) == ["items[0]@0", "clicks[0]@0", "views[0]@0"]


def test_offsets_without_a_record_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between records, and at the end of a range."""
    records = [Record("p-items", 0, offset, offset) for offset in (2, 3, 7, 9)]
    reader = open_reader(monkeypatch, Consumer(records), items=Selection(end=Offset(9)))

    assert read(reader) == ["items[0]@2", "items[0]@3", "items[0]@7"]
    assert (reader.n_offsets, reader.n_passed, reader.n_without_record) == (9, 9, 6)


def test_bounds_are_those_of_each_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """By offset and by time: the first is read, the last is not."""
    records = [*of("views", 0, 1, 2, 3, 4), *of("views", 1, 2, 4), *of("items", 0, 1, 2)]
    by_time = Selection(begin=Time(2), end=Time(4))
    reader = open_reader(monkeypatch, Consumer(records), views=by_time, items=Selection())
    assert read(reader) == ["items[0]@0", "items[0]@1", "views[0]@1", "views[1]@0", "views[0]@2"]

    by_offset = Selection(begin=Offset(1), end=Offset(3), partitions=[0])
    reader = open_reader(monkeypatch, Consumer(records), views=by_offset)
    assert read(reader) == ["views[0]@1", "views[0]@2"]


def test_a_time_after_the_last_record_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no error: nothing has come since."""
    reader = open_reader(monkeypatch, Consumer(of("views", 0, 1, 2)), views=Selection(begin=Time(9)))

    assert (read(reader), reader.n_offsets) == ([], 0)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(begin=Offset(2)), r"p-views\[0\] begins at 5: retention has taken what was before"),
        (Selection(end=Offset(9)), r"p-views\[0\] ends before 8"),
        (Selection(partitions=[0, 3]), "p-views has no partition 3: it has 1, counted from 0"),
    ],
)
def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, selection: Selection, said: str) -> None:
    """With what there is."""
    consumer = Consumer([Record("p-views", 0, offset, 1) for offset in (5, 6, 7)], first=5)

    with pytest.raises(OffsetsOutOfRange, match=said):
        open_reader(monkeypatch, consumer, views=selection)


def test_a_topic_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is an error; a broker that does not say what it holds is another."""
    with pytest.raises(TopicMismatch, match="p-clicks"):
        open_reader(monkeypatch, Consumer(of("views", 0, 1)), clicks=Selection())

    consumer = Consumer(of("views", 0, 1))
    monkeypatch.setattr(consumer, "end_offsets", lambda *_, **__: (_ for _ in ()).throw(KafkaError("gone")))
    with pytest.raises(BrokerUnavailable, match="gone"):
        open_reader(monkeypatch, consumer, views=Selection())


def test_a_broker_that_falls_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the place that was not read."""
    consumer = Consumer(of("views", 0, 1, 2, 3), at_once=1)
    reader = open_reader(monkeypatch, consumer, views=Selection())
    records = reader.read(lambda record: (0,))
    next(records)
    consumer.is_silent = True
    monkeypatch.setattr(arrival_order, "READ_TIMEOUT_S", 0.0)

    with pytest.raises(BrokerUnavailable, match=r"p-views\[0\]@1 was not read"):
        next(records)
