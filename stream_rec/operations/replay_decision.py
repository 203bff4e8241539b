"""Which rejected records can be sent again now: unchanged, or with a value given by hand. No Kafka, no clock."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from stream_rec.events import validate
from stream_rec.events.rejected import Origin
from stream_rec.events.source import SOURCE_OF_TOPIC, Source
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.rejections import DeadLetter, path_of

REPLAY_OF = "replay-of"
"""Header of a record that was sent again: the origin of the one that was rejected."""


class Resend(Struct, frozen=True):
    """One record to send again."""

    dead_letter: DeadLetter
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Skipped(Struct, frozen=True):
    """A rejected record that is not sent, and why.

    ``rejection.reason`` is one of those of ``events/validate.py``, or ``gone``: it is not on its topic any more,
    ``superseded``: a newer record of the same item or profile is, ``rejected_again``: it was itself sent again,
    ``not_replayable``: it is on no topic that apps write and workers read.
    """

    dead_letter: DeadLetter
    rejection: Rejection


ReplayDecision = Resend | Skipped
"""What becomes of one dead letter."""


class Chosen(Struct, frozen=True):
    """The rejections to look at."""

    dead_letters: list[DeadLetter]
    """In the order of their origins."""
    n_replayed: int
    """Left out because they were sent again before."""
    n_more: int
    """Left out because there are more than were asked for."""


def choose(dead_letters: Iterable[DeadLetter], replayed: Container[Origin], limit: int) -> Chosen:
    """Return the ``limit`` oldest rejections that were not sent again before; no more than these are kept in memory."""
    n_replayed = n_open = 0

    def not_replayed() -> Iterator[DeadLetter]:
        nonlocal n_replayed, n_open
        for dead_letter in dead_letters:
            if dead_letter.origin in replayed:
                n_replayed += 1
            else:
                n_open += 1
                yield dead_letter

    oldest = heapq.nsmallest(limit, not_replayed(), key=lambda dead_letter: dead_letter.rejected_ms)
    oldest.sort(
        key=lambda dead_letter: (dead_letter.origin.topic, dead_letter.origin.partition, dead_letter.origin.offset)
    )
    return Chosen(oldest, n_replayed, n_open - len(oldest))


@dataclass(frozen=True, slots=True)
class ReplayDecider:
    """Decides which records are sent again: those that the pipeline would take if they came at one moment.

    Example:
        >>> from stream_rec.events.rejected import Rejected
        >>> bad = Origin("views", 0, 17)
        >>> dead_letter = DeadLetter(Rejected(bad, "not_json", "", b"{"), b"ann", 0, 0, b"", None)
        >>> decider = ReplayDecider(KafkaSettings(), InputLimits(), now_ms=1_700_000_000_000)
        >>> repair = b'{"event_id":"e-1","user_id":"ann","item_id":"cup-3","timestamp_ms":1700000000000}'
        >>> decider.decide_repair(dead_letter, repair).headers
        [('replay-of', b'views/0/17')]
        >>> decider.decide(dead_letter, None, is_superseded=False).rejection.reason
        'gone'
    """

    kafka: KafkaSettings
    limits: InputLimits
    now_ms: int
    """The moment, by the broker's clock."""
    sends_rejected_again: bool = False
    """Whether a record that was itself sent again, and rejected again, is sent once more."""

    def check(self, origin: Origin, key: bytes | None, value: bytes | None) -> Rejection | None:
        """Return why the pipeline would reject a record that came now to the topic of ``origin``, or None.

        To which partition it came before is no matter: what is sent again goes where its key belongs.
        """
        checked: object
        if problem := self._not_replayable(origin):
            return problem
        if origin.topic == self.kafka.topic("forget"):
            checked = validate.forget(key, value, limits=self.limits)
        elif (source := self._source_of(origin)) is not None:
            checked = validate.event(source, key, value, received_ms=self.now_ms, limits=self.limits)
        else:
            checked = validate.item_record(key, value, limits=self.limits)
        return checked if isinstance(checked, Rejection) else None

    def decide(self, dead_letter: DeadLetter, source: ConsumerRecord | None, *, is_superseded: bool) -> ReplayDecision:
        """Return the source record, its key, value and headers as they are, or why it is not sent.

        Args:
            source: None: it is not on its topic any more.
            is_superseded: Whether a newer record of the same item or profile stands behind it.
        """
        if source is None:
            return Skipped(dead_letter, Rejection("gone", "not on its topic any more: retention or compaction took it"))
        if problem := self.check(dead_letter.origin, source.key, source.value):
            return Skipped(dead_letter, problem)
        if is_superseded:
            return Skipped(
                dead_letter, Rejection("superseded", "a newer record with this key came since; this one would undo it")
            )
        first = dict(source.headers).get(REPLAY_OF)
        if first and not self.sends_rejected_again:  # else every run would send one more
            return Skipped(
                dead_letter,
                Rejection(
                    "rejected_again",
                    f"it was sent again, for {first.decode(errors='replace')}, and rejected all the same: see that the "
                    "worker has the settings that this command has; --again sends it once more",
                ),
            )
        return Resend(dead_letter, source.key or b"", source.value, _headers(dead_letter, source.headers))

    def decide_repair(self, dead_letter: DeadLetter, value: bytes | None) -> ReplayDecision:
        """Return the record with a value given by hand, keyed with the id that it names, or why it is not sent."""
        key = dead_letter.key if value is None else _id_in(value, is_item=self._is_item(dead_letter.origin))
        if problem := self.check(dead_letter.origin, key, value):
            return Skipped(dead_letter, problem)
        return Resend(dead_letter, key or b"", value, _headers(dead_letter, []))

    def is_compacted(self, origin: Origin) -> bool:
        """Return whether the newest record of each key is all that counts on the topic of ``origin``."""
        return origin.topic in (self.kafka.topic("items"), self.kafka.topic(Source.PROFILE.topic))

    def _source_of(self, origin: Origin) -> Source | None:
        """Return the source of what users did, saw or said whose topic this is, None for another topic."""
        return next((s for topic, s in SOURCE_OF_TOPIC.items() if origin.topic == self.kafka.topic(topic)), None)

    def _is_item(self, origin: Origin) -> bool:
        return origin.topic == self.kafka.topic("items")

    def _not_replayable(self, origin: Origin) -> Rejection | None:
        topics = [self.kafka.topic(name) for name in (*SOURCE_OF_TOPIC, "forget", "items")]
        if origin.topic in topics:
            return None
        return Rejection(
            "not_replayable",
            f"only records of {', '.join(topics)} are sent again; those of a topic that `ingest` reads are read again "
            "under another name as ingest.group, and what has counted does not count twice",
        )


def _headers(dead_letter: DeadLetter, headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    kept = [(name, value) for name, value in headers if name != REPLAY_OF and value is not None]
    return [*kept, (REPLAY_OF, path_of(dead_letter.origin).encode())]


def _id_in(value: bytes, *, is_item: bool) -> bytes | None:
    """Return the id that must be the key, or None where there is none: the check then says what is wrong."""
    try:
        return (_ITEM.decode(value).item_id if is_item else _EVENT.decode(value).user_id).encode()
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


class _EventId(Struct):
    user_id: str


class _ItemId(Struct):
    item_id: str


_EVENT = msgspec.json.Decoder(_EventId)
_ITEM = msgspec.json.Decoder(_ItemId)
