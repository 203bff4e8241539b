"""Which events stand on the topics already, and whose may not come back: read from the beginning, then followed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.client.reader import TopicReader
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.profile import Profile
from stream_rec.events.source import EVENT_SOURCES, Event, Source
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.digests import Digests, digest_of


class ExistingEvents:
    """What users did and saw by user and ``event_id``, whatever its topic: as a state tells it apart. For one thread.

    A record that the pipeline rejects is no event. Memory: ``Digests``, for each event that the topics keep.
    """

    def __init__(self, kafka: KafkaSettings, limits: InputLimits) -> None:
        """Connect; raises what ``TopicReader`` raises."""
        self._limits = limits
        self._known = Digests()
        self._forgotten: dict[int, int] = {}
        """By digest of the user: when the last erasure request came, by the broker's clock."""
        self._stack = ExitStack()
        self._readers: list[tuple[TopicReader, Callable[[ConsumerRecord], None]]] = []
        with ExitStack() as opened:
            takes: dict[str, Callable[[int, ConsumerRecord], None]] = {
                **{source.topic: partial(self._take, source) for source in EVENT_SOURCES},
                "forget": self._take_erasure_request,
            }
            for topic, take in takes.items():
                reader = opened.enter_context(closing(TopicReader(kafka, topic)))
                self._readers.append((reader, partial(take, reader.n_partitions[reader.topic])))
            self._stack = opened.pop_all()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def is_ready(self) -> bool:
        """Whether everything that stood there at the start has been taken in."""
        return all(reader.is_ready for reader, _ in self._readers)

    @property
    def reached(self) -> int:
        """How far it is in what stood there at the start: a sum of offsets."""
        return sum(reader.reached for reader, _ in self._readers)

    def follow(self, timeout_s: float = 0.0) -> None:
        """Take in what has come, waiting at most ``timeout_s`` a topic for the first of it.

        Raises:
            TopicMismatch: this user may not read a topic.
            UnreadableRecords: its records are compressed with a codec whose library is missing.
        """
        for reader, take in self._readers:
            is_waiting = not reader.is_ready
            while records := reader.poll(timeout_s if is_waiting else 0.0):
                for record in records:
                    take(record)
                if is_waiting:
                    break  # so that a caller can show how far it is

    def has(self, event: Event) -> bool:
        """Return whether an event stands on a topic."""
        return digest_of(event.user_id, event.event_id) in self._known

    def add(self, event: Event) -> None:
        """Take in an event that stands on a topic, or is being sent there."""
        self._known.add(digest_of(event.user_id, event.event_id))

    def is_forgotten(self, event: Event) -> bool:
        """Return whether an event is from before its user asked for erasure."""
        return event.timestamp_ms <= self._forgotten.get(digest_of(event.user_id), -1)

    def close(self) -> None:
        """Let go of the connections."""
        self._stack.close()

    def _take(self, source: Source, n_partitions: int, record: ConsumerRecord) -> None:
        place = Place(record.partition, n_partitions)
        event = validate.event(
            source, record.key, record.value, received_ms=record.timestamp, limits=self._limits, place=place
        )
        if not isinstance(event, Rejection | Profile):
            self.add(event)

    def _take_erasure_request(self, n_partitions: int, record: ConsumerRecord) -> None:
        place = Place(record.partition, n_partitions)
        request = validate.forget(record.key, record.value, limits=self._limits, place=place)
        if not isinstance(request, Rejection):
            self._forgotten[digest_of(request.user_id)] = record.timestamp
