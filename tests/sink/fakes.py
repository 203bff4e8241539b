"""A topic in memory that is compacted, deleted and made again, and a target that fails as it is told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from stream_rec.errors import TargetUnavailable
from stream_rec.events.partition import partition_of
from stream_rec.events.slate import Reason, Slate, SlateItem
from stream_rec.events.surfaces import PushedSurface, Surfaces
from stream_rec.sink.bookmark import Extent, Partition, Topic
from stream_rec.sink.copying import Fetched
from stream_rec.sink.target import BookmarkChanged, Change, Turn

DAY_MS = 86_400_000
KEEPS_DELETIONS_MS = 7 * DAY_MS
TOPICS = {"t-recommendations": "recommendations", "t-surfaces": "surfaces"}
"""Full names, and those without prefix."""


def items(*item_ids: str) -> list[SlateItem]:
    return [SlateItem(item_id, 0.5, 1.0, {"similar": 0.25}, Reason("similar", "cup")) for item_id in item_ids]


def list_of(user_id: str, *item_ids: str, at_ms: int = 1_700_000_000_000) -> bytes:
    """Return a record of ``recommendations``."""
    list_id = f"{user_id}-{at_ms}-{'-'.join(item_ids)}"
    return msgspec.json.encode(Slate(list_id, user_id, at_ms, None, {"clicks": 1}, "p", items(*item_ids)))


def surfaces_of(user_id: str, *item_ids: str, at_ms: int = 1_700_000_000_000) -> bytes:
    """Return a record of ``surfaces``."""
    again = PushedSurface("again", f"{user_id}-{at_ms}", items(*item_ids))
    return msgspec.json.encode(Surfaces(user_id, at_ms, None, {}, "p", [again]))


class FakeRecord(NamedTuple):
    """As kafka-python has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class FakeTopic:
    """One topic with all that it ever held, and what is left of that."""

    def __init__(self, name: str, n_partitions: int, topic_id: str) -> None:
        self.name, self.topic_id = name, topic_id
        self.history: dict[int, list[FakeRecord]] = {number: [] for number in range(n_partitions)}
        self.left: dict[int, list[FakeRecord]] = {number: [] for number in range(n_partitions)}
        self.begins = dict.fromkeys(range(n_partitions), 0)
        self._horizons: dict[tuple[int, int], int] = {}
        """By partition and offset of a deletion: when it may go."""

    def put(self, key: str | bytes | None, value: bytes | None) -> FakeRecord:
        raw = key.encode() if isinstance(key, str) else key
        number = partition_of(raw or b"", len(self.history))
        record = FakeRecord(self.name, number, len(self.history[number]), raw, value)
        self.history[number].append(record)
        self.left[number].append(record)
        return record

    def compact(self, now_ms: int) -> None:
        """Keep the newest of each key; a deletion goes a week after it was first met here, as in Kafka."""
        for number, records in self.left.items():
            newest = {record.key: record for record in records}
            kept = []
            for record in records:
                if newest[record.key] is not record:
                    continue
                if record.value is None:
                    horizon = self._horizons.setdefault((number, record.offset), now_ms + KEEPS_DELETIONS_MS)
                    if now_ms > horizon:
                        continue
                kept.append(record)
            self.left[number] = kept

    def newest(self, below: Mapping[int, int] | None = None) -> dict[str, bytes]:
        """Return what the topic says, or what it said below these offsets."""
        found: dict[str, bytes] = {}
        for number, records in self.history.items():
            for record in records[: None if below is None else below[number]]:
                key = (record.key or b"").decode()
                if record.value is None:
                    found.pop(key, None)
                else:
                    found[key] = record.value
        return found

    def dropped_for_a_later_one(self, reached: Mapping[int, int]) -> set[str]:
        """Return the keys whose newest record below these offsets is gone because there is one at or above them."""
        found = set()
        for number, records in self.history.items():
            newest = {record.key: record for record in records[: reached[number]]}
            later = {record.key for record in records[reached[number] :]}
            left = {record.offset for record in self.left[number]}
            found |= {(key or b"").decode() for key in later & newest.keys() if newest[key].offset not in left}
        return found


