"""What stands on the source topics, as a recording: read in the order in which it came, checked, counted, written.

Who asked to be forgotten is left out, with all that came before the request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from stream_rec.client.reader import TopicReader
from stream_rec.events import validate
from stream_rec.events.source import SOURCE_OF_TOPIC, Source
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.logs.recording import ITEMS, RULES, SOURCE_TOPICS, Recorded, RecordPlace, check_record
from stream_rec.operations.arrival_order import Bound, OrderedReader, Selection


class _Timed(Struct):
    timestamp_ms: int


_TIME = msgspec.json.Decoder(_Timed)


def select(
    topics: Collection[str], begin: Bound = None, end: Bound = None, partitions: Collection[int] = ()
) -> dict[str, Selection]:
    """Return what is to be read: of these topics that range; of none, of all events and profiles.

    With no topic named the catalog comes with the events, whenever it was written and in whichever partition it is:
    without its items there would be nothing to recommend. So do profiles, of all times. Both are compacted: what is
    there is how they are now.
    """
    if topics:
        return dict.fromkeys(topics, Selection(begin, end, partitions))
    of_users = dict.fromkeys(SOURCE_OF_TOPIC, Selection(begin, end, partitions))
    of_users[Source.PROFILE.topic] = Selection(None, end, partitions)
    return dict.fromkeys((ITEMS, RULES), Selection(None, end)) | of_users


class Recorder:
    """Reads a range of the source topics once. For one thread; ``close`` lets go of the connections."""

    def __init__(self, kafka: KafkaSettings, limits: InputLimits, selections: Mapping[str, Selection]) -> None:
        """Find what is to be read, and who asked to be forgotten; raises what ``OrderedReader`` raises.

        Args:
            selections: By topic, without prefix: see ``select``.
        """
        self._limits = limits
        self._reader = OrderedReader(kafka, selections)
        self.n_recorded: Counter[str] = Counter()
        """Records, by topic."""
        self.n_forgotten = 0
        """Records left out because their user was forgotten."""
        try:
            self._forgotten_ms = _find_forgotten(kafka, limits)
        except BaseException:
            self._reader.close()
            raise

    @property
    def n_offsets(self) -> int:
        """How many offsets are to be read."""
        return self._reader.n_offsets

    @property
    def n_passed(self) -> int:
        """How many of them are done."""
        return self._reader.n_passed

    @property
    def n_without_record(self) -> int:
        """How many of them hold no record: compaction or retention took it, or it belongs to a transaction."""
        return self._reader.n_without_record

    def read(self, on_rejected: Callable[[RecordPlace, Rejection], None]) -> Iterator[Recorded]:
        """Yield the records in the order in which they came; those that the pipeline rejects go to ``on_rejected``.

        Raises what ``OrderedReader.read`` raises.
        """
        for record in self._reader.read(self._rank):
            topic = self._reader.topic_of[record.topic]
            place = RecordPlace(topic, record.partition, record.offset, record.timestamp)
            read = check_record(place, record.key, record.value, self._limits)
            if isinstance(read, Rejection):
                on_rejected(place, read)
            elif topic in SOURCE_OF_TOPIC and record.timestamp <= self._forgotten_ms.get(read.key, -1):
                self.n_forgotten += 1
            else:
                self.n_recorded[topic] += 1
                yield read

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()

    def _rank(self, record: ConsumerRecord) -> tuple[int, int]:
        """Return what decides between records of one millisecond: the catalog first, then the time of the event."""
        number = SOURCE_TOPICS.index(self._reader.topic_of[record.topic])
        if self._reader.topic_of[record.topic] not in SOURCE_OF_TOPIC or record.value is None:
            return 0, number
        try:
            return _TIME.decode(record.value).timestamp_ms, number
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # which will be rejected
            return 0, number


def _find_forgotten(kafka: KafkaSettings, limits: InputLimits) -> dict[str, int]:
    """Return, by user, when the last erasure request came."""
    forgotten: dict[str, int] = {}
    with closing(TopicReader(kafka, "forget")) as reader:
        while not reader.is_ready:
            for record in reader.poll(0.2):
                request = validate.forget(record.key, record.value, limits=limits)
                if not isinstance(request, Rejection):
                    forgotten[request.user_id] = record.timestamp
    return forgotten
