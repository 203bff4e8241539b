"""How long after a fault users have lists again: the first event of each partition from then on, and its list."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import msgspec
from kafka.errors import KafkaError
from msgspec import Struct

from stream_rec.client.reader import TopicReader
from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings


@dataclass
class Absence:
    """The time from a fault to the next lists, by partition; all users of one partition have the same worker."""

    began: float
    first: dict[int, tuple[str, str, int]] = field(default_factory=dict)
    """By partition, the first event delivered since: user, topic, offset."""
    took_s: dict[int, float] = field(default_factory=dict)
    """By partition, when its user's list had seen it."""

    @property
    def longest_s(self) -> float | None:
        """Until users of all partitions had lists; None where some had none, or no events."""
        return max(self.took_s.values()) if self.first and self.took_s.keys() == self.first.keys() else None


class Lists(threading.Thread):
    """Follows ``recommendations`` in a thread of its own."""

    def __init__(self, kafka: KafkaSettings) -> None:
        super().__init__(name="lists", daemon=True)
        self._kafka = kafka
        self._reader = TopicReader(kafka, "recommendations")
        self._is_over = False
        self._lock = threading.Lock()
        self._open: list[Absence] = []

    def expect(self) -> Absence:
        """Begin to measure: something happens to the pipeline now."""
        absence = Absence(time.monotonic())
        with self._lock:
            self._open.append(absence)
        return absence

    def delivered(self, topic: str, key: bytes, offset: int) -> None:
        """Count a record that the broker has. For ``EventProducer``."""
        if topic == self._kafka.topic("items"):
            return
        partition = partition_of(key, self._kafka.partitions)
        with self._lock:
            for absence in self._open:
                absence.first.setdefault(partition, (key.decode(), topic, offset))

    def run(self) -> None:
        """Read until told to stop; a broker that is away is waited for."""
        while not self._is_over:
            try:
                records = self._reader.poll(0.05)
            except KafkaError:
                continue
            now = time.monotonic()
            with self._lock:
                for record in records if self._open else []:
                    if record.value is not None:
                        seen = _SEEN.decode(record.value)
                        self._answer(record.partition, seen, now)
                self._open = [absence for absence in self._open if len(absence.took_s) < self._kafka.partitions]

    def close(self) -> None:
        """Read no more, and disconnect."""
        self._is_over = True
        if self.is_alive():
            self.join()
        self._reader.close()

    def _answer(self, partition: int, slate: _Seen, now: float) -> None:
        for absence in self._open:
            if partition in absence.first and partition not in absence.took_s:
                user_id, topic, offset = absence.first[partition]
                bare = topic.removeprefix(self._kafka.topic_prefix)
                if slate.user_id == user_id and slate.seen.get(bare, -1) >= offset:
                    absence.took_s[partition] = now - absence.began


class _Seen(Struct):
    """What is read of a list."""

    user_id: str
    seen: dict[str, int]


_SEEN = msgspec.json.Decoder(_Seen)
