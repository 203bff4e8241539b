"""What stands on ``rejected``: each rejection once, with where its record stood, and which were sent again.

A rejection that was sent again stands on ``rejected`` twice: the second time with the header ``replayed-to``. The
origin is the same, so to other readers it is the repeat that they have to expect anyway.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from stream_rec.client.reader import TopicReader
from stream_rec.events.rejected import Origin, Rejected
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.stall_timeout import StallTimeout

REPLAYED_TO = "replayed-to"
"""Header of the second record of a rejection on ``rejected``: where its record was sent again, as an origin."""
REMEMBERED = 100_000
"""A repeat is known as one if it comes within so many rejections; those of a crash come within a batch or two."""


class DeadLetter(Struct, frozen=True):
    """One record of ``rejected``: a rejection, or its second record, which says where it was sent again."""

    rejected: Rejected
    key: bytes | None
    rejected_ms: int
    partition: int
    """Of ``rejected``."""
    value: bytes
    """As it stands there."""
    replayed_to: Origin | None

    @property
    def origin(self) -> Origin:
        """Where the record that was rejected stands."""
        return self.rejected.origin


class Filter(Struct, frozen=True, kw_only=True):
    """Which rejections are meant; what is None does not matter."""

    topic: str | None = None
    """Of the origin, full name."""
    reason: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    """First moment that is too late."""
    origins: Collection[Origin] | None = None

    def takes(self, dead_letter: DeadLetter) -> bool:
        """Say whether a rejection is meant."""
        return (
            self.topic in (None, dead_letter.origin.topic)
            and self.reason in (None, dead_letter.rejected.reason)
            and (self.since_ms is None or dead_letter.rejected_ms >= self.since_ms)
            and (self.until_ms is None or dead_letter.rejected_ms < self.until_ms)
            and (self.origins is None or dead_letter.origin in self.origins)
        )


class Replays:
    """Origins that were sent again. Some 60 bytes for each."""

    def __init__(self) -> None:
        self._offsets: dict[tuple[str, int], set[int]] = defaultdict(set)

    def add(self, origin: Origin) -> bool:
        """Take one in; return whether it is new."""
        offsets = self._offsets[origin.topic, origin.partition]
        is_new = origin.offset not in offsets
        offsets.add(origin.offset)
        return is_new

    def __contains__(self, origin: object) -> bool:
        return isinstance(origin, Origin) and origin.offset in self._offsets.get((origin.topic, origin.partition), ())


class Counts:
    """How many were rejected, and how many of them were sent again, by topic of the origin and reason."""

    def __init__(self) -> None:
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.replayed: Counter[tuple[str, str]] = Counter()

    def add(self, dead_letter: DeadLetter, *, is_replay: bool) -> None:
        """Count one record of ``rejected``."""
        counter = self.replayed if is_replay else self.rejected
        counter[dead_letter.origin.topic, dead_letter.rejected.reason] += 1


class Rejections:
    """The records of ``rejected``, taken in one by one: each rejection comes out once.

    Memory does not grow with the topic, but for ``replays``.
    """

    def __init__(self, which: Filter) -> None:
        self._filter = which
        self._seen: OrderedDict[Origin, None] = OrderedDict()
        self.replays = Replays()
        """Origins sent again, whether they pass the filter or not; complete when all records were taken."""
        self.replayed_to: Origin | None = None
        """Where the last of those that pass the filter went."""
        self.counts = Counts()
        """Of the rejections that pass the filter."""
        self.n_records = 0
        self.n_unreadable = 0
        """Records that are no rejections, and were skipped."""

    def take(self, record: ConsumerRecord) -> DeadLetter | None:
        """Take in one record of the topic; return the rejection if it is a new one that passes the filter."""
        self.n_records += 1
        dead_letter = read(record)
        if dead_letter is None:
            self.n_unreadable += 1
            return None
        is_meant = self._filter.takes(dead_letter)
        if dead_letter.replayed_to is not None:
            is_new = self.replays.add(dead_letter.origin)
            if is_meant:
                self.replayed_to = dead_letter.replayed_to
                if is_new:
                    self.counts.add(dead_letter, is_replay=True)
        elif is_meant and self._is_new(dead_letter.origin):
            self.counts.add(dead_letter, is_replay=False)
            return dead_letter
        return None

    def _is_new(self, origin: Origin) -> bool:
        if origin in self._seen:
            return False
        self._seen[origin] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True


class RejectionReader:
    """One pass over ``rejected``, as far as it reached at the start."""

    def __init__(self, kafka: KafkaSettings, which: Filter) -> None:
        """Connect; raises what ``TopicReader`` raises."""
        self._reader = TopicReader(kafka, "rejected")
        self._stall_timeout = StallTimeout(f"topic {self._reader.topic}")
        self.found = Rejections(which)

    @property
    def is_ready(self) -> bool:
        """Whether the pass is complete."""
        return self._reader.is_ready

    def poll(self) -> list[DeadLetter]:
        """Return the next new rejections that pass the filter; none when none came within 0.2 s.

        Raises:
            BrokerUnavailable: it came no further for 30 s.
            TopicMismatch, UnreadableRecords: as of ``TopicReader.poll``.
        """
        records = self._reader.poll(0.2)
        self._stall_timeout.check(self._reader.reached)
        return [dead_letter for record in records if (dead_letter := self.found.take(record))]

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()


def read(record: ConsumerRecord) -> DeadLetter | None:
    """Return the rejection in a record of ``rejected``, or None if it is none."""
    try:
        rejected = _REJECTED.decode(record.value or b"")
        origin_of(path_of(rejected.origin))  # a place that there can be
        replayed_to = next((value.decode() for name, value in record.headers if name == REPLAYED_TO and value), None)
        sent = None if replayed_to is None else origin_of(replayed_to)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return DeadLetter(rejected, record.key, record.timestamp, record.partition, record.value, sent)


def path_of(origin: Origin) -> str:
    """Return an origin as commands take it: ``views/0/17``."""
    return f"{origin.topic}/{origin.partition}/{origin.offset}"


def origin_of(text: str) -> Origin:
    """Return the origin in ``views/0/17``, or in ``views[0]@17`` as logs write it.

    Example:
        >>> origin_of("views[0]@17")
        Origin(topic='views', partition=0, offset=17)
        >>> path_of(origin_of("views[0]@17"))
        'views/0/17'

    Raises:
        ValueError: it is neither.
    """
    found = _PATH.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no origin; expected TOPIC/PARTITION/OFFSET, as in views/0/17")
    return Origin(found[1], int(found[2]), int(found[3]))


_REJECTED = msgspec.json.Decoder(Rejected)
_PATH = re.compile(r"([A-Za-z0-9._-]+)[/\[](\d{1,9})\]?[/@](\d{1,18})", re.ASCII)