class FakeCluster:
    """Topics, and the clock by which everybody goes."""

    def __init__(self, n_partitions: int = 2) -> None:
        self.now_ms = 1_800_000_000_000
        self.n_partitions = n_partitions
        self._made = 0
        self.topics: dict[str, FakeTopic] = {}
        for name in TOPICS:
            self.make_again(name)

    def make_again(self, name: str) -> None:
        """Delete a topic, and make it anew."""
        self._made += 1
        self.topics[name] = FakeTopic(name, self.n_partitions, f"id-{self._made}")

    @property
    def lists(self) -> FakeTopic:
        return self.topics["t-recommendations"]

    @property
    def surfaces(self) -> FakeTopic:
        return self.topics["t-surfaces"]

    def newest(self) -> dict[tuple[str, str], bytes]:
        """Return what a target should hold."""
        return {
            (TOPICS[name], key): value for name, topic in self.topics.items() for key, value in topic.newest().items()
        }


class FakeSource:
    """Reads a cluster by offsets alone, as Kafka's clients do: a topic that was made again is read on."""

    def __init__(self, cluster: FakeCluster, most_records: int = 3) -> None:
        self.cluster, self.most_records = cluster, most_records
        self.positions: dict[Partition, int] = {}
        self.failure: Exception | None = None
        self.takes_ms = 0
        """How long it thinks about what the topics are."""

    def describe(self) -> dict[str, Topic]:
        self._fail()
        self.cluster.now_ms += self.takes_ms
        return {
            name: Topic(
                topic.topic_id,
                {n: Extent(topic.begins[n], len(records)) for n, records in topic.history.items()},
            )
            for name, topic in self.cluster.topics.items()
        }

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        self._fail()
        self.positions = dict(offsets)

    def fetch(self, timeout_s: float) -> Fetched:
        self._fail()
        fetched: list[FakeRecord] = []
        for place, position in self.positions.items():
            topic = self.cluster.topics[place.topic]
            waiting = [record for record in topic.left[place.number] if record.offset >= position]
            taken = waiting[: self.most_records - len(fetched)]
            fetched += taken
            end = len(topic.history[place.number])
            # Behind what was left the log may go on without records, as where the last were compacted.
            self.positions[place] = taken[-1].offset + 1 if len(taken) < len(waiting) and taken else position
            if len(taken) == len(waiting):
                self.positions[place] = max(position, end)
        return Fetched(fetched, dict(self.positions))

    def _fail(self) -> None:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure


class FakeTarget:
    """Values in memory, of which several connections may be open."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], tuple[bytes, int]] = {}
        """By topic and user: the value, and its generation."""
        self.bookmark: bytes | None = None
        self.fails: str = ""
        """What the next change comes to: ``before`` or ``after`` it is done; "" where it does not fail."""
        self.is_down = False
        self.n_opened = 0

    @property
    def held(self) -> dict[tuple[str, str], bytes]:
        return {key: value for key, (value, _) in self.values.items()}

    def open(self) -> None:
        self._ask()
        self.n_opened += 1

    def read_bookmark(self) -> bytes | None:
        self._ask()
        return self.bookmark

    def begin(self, topic: str, turn: Turn) -> None:
        self._turn(turn, lambda: None)

    def write(self, changes: Sequence[Change], turn: Turn) -> None:
        def put() -> None:
            assert len({(change.topic, change.user_id) for change in changes}) == len(changes)
            for change in changes:
                key = change.topic, change.user_id
                if change.value is None:
                    self.values.pop(key, None)
                else:
                    self.values[key] = change.value, change.generation

        self._turn(turn, put)

    def sweep(self, topic: str, generation: int, turn: Turn) -> None:
        def delete() -> None:
            gone = [key for key, (_, made) in self.values.items() if key[0] == topic and made < generation]
            for key in gone:
                del self.values[key]

        self._turn(turn, delete)

    def close(self) -> None:
        """Nothing is open."""

    def _turn(self, turn: Turn, act) -> None:
        self._ask()
        fails, self.fails = self.fails, ""
        if fails == "before":
            raise TargetUnavailable("it went away")
        if self.bookmark != turn.before:
            raise BookmarkChanged
        act()
        self.bookmark = turn.after
        if fails == "after":
            raise TargetUnavailable("nobody heard that it was done")

    def _ask(self) -> None:
        if self.is_down:
            raise TargetUnavailable("it is down")
