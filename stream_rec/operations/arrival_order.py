"""Records of many partitions in the order in which they came, by the broker's clock: a range of each, read once.

Kafka keeps an order within a partition and none between them. Here the partition whose next record is the oldest goes
first. Of records of one millisecond those of the catalog go first, then by the time of the event, as a user's records
of one moment are most often meant; a partition's own order always stands.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, absent, reading_consumer
from stream_rec.errors import BrokerUnavailable, OffsetsOutOfRange
from stream_rec.kafka_settings import KafkaSettings

READ_TIMEOUT_S = 30.0
"""How long the broker may take for the next records of a partition."""
BUFFER_BYTES = 64 << 20
"""Of records read ahead, of all partitions together, but for single batches that are larger than their share."""
LEAST_FETCH_BYTES, MOST_FETCH_BYTES = 32 << 10, 1 << 20


class Offset(NamedTuple):
    """Where a range begins or ends: at a number, in each partition."""

    number: int


class Time(NamedTuple):
    """Where a range begins or ends: at the first record that came then or later."""

    ms: int


Bound = Offset | Time | None
"""None is the first or the last record that is there."""


class Selection(NamedTuple):
    """What is read of one topic."""

    begin: Bound = None
    """Of each partition, inclusive."""
    end: Bound = None
    """Of each partition, exclusive."""
    partitions: Collection[int] = ()
    """Numbers of those that are read; none for all."""


Rank = Callable[[ConsumerRecord], tuple[int, ...]]


class OrderedReader:
    """Reads ranges of partitions, merged by time. For one thread; ``close`` lets go of the connections."""

    def __init__(self, kafka: KafkaSettings, selections: Mapping[str, Selection]) -> None:
        """Connect and find what is to be read: up to what is there now, whatever comes meanwhile.

        Args:
            selections: By topic, without prefix.

        Raises:
            BrokerUnavailable: no broker answered.
            LoginRefused: one did, and the login or its certificate is wrong.
            OffsetsOutOfRange: a partition does not have such offsets, or has them no more; or there is no such one.
            SettingsError: an address is none, or a certificate file cannot be read.
            TopicMismatch: there is no such topic, or this user may not read it.
        """
        self._kafka = kafka
        self.topic_of = {kafka.topic(topic): topic for topic in selections}
        share = BUFFER_BYTES // (len(self.topic_of) * kafka.partitions)
        fetch_bytes = min(MOST_FETCH_BYTES, max(LEAST_FETCH_BYTES, share))
        self._consumer = reading_consumer(kafka, max_poll_records=500, max_partition_fetch_bytes=fetch_bytes)
        try:
            self.ranges: dict[TopicPartition, range] = {}
            """By partition, the offsets that are to be read."""
            for topic, selection in selections.items():
                self.ranges |= self._find_ranges(kafka.topic(topic), selection)
            self._open = {tp: range_.start for tp, range_ in self.ranges.items() if range_}
            """Where each partition is read next that has not been read to the end of its range."""
        except BaseException as error:
            self._consumer.close()
            if isinstance(error, TopicAuthorizationFailedError):
                raise absent(kafka, ", ".join(self.topic_of)) from error
            if isinstance(error, KafkaError):
                raise BrokerUnavailable(f"{kafka.bootstrap} does not say what its topics hold: {error}") from error
            raise
        self.n_passed = 0
        """Offsets that are done, whether they held a record or not."""
        self.n_without_record = 0
        """Offsets among them that hold no record: compaction or retention took it, or it belongs to a transaction."""

    @property
    def n_offsets(self) -> int:
        """How many offsets are to be read."""
        return sum(map(len, self.ranges.values()))

    def read(self, rank: Rank) -> Iterator[ConsumerRecord]:
        """Yield the records, in order.

        Args:
            rank: What decides between records of one millisecond.

        Raises:
            BrokerUnavailable: the broker did not answer for ``READ_TIMEOUT_S``.
            TopicMismatch: this user may not read a topic any more.
            UnreadableRecords: records are compressed with a codec whose library is missing.
        """
        ahead: dict[TopicPartition, deque[ConsumerRecord]] = {tp: deque() for tp in self._open}
        heads: list[tuple[int, tuple[int, ...], str, int]] = []
        newest_ms: dict[TopicPartition, int] = {}
        waiting = set(ahead)
        while True:
            self._fill(ahead, waiting)
            for tp in waiting:
                if ahead[tp]:
                    record = ahead[tp][0]
                    # A clock that was set back does not change a partition's own order.
                    newest_ms[tp] = max(newest_ms.get(tp, 0), record.timestamp)
                    heapq.heappush(heads, (newest_ms[tp], rank(record), tp.topic, tp.partition))
            if not heads:
                return
            _, _, topic, partition = heapq.heappop(heads)
            waiting = {TopicPartition(topic, partition)}
            yield ahead[TopicPartition(topic, partition)].popleft()

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _fill(self, ahead: Mapping[TopicPartition, deque[ConsumerRecord]], waiting: Collection[TopicPartition]) -> None:
        """Read on until each of some partitions has a record ahead, or has been read to the end of its range."""
        empty = {tp for tp in waiting if not ahead[tp] and tp in self._open}
        if not empty:
            return
        heard_s = time.monotonic()
        asked: set[TopicPartition] = set()
        while empty:
            # Not by pausing the others: kafka-python 3.0.12 keeps back what it has fetched of one that was paused.
            if asked != empty:
                asked = set(empty)
                self._consumer.assign(sorted(asked))
                for tp in asked:
                    self._consumer.seek(tp, self._open[tp])
            for tp, records in self._consumer.poll(200).items():
                self._take(tp, records, ahead[tp])
            for tp in asked:
                self._pass(tp, self._consumer.position(tp, timeout_ms=1000))
            empty = {tp for tp in empty if not ahead[tp] and tp in self._open}
            if empty != asked:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > READ_TIMEOUT_S:
                named = ", ".join(f"{tp.topic}[{tp.partition}]@{self._open[tp]}" for tp in sorted(empty)[:3])
                raise BrokerUnavailable(f"{named} was not read within {READ_TIMEOUT_S:g} s; see that the broker is up")

    def _take(self, tp: TopicPartition, records: Iterable[ConsumerRecord], ahead: deque[ConsumerRecord]) -> None:
        for record in records:
            if tp in self._open and record.offset < self.ranges[tp].stop:
                self._pass(tp, record.offset)
                ahead.append(record)
                self._count(tp, record.offset + 1, n_records=1)

    def _pass(self, tp: TopicPartition, position: int | None) -> None:
        """Note that all before an offset has been read: what brought no record holds none."""
        if tp in self._open and position is not None:
            self._count(tp, min(position, self.ranges[tp].stop), n_records=0)

    def _count(self, tp: TopicPartition, position: int, *, n_records: int) -> None:
        n_offsets = max(0, position - self._open[tp])
        self.n_passed += n_offsets
        self.n_without_record += max(0, n_offsets - n_records)
        self._open[tp] += n_offsets
        if self._open[tp] >= self.ranges[tp].stop:
            del self._open[tp]

    def _find_ranges(self, topic: str, selection: Selection) -> dict[TopicPartition, range]:
        there = sorted(self._consumer.partitions_for_topic(topic) or ())
        if not there:
            raise absent(self._kafka, topic)
        if strange := sorted(set(selection.partitions) - set(there)):
            raise OffsetsOutOfRange(
                f"{topic} has no partition {', '.join(map(str, strange))}: it has {len(there)}, counted from 0"
            )
        partitions = [TopicPartition(topic, number) for number in selection.partitions or there]
        first = self._consumer.beginning_offsets(partitions, timeout_ms=BOOTSTRAP_TIMEOUT_MS)
        last = self._consumer.end_offsets(partitions, timeout_ms=BOOTSTRAP_TIMEOUT_MS)
        starts, stops = first, last
        if selection.begin is not None:
            starts = self._find_offsets(selection.begin, partitions, first, last)
        if selection.end is not None:
            stops = self._find_offsets(selection.end, partitions, first, last)
        return {tp: range(starts[tp], max(starts[tp], stops[tp])) for tp in partitions}

    def _find_offsets(
        self,
        bound: Offset | Time,
        partitions: list[TopicPartition],
        first: Mapping[TopicPartition, int],
        last: Mapping[TopicPartition, int],
    ) -> Mapping[TopicPartition, int]:
        if isinstance(bound, Time):
            found = self._consumer.offsets_for_times(dict.fromkeys(partitions, bound.ms))
            return {tp: last[tp] if found.get(tp) is None else found[tp].offset for tp in partitions}
        wrong = [
            f"{tp.topic}[{tp.partition}] "
            + (f"begins at {first[tp]}: retention has taken what was before" if bound.number < first[tp] else "")
            + (f"ends before {last[tp]}" if bound.number > last[tp] else "")
            for tp in partitions
            if not first[tp] <= bound.number <= last[tp]
        ]
        if wrong:
            raise OffsetsOutOfRange(
                f"offset {bound.number} is not there in {len(wrong)} of {len(partitions)} partitions: "
                f"{'; '.join(wrong[:3])}; give one that is, a time, or the partitions that have it"
            )
        return dict.fromkeys(partitions, bound.number)
