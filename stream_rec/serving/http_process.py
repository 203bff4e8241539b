"""One process that serves HTTP, from its start to its end: it answers at once, and opens what needs a broker then.

Until a broker is there, and all is read, ``/healthz`` says that the process lives, ``/readyz`` why it is not ready, and
what needs more is answered 503.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from stream_rec.config import Settings
from stream_rec.runtime.readiness import Readiness
from stream_rec.serving.http_status import HttpStatus
from stream_rec.telemetry.reporter import Reporter

Say = Callable[[str], None]


class Connects(Protocol):
    """What the process needs of a writer."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class HttpProcess:
    """What happens beside answering. For one event loop."""

    def __init__(
        self,
        role: str,
        instance_id: str,
        settings: Settings,
        writer: Connects,
        wait: Callable[[Say], None],
        follow: Callable[[], None],
    ) -> None:
        """Describe a process that starts now; ``lifespan`` opens.

        Args:
            role: As of ``Status``.
            wait: Returns when a broker answers; told what to call with why none does. Both are called in a thread.
            follow: Begins to read all that is answered from.
        """
        self._writer, self._wait, self._follow = writer, wait, follow
        self._readiness = Readiness()
        self._status = HttpStatus(role, instance_id, self._readiness)
        self._reporter = Reporter(self._status, None, settings.kafka, settings.telemetry)
        self._end: Callable[[], None] = lambda: None
        self.failure: Exception | None = None
        """Why it could not open, so that it ends."""

    def find_why_not_open(self) -> str:
        """Return in words why nothing is read or written yet, or any more; "" when it is."""
        return self._readiness.why

    def watch(self, find_why_not_ready: Callable[[], str]) -> None:
        """Have the status say what ``/readyz`` says."""
        self._status.watch(find_why_not_ready)

    def end_with(self, end: Callable[[], None]) -> None:
        """Have ``end`` called, which ends the server, where it cannot open."""
        self._end = end

    def stopping(self) -> None:
        """Note that it ends. May be called in a signal's handler."""
        self._readiness.stopping()

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """Open beside what is answered, for as long as the context lasts; say at its end that it stops."""
        opening = asyncio.create_task(self._open_or_end())
        try:
            yield
        finally:
            self.stopping()
            opening.cancel()
            with suppress(asyncio.CancelledError):
                await opening
            try:
                await self._writer.stop()
            finally:
                await self._reporter.stop()

    async def _open_or_end(self) -> None:
        try:
            await self._open()
        except Exception as error:
            self.failure = error
            self._end()

    async def _open(self) -> None:
        self._readiness.say("looks for a broker")
        await _call_in_thread(lambda: self._wait(self._say_waiting))
        self._reporter.start()
        self._readiness.say("begins to read")
        await _call_in_thread(self._follow)
        await self._writer.start()
        self._readiness.ready()

    def _say_waiting(self, why: str) -> None:
        self._readiness.say(f"waits for a broker: {why}")


async def _call_in_thread(work: Callable[[], None]) -> None:
    """Return when ``work`` has; a process that ends meanwhile does not wait for it."""
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            work()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="opening", daemon=True).start()
    await asyncio.wrap_future(done)
