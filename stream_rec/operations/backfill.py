"""A history sent beside live events: what is on the topics already is left out, live lists keep their latency.

An event counts once, whoever sent it first: by user and ``event_id``. What the topics hold is known before the first
event is sent, and followed meanwhile. What is left is a live event that comes in the moment after the same one was sent
from the log: the worker drops it by its id. The producer is idempotent all the same: what it tries again is not sent
twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from enum import Enum

import msgspec
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, connect, idempotent_producer
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, DeliveryFailed
from stream_rec.events import validate
from stream_rec.events.source import EVENT_SOURCES, SOURCE_OF_TOPIC, Event, Source
from stream_rec.events.validate import Rejection
from stream_rec.fields.read import Record, split_record
from stream_rec.operations.answers import Answers
from stream_rec.operations.existing_events import ExistingEvents
from stream_rec.operations.lag import committed_offsets, open_by_partition
from stream_rec.operations.permissions import require_permissions
from stream_rec.operations.throttle import Throttle

HEADER = "backfill"
"""Header of every event sent from a log; its value is the log's name."""
SLICE = 20
"""Events sent at once: live ones that come just behind them wait some ten milliseconds longer."""
ASK_S = 0.2
"""How often the broker is asked how far the workers are."""
POLL_S = 0.01
DELIVERY_TIMEOUT_MS = 60_000


class Fate(Enum):
    """What became of one record of the log."""

    SENT = "sent"
    EXISTING = "existing"
    FORGOTTEN = "forgotten"


