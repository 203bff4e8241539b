"""Copying: records of topics to values in a target, each batch together with the bookmark that it leads to.

What the target holds is at any moment what the topics up to the bookmark say; a crash between any two steps, a try of
which nobody knows how it ended, or another process at the same target cost work that is done again, and nothing else.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from stream_rec.errors import SettingsError
from stream_rec.events.slate import Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.sink.bookmark import Bookmark, Partition, Reached, Reading, Topic, decode, encode, find_why_anew, go_on
from stream_rec.sink.bookmark import begin as begin_reading
from stream_rec.sink.target import Change, Target, Turn

log = logging.getLogger(__name__)

TOPICS = ("recommendations", "surfaces")
"""What is copied."""
LOOK_MS = 5_000
"""Between two looks at what the topics are: their ids, where they begin and end. As often the bookmark is written."""
LONGEST_KEY = 1_024
"""Bytes; the ids of users have 256, unless settings say otherwise."""
LAST_MS = 253_402_300_799_999
"""The end of the year 9999, beyond which databases know no time."""
_DECODERS: Mapping[str, msgspec.json.Decoder[Slate] | msgspec.json.Decoder[Surfaces]] = {
    "recommendations": msgspec.json.Decoder(Slate),
    "surfaces": msgspec.json.Decoder(Surfaces),
}


class Record(Protocol):
    """What is needed of a record, as kafka-python has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Fetched(NamedTuple):
    """What one look into the topics has brought."""

    records: Sequence[Record]
    """Of each partition in order."""
    next_offsets: dict[Partition, int]
    """By partition, from where the next record comes: behind the last record, or further where no records are."""


