"""Lists as they arrive, each set against the events that it has seen: how long an event took to its list."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable

import msgspec
import numpy as np
from msgspec import Struct

from stream_rec.client import EventProducer
from stream_rec.client.reader import TopicReader
from stream_rec.events.interaction import Kind
from stream_rec.events.slate import Slate
from stream_rec.events.source import Source
from stream_rec.kafka_settings import KafkaSettings


class Latency(Struct, frozen=True):
    """Milliseconds from the producing of an event to the arrival of a list that has seen it."""

    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(milliseconds: list[float]) -> Latency:
        """Return the percentiles; zero where nothing was measured."""
        p50, p95, p99 = np.percentile(milliseconds or [0.0], [50, 95, 99])
        return Latency(round(float(p50), 1), round(float(p95), 1), round(float(p99), 1))


class Arrivals:
    """Every list that comes, in a thread of its own, set against the events that were produced."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._reader = TopicReader(kafka, "recommendations")
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._is_over = False
        self._undelivered: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        """By topic and user: when each event was produced that the broker has not acknowledged yet."""
        self._waiting: dict[tuple[str, str], deque[tuple[int, float]]] = defaultdict(deque)
        """By topic and user: offset of each event that no list has seen yet, and when it was produced."""
        self._newest: dict[str, tuple[Slate, float]] = {}
        self._list_ids: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._read, name="arrivals", daemon=True)
        self.took_ms: list[float] = []

    @property
    def n_lists(self) -> int:
        """Lists that came for users, the default list left out."""
        return sum(self._list_ids.values())

    @property
    def n_duplicates(self) -> int:
        """Lists that came more than once."""
        return sum(count - 1 for count in self._list_ids.values())

    @property
    def n_waiting(self) -> int:
        """Events that no list has seen yet."""
        with self._changed:
            return sum(map(len, self._undelivered.values())) + sum(map(len, self._waiting.values()))

    def producer(self) -> EventProducer:
        """Return a producer whose deliveries are noticed here. Call ``expect`` before each event."""
        return EventProducer(self._kafka, on_delivered=self._count_delivered, linger_ms=0)

    def expect(self, source: Source | Kind, user_id: str) -> None:
        """Count an event, or a search, that is being produced now."""
        with self._changed:
            self._undelivered[self._kafka.topic(source.topic), user_id].append(time.monotonic())

    def newest(self, user_id: str) -> Slate | None:
        """Return the newest list of a user."""
        with self._changed:
            self._raise_failure()
            return self._newest[user_id][0] if user_id in self._newest else None

    def wait_for_list(
        self, user_id: str, fits: Callable[[Slate], bool], timeout_s: float
    ) -> tuple[Slate, float] | None:
        """Return the newest list of a user once it fits, and when it came; None if none did in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                self._raise_failure()
                if user_id in self._newest and fits(self._newest[user_id][0]):
                    return self._newest[user_id]
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() > deadline:
                    return None

    def wait_until_answered(self, patience_s: float, on_progress: Callable[[int], None]) -> int:
        """Return how many events no list has seen: 0, or what stays when none was answered for ``patience_s``."""
        fewest, since = self.n_waiting, time.monotonic()
        while (n_waiting := self.n_waiting) and time.monotonic() - since < patience_s:
            if n_waiting < fewest:
                fewest, since = n_waiting, time.monotonic()
            on_progress(n_waiting)
            with self._changed:
                self._raise_failure()
                self._changed.wait(0.1)
        on_progress(n_waiting)
        return n_waiting

    def __enter__(self) -> Arrivals:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join()
        self._reader.close()

    def _count_delivered(self, topic: str, key: bytes, offset: int) -> None:
        with self._changed:
            of_user = topic, key.decode()
            if self._undelivered[of_user]:  # items are delivered too
                self._waiting[of_user].append((offset, self._undelivered[of_user].popleft()))
                if of_user[1] in self._newest:
                    self._answer(*self._newest[of_user[1]])

    def _read(self) -> None:
        try:
            while not self._is_over:
                records = self._reader.poll(0.05)
                now = time.monotonic()
                slates = [_SLATE.decode(record.value) for record in records if record.value]
                if slates:
                    with self._changed:
                        for slate in slates:
                            self._newest[slate.user_id] = slate, now
                            if slate.as_of is not None:
                                self._list_ids[slate.list_id] += 1
                                self._answer(slate, now)
                        self._changed.notify_all()
        except BaseException as error:
            self._failure = error

    def _answer(self, slate: Slate, now: float) -> None:
        for topic, offset in slate.seen.items():
            waiting = self._waiting[self._kafka.topic(topic), slate.user_id]
            while waiting and waiting[0][0] <= offset:
                self.took_ms.append(1000 * (now - waiting.popleft()[1]))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RuntimeError("lists cannot be read any more") from self._failure


_SLATE = msgspec.json.Decoder(Slate)
