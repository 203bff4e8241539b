"""Live figures, once a second, to every page that listens: one stream each, none of which keeps anything of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from stream_rec.dashboard.figures import Figures, Now, Point
from stream_rec.events.status import Status

log = logging.getLogger(__name__)

TICK_S = 1.0
MOST_WAITING = 10_000
"""Words of processes that wait for the next tick: those of one start, and of 200 processes for a long minute."""


class Moment(Struct, frozen=True):
    """What goes to a page."""

    now: Now
    points: list[Point]
    """Those since the moment before; at first all that are kept."""
    troubles: list[str]
    """In words, what is not known, or may be old."""


class Statuses(Protocol):
    """Where words of processes come from."""

    def drain(self) -> list[tuple[str, Status | None, bool]]:
        """Return what has come since: the process, its word or None where it was deleted, and whether it is new."""

    def find_trouble(self) -> str:
        """Return in words why what is known may be old; "" when it is not."""


class HeardStatuses:
    """The topic ``status``, taken by the thread that reads it and kept until the next tick."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Status | None, bool]] = deque(maxlen=MOST_WAITING)
        self._find_trouble: Callable[[], str] = lambda: ""

    def say_with(self, find_trouble: Callable[[], str]) -> None:
        """Have ``find_trouble`` say how the reading is."""
        self._find_trouble = find_trouble

    def take(self, record: ConsumerRecord, is_new: bool) -> None:
        """Take one record; what cannot be read is left out."""
        key = (record.key or b"").decode(errors="replace")
        try:
            self._waiting.append((key, None if record.value is None else _DECODER.decode(record.value), is_new))
        except msgspec.DecodeError as error:
            log.warning("ignored_status key=%s why=%s", key[:100], str(error)[:200])

    def drain(self) -> list[tuple[str, Status | None, bool]]:
        """Return what has come since."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def find_trouble(self) -> str:
        """Return in words why what is known may be old; "" when it is not."""
        return self._find_trouble()


_DECODER = msgspec.json.Decoder(Status)


class TooManyListeners(Exception):
    """As many pages listen as may."""


class Live:
    """Ticks, and whoever listens. For one event loop."""

    def __init__(
        self,
        statuses: Statuses,
        most_listeners: int,
        find_troubles: Callable[[], list[str]] = lambda: [],
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Say where figures come from.

        Args:
            find_troubles: Says what else may be old.
        """
        self._statuses, self._most = statuses, most_listeners
        self._find_troubles, self._clock_ms = find_troubles, clock_ms
        self._figures = Figures()
        self._n_ticks = 0
        self._ticked = asyncio.Event()
        self._is_closed = False
        self.n_listeners = 0

    def tick(self) -> None:
        """Take what has come, and let everybody know."""
        now_ms = self._clock_ms()
        for key, status, is_new in self._statuses.drain():
            if status is None:
                self._figures.delete(key)
            else:
                self._figures.take(status, now_ms, is_new=is_new)
        self._figures.tick(now_ms)
        self._n_ticks += 1
        ticked, self._ticked = self._ticked, asyncio.Event()
        ticked.set()

    def moment(self, n_points: int) -> Moment:
        """Return what goes to a page that lacks so many of the newest points."""
        points = self._figures.points
        newest = [points[index] for index in range(max(0, len(points) - n_points), len(points))]
        troubles = [trouble for trouble in (self._statuses.find_trouble(), *self._find_troubles()) if trouble]
        return Moment(self._figures.now(self._clock_ms()), newest, troubles)

    async def run(self) -> None:
        """Tick once a second, until it is cancelled."""
        while True:
            try:
                self.tick()
            except Exception:
                log.exception("tick_failed")
            await asyncio.sleep(TICK_S)

    def close(self) -> None:
        """End every stream within a second. May be called in a signal's handler."""
        self._is_closed = True

    def listen(self) -> AsyncIterator[bytes]:
        """Return a stream of server-sent events, each a ``Moment``.

        Raises:
            TooManyListeners: as many listen as may.
        """
        if self.n_listeners >= self._most:
            raise TooManyListeners(f"{self._most} pages listen already, as many as dashboard.listeners allows")
        return self._stream()

    async def _stream(self) -> AsyncIterator[bytes]:
        if self.n_listeners >= self._most:
            return
        self.n_listeners += 1  # not before: a stream that is never begun never ends either
        try:
            n_seen = 0
            while not self._is_closed:
                n_ticks, ticked = self._n_ticks, self._ticked
                if n_ticks > n_seen:
                    yield b"data: " + msgspec.json.encode(self.moment(n_ticks - n_seen)) + b"\n\n"
                    n_seen = n_ticks
                with suppress(TimeoutError):
                    async with asyncio.timeout(2 * TICK_S):
                        await ticked.wait()
        finally:
            self.n_listeners -= 1