class Source(Protocol):
    """Where records come from. For one thread. Every method raises ``StreamRecError`` where it does not come to it."""

    def describe(self) -> dict[str, Topic]:
        """Return what the topics are now, by full name."""

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions from now on, each from this offset."""

    def fetch(self, timeout_s: float) -> Fetched:
        """Return the next records, bounded in number; none where none came within this time."""


class Unusable(Exception):
    """A record that is no list: it changes nothing."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class CopyCounts:
    """What one process has copied since it began, by topic without prefix. One thread adds."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        """Records, those that came twice among them."""
        self.written: Counter[str] = Counter()
        """Values put: the last of a batch for each user."""
        self.deleted: Counter[str] = Counter()
        """Values deleted."""
        self.rejected: Counter[str] = Counter()
        """Records that are no lists, by reason."""


class Copier:
    """Copies what one source has to one target. ``resume`` first, and after every failure; then ``step``."""

    def __init__(
        self,
        source: Source,
        target: Target,
        topics: Mapping[str, str],
        counts: CopyCounts,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        """Say from where to where.

        Args:
            topics: Full names of the topics, and their names without prefix.
            counts: Added to.
        """
        self._source, self._target, self._topics, self._counts = source, target, topics, counts
        self._now_ms = now_ms
        self._before: bytes | None = None
        self._readings: dict[str, Reading] = {}
        self._goals: dict[Partition, int] = {}
        """Ends of the partitions when reading was resumed."""
        self._ends: dict[Partition, int] = {}
        """Ends of the partitions at the last look, and when that was."""
        self._looked_ms = 0

    @property
    def lag(self) -> dict[str, int]:
        """Offsets that are not in the target yet, by topic without prefix, as of the last look."""
        behind: Counter[str] = Counter()
        ends = self._ends
        for place, reached in self._reached():
            behind[self._topics[place.topic]] += max(0, ends.get(place, 0) - reached.next_offset)
        return dict(behind)

    @property
    def n_open(self) -> int:
        """Offsets that were there when reading was resumed, and are not in the target yet."""
        goals = self._goals
        return sum(max(0, goals.get(place, 0) - reached.next_offset) for place, reached in self._reached())

    @property
    def is_current(self) -> bool:
        """Whether the target holds all that was there when reading was resumed, and nothing else."""
        return bool(self._readings) and not self.n_open and all(each.is_whole for each in self._readings.values())

    def resume(self) -> None:
        """Go on from the target's bookmark, with the topics as they are now.

        Raises:
            BookmarkChanged: another process has begun to read meanwhile.
            SettingsError: the target is that of other topics.
            StateVersionError: its bookmark cannot be read.
            TargetUnavailable: it does not answer.
            StreamRecError: as of ``Source``.
        """
        self._before = self._target.read_bookmark()
        found = decode(self._before).readings if self._before is not None else {}
        if found.keys() - self._topics.keys():
            raise SettingsError(
                f"the target holds what the topics {', '.join(sorted(found))} say, and this pipeline has "
                f"{', '.join(self._topics)}: give it another sink.prefix or sink.table"
            )
        readings = dict(found)
        for topic, about in self._look().items():
            if topic not in found:
                self._begin(topic, begin_reading(about, 1, self._looked_ms), readings)
            elif why := find_why_anew(found[topic], about, self._looked_ms):
                log.warning("begins_anew topic=%s why=%s", topic, why)
                self._begin(topic, begin_reading(about, found[topic].generation + 1, self._looked_ms), readings)
            else:
                readings[topic] = go_on(found[topic], about, self._looked_ms)
        self._readings, self._goals = readings, dict(self._ends)
        self._source.seek({place: reached.next_offset for place, reached in self._reached()})
        log.info("resumed open=%d whole=%s", self.n_open, all(each.is_whole for each in self._readings.values()))
        self._sweep_where_read()

    def step(self, timeout_s: float) -> None:
        """Copy one batch, waiting for so long for its first record; look at the topics when it is time to.

        Raises:
            BookmarkChanged: another process has written: ``resume``.
            TargetUnavailable: the target did not take it.
            StreamRecError: as of ``Source``.
        """
        fetched = self._source.fetch(timeout_s)
        changes: dict[tuple[str, str], Change] = {}
        for record in fetched.records:
            if (change := self._read(record)) is not None:
                changes[change.topic, change.user_id] = change
        if self._now_ms() - self._looked_ms >= LOOK_MS or self._now_ms() < self._looked_ms:
            if self._must_resume(self._look()):
                self.resume()
                return
            self._commit(changes, fetched, is_due=True)
        else:
            self._commit(changes, fetched, is_due=False)
        self._sweep_where_read()

    def _look(self) -> dict[str, Topic]:
        """Ask what the topics are now."""
        now_ms = self._now_ms()  # before the broker is asked: what comes after that has come later
        topics = self._source.describe()
        self._looked_ms = now_ms
        self._ends = {
            Partition(topic, number): extent.end
            for topic, about in topics.items()
            for number, extent in about.extents.items()
        }
        return topics

    def _must_resume(self, topics: dict[str, Topic]) -> bool:
        return any(
            about.extents.keys() != self._readings[topic].partitions.keys()
            or find_why_anew(self._readings[topic], about, self._looked_ms)
            for topic, about in topics.items()
        )

    def _begin(self, topic: str, reading: Reading, readings: dict[str, Reading]) -> None:
        """Begin a generation in the target, and put it among the readings."""
        readings[topic] = reading
        turn = Turn(self._before, encode(Bookmark(readings)))
        self._target.begin(self._topics[topic], turn)
        self._before = turn.after

    def _read(self, record: Record) -> Change | None:
        """Return what a record changes; None for one that is no list, which leaves the one before as it was."""
        reading, name = self._readings[record.topic], self._topics[record.topic]
        if record.offset < reading.partitions[record.partition].next_offset:
            return None
        self._counts.taken[name] += 1
        try:
            user_id, made = _user_of(record), _read_value(name, record.value)
        except Unusable as error:
            self._counts.rejected[error.reason] += 1
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            log.warning("rejected_record at=%s reason=%s detail=%s", where, error.reason, error)
            return None
        return Change(name, user_id, record.value, made, reading.generation, reading.is_whole)

    def _commit(self, changes: Mapping[tuple[str, str], Change], fetched: Fetched, *, is_due: bool) -> None:
        """Write changes with the bookmark that comes after them.

        Args:
            is_due: Whether the bookmark is written though nothing has come: that we are at the end, and at work.
        """
        readings = {
            topic: replace(
                reading,
                partitions={
                    number: self._move_on(Partition(topic, number), reached, fetched.next_offsets)
                    for number, reached in reading.partitions.items()
                },
            )
            for topic, reading in self._readings.items()
        }
        is_moved = any(
            reached.next_offset != before.next_offset
            for (_, reached), (_, before) in zip(_partitions(readings), self._reached(), strict=True)
        )
        if not (changes or is_moved or is_due):
            return
        turn = Turn(self._before, encode(Bookmark(readings)))
        self._target.write(list(changes.values()), turn)
        self._before, self._readings = turn.after, readings
        for change in changes.values():
            (self._counts.deleted if change.value is None else self._counts.written)[change.topic] += 1

    def _move_on(self, place: Partition, reached: Reached, next_offsets: Mapping[Partition, int]) -> Reached:
        next_offset = max(reached.next_offset, next_offsets.get(place, 0))
        is_at_end = next_offset >= self._ends[place]
        return Reached(next_offset, max(reached.current_ms, self._looked_ms) if is_at_end else reached.current_ms)

    def _sweep_where_read(self) -> None:
        """Where a generation has been read to the end that it had, delete what those before it have left."""
        for topic, reading in list(self._readings.items()):
            is_read = all(reached.next_offset >= self._goals[place] for place, reached in _partitions({topic: reading}))
            if reading.is_whole or not is_read:
                continue
            readings = self._readings | {topic: replace(reading, is_whole=True)}
            turn = Turn(self._before, encode(Bookmark(readings)))
            self._target.sweep(self._topics[topic], reading.generation, turn)
            self._before, self._readings = turn.after, readings
            log.info("swept topic=%s generation=%d", topic, reading.generation)

    def _reached(self) -> list[tuple[Partition, Reached]]:
        return _partitions(self._readings)


def _partitions(readings: Mapping[str, Reading]) -> list[tuple[Partition, Reached]]:
    return [
        (Partition(topic, number), reached)
        for topic, reading in readings.items()
        for number, reached in reading.partitions.items()
    ]


def _user_of(record: Record) -> str:
    """Return the user whose record it is.

    Raises:
        Unusable: its key is no user's id.
    """
    key = record.key or b""
    if not 0 < len(key) <= LONGEST_KEY:
        raise Unusable("bad_id", f"key has {len(key)} bytes, expected 1 to {LONGEST_KEY}")
    try:
        user_id = key.decode()
    except UnicodeDecodeError as error:
        raise Unusable("bad_id", f"key is not UTF-8: {error}") from error
    if "\0" in user_id:
        raise Unusable("bad_id", "key holds a NUL character")
    return user_id


def _read_value(name: str, value: bytes | None) -> Slate | Surfaces | None:
    """Return what a record says; None for one that deletes.

    Raises:
        Unusable: it is nothing that every target could hold.
    """
    if value is None:
        return None
    try:
        made = _DECODERS[name].decode(value)
        text = value.decode()  # what stands where no field is read may be other bytes
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable("not_a_list", str(error)) from error
    if "\0" in text:
        raise Unusable("not_a_list", "it holds a NUL character")
    if not 0 <= made.generated_at_ms <= LAST_MS:
        raise Unusable("bad_timestamp", f"generated_at_ms={made.generated_at_ms}")
    return made