class Backfill:
    """Sends events from a log that are not on the topics yet. For one thread; close it."""

    def __init__(
        self, settings: Settings, name: str, *, most_behind: int, most_per_s: float = float("inf"), is_dry: bool = False
    ) -> None:
        """Connect.

        Args:
            name: Of the log.
            most_behind: Wait while more records than that wait for the workers; 0: never.
            is_dry: Send nothing, only count.

        Raises:
            BrokerUnavailable: no broker answered.
            LoginRefused: one did, and the login or its certificate is wrong.
            SettingsError: an address is none, or a certificate file cannot be read.
            NotAllowed: this user lacks permissions.
            TopicMismatch: a topic is missing.
        """
        kafka = settings.kafka
        self._kafka, self._limits = kafka, settings.limits
        self._group = kafka.topic(settings.worker.app_id)
        require_permissions(
            kafka,
            describe=[*SOURCE_OF_TOPIC, "item-signals"],
            read=[*(source.topic for source in EVENT_SOURCES), "forget", "recommendations"],
            write=[source.topic for source in EVENT_SOURCES],
            group=self._group if most_behind > 0 else None,
        )
        self._headers = [(HEADER, name.encode("utf-8", "replace"))]
        self._is_dry = is_dry
        self._heeds_workers = most_behind > 0
        self._pending: list[Record] = []
        self._asked_s = self._sent_s = -float("inf")
        self.throttle = Throttle(
            most_behind=most_behind, commit_interval_s=settings.worker.commit_interval_s, most_per_s=most_per_s
        )
        self.fates: Counter[Fate] = Counter()
        self.sent: Counter[str] = Counter()
        """By topic, without prefix."""
        with ExitStack() as opened:
            self.existing = opened.enter_context(closing(ExistingEvents(kafka, settings.limits)))
            self._answers = opened.enter_context(closing(Answers(kafka)))
            self._client = opened.enter_context(
                closing(connect(KafkaAdminClient, kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS))
            )
            self._producer = idempotent_producer(
                kafka,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                linger_ms=0,
                batch_size=64 << 10,
                max_request_size=max(1 << 20, 2 * settings.limits.record_bytes),
            )
            opened.callback(self._producer.close, timeout=5)
            self._stack = opened.pop_all()

    @property
    def is_waiting(self) -> bool:
        """Whether workers are too far behind, or have not taken for a second what was sent last."""
        return self.throttle.is_waiting or (self._answers.n_users > 0 and time.monotonic() - self._sent_s > 1.0)

    def check(self, record: Record) -> Rejection | None:
        """Return why the pipeline would reject it as a record of its topic, or None."""
        source, event = split_record(record)
        value, received_ms = msgspec.json.encode(event), time.time_ns() // 1_000_000
        checked = validate.event(source, _key(event), value, received_ms=received_ms, limits=self._limits)
        return checked if isinstance(checked, Rejection) else None

    def take(self, record: Record, wait: Callable[[float], bool]) -> None:
        """Take the log's next record; it is sent with some others, when there is room for them.

        Args:
            wait: Waits so many seconds; returns True to give up waiting, and sending.

        Raises:
            DeliveryFailed: the broker did not take something; the log can be sent again.
            BrokerUnavailable: the broker does not say how far the workers are.
            TopicMismatch: this user may not read a topic any more.
            UnreadableRecords: records of one are compressed with a codec whose library is missing.
        """
        if (fate := self._fate(record)) is not None:
            self.fates[fate] += 1
            return
        self._pending.append(record)
        if len(self._pending) >= SLICE:
            self.flush(wait)

    def flush(self, wait: Callable[[float], bool]) -> None:
        """Send what is pending, as of ``take``."""
        if self._pending and not self._is_dry and self._has_to_stop(wait):
            return
        self.existing.follow()
        fresh = []
        for record in self._pending:
            if (fate := self._fate(record)) is None:
                self.existing.add(split_record(record)[1])
                fresh.append(record)
            else:
                self.fates[fate] += 1
        self._pending.clear()
        self._send(fresh)
        self._sent_s = time.monotonic()
        self.throttle.count_sent(self._sent_s, len(fresh))

    def close(self) -> None:
        """Let go of the connections."""
        self._stack.close()

    def _fate(self, record: Record) -> Fate | None:
        """Return what becomes of an event that is not to be sent, None for one that is."""
        _, event = split_record(record)
        if self.existing.has(event):
            return Fate.EXISTING
        return Fate.FORGOTTEN if self.existing.is_forgotten(event) else None

    def _has_to_stop(self, wait: Callable[[float], bool]) -> bool:
        """Return False when there is room for the pending events, True if ``wait`` says so first."""
        is_waiting = self._heeds_workers and self._answers.n_users > 0
        while True:
            if is_waiting:
                self._answers.poll(POLL_S)
                if not self._answers.n_users:
                    is_waiting = False
                    self.throttle.begin_rest(time.monotonic())
            if self._heeds_workers and (now_s := time.monotonic()) - self._asked_s >= ASK_S:
                self._ask()
                self._asked_s = now_s
            wait_s = self.throttle.wait_s(time.monotonic())
            if not is_waiting and not wait_s:
                return False
            if wait(0.0 if is_waiting else min(wait_s, ASK_S)):
                return True

    def _ask(self) -> None:
        """Ask the broker how far the workers are."""
        topics = [self._kafka.topic(name) for name in (*SOURCE_OF_TOPIC, "item-signals")]
        try:
            n_open = open_by_partition(self._client, self._group, topics, self._kafka.partitions)
            if self._answers.n_users:
                self._answers.release_committed(committed_offsets(self._client, self._group, list(n_open)))
        except KafkaError as error:
            raise BrokerUnavailable(
                f"{self._kafka.bootstrap} does not say how far group {self._group} is ({error}); see that the broker "
                "is up, then run it again: what was sent is skipped"
            ) from error
        self.throttle.observe_lag(time.monotonic(), n_open)

    def _send(self, records: Iterable[Record]) -> None:
        """Return when the broker has all of them."""
        sent = [split_record(record) for record in records]
        if self._is_dry:
            for source, _ in sent:
                self._count(source)
            return
        try:
            futures = []
            for source, event in sent:
                topic, value = self._kafka.topic(source.topic), msgspec.json.encode(event)
                futures.append(self._producer.send(topic, key=_key(event), value=value, headers=self._headers))
            for (source, event), future in zip(sent, futures):
                stands = future.get(timeout=2 * DELIVERY_TIMEOUT_MS / 1000)
                self._count(source)
                if self._heeds_workers:
                    self._answers.expect(source.topic, _key(event), stands.partition, stands.offset)
        except KafkaError as error:
            raise DeliveryFailed(
                f"{self._kafka.bootstrap} did not take an event ({type(error).__name__}: {error}); see that the "
                "broker is up, then run it again: what was sent is skipped"
            ) from error

    def _count(self, source: Source) -> None:
        self.fates[Fate.SENT] += 1
        self.sent[source.topic] += 1


def _key(event: Event) -> bytes:
    return event.user_id.encode()
