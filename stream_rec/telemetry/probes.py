"""``/metrics``, ``/healthz`` and ``/readyz`` of a process that is no HTTP service, from a thread of their own.

The thread has its own event loop, so that it answers while the process's own is busy, and can neither delay nor end
that. It asks the process's loop for the present status and waits a moment; from a loop that is busy it has the last.
An answer is short and a connection is closed after it. A request has 2 KB and some seconds, and there are 32 at once.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from stream_rec.errors import SettingsError
from stream_rec.events.over_http import State
from stream_rec.events.status import Status
from stream_rec.telemetry.metrics import CONTENT_TYPE, Exposition
from stream_rec.telemetry.settings import TelemetrySettings

log = logging.getLogger(__name__)

REQUEST_BYTES = 2048
REQUEST_S = 5.0
"""From the beginning of a connection to the end of its request, and again to the end of its answer."""
CONNECTIONS = 32
PATIENCE_S = 2.0
"""So long the process's loop may take to say how things are."""
STUCK_S = 30.0
"""A loop that has not turned for so long is stuck: the watchdog should have ended the process."""
ADDRESSES = "/metrics, /healthz, /readyz"


class Probes:
    """Answers for one process, from the moment it is made until ``close``."""

    def __init__(self, settings: TelemetrySettings, status: Status) -> None:
        """Take the port, and begin to answer.

        Args:
            status: That of a process that starts.

        Raises:
            SettingsError: the address cannot be had.
        """
        self._socket = _listen(settings)
        self.port: int = self._socket.getsockname()[1]
        self._status = status
        self._look: Callable[[], Status] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turned_at: float | None = None
        self._exposition = Exposition()
        self._n_open = 0
        self._own = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
        self._thread.start()
        log.info("probes host=%s port=%d", settings.host, self.port)

    def follow(self, loop: asyncio.AbstractEventLoop, look: Callable[[], Status]) -> None:
        """From now on, say what ``look`` does.

        Args:
            loop: In which ``look`` is called; call ``turned`` in it every second or so.
        """
        self._loop, self._look, self._turned_at = loop, look, time.monotonic()

    def turned(self, status: Status | None = None) -> None:
        """Note that the process's loop turns, and how things are."""
        self._turned_at = time.monotonic()
        if status is not None:
            self._status = status

    def close(self) -> None:
        """Answer no more, and give the port back. Doing it again does nothing."""
        if not self._own.is_closed():
            self._own.call_soon_threadsafe(self._over.set)
            self._thread.join(REQUEST_S)

    def _run(self) -> None:
        try:
            self._own.run_until_complete(self._answer_until_closed())
        finally:
            self._own.close()

    async def _answer_until_closed(self) -> None:
        async with await asyncio.start_server(self._serve, sock=self._socket, limit=REQUEST_BYTES):
            await self._over.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._n_open += 1
        try:
            if self._n_open <= CONNECTIONS:
                answer = await self._answer(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_S))
                writer.write(answer)
                await asyncio.wait_for(writer.drain(), REQUEST_S)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks so is not answered
        except Exception as error:
            log.warning("probe_failed why=%r", error)
        finally:
            self._n_open -= 1
            writer.close()

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path not in (b"/metrics", b"/healthz", b"/readyz"):
            return _response(404, State("not ready", f"there is nothing here; there is {ADDRESSES}"), method)
        if method not in (b"GET", b"HEAD"):
            return _response(405, State("not ready", "GET it"), method)
        if path == b"/metrics":
            return _response(200, self._exposition.write(await self._ask()), method)
        if path == b"/healthz":
            why = self._why_stuck()
        else:
            status = await self._ask()
            why = self._why_stuck() or ("" if status.state == "ready" else status.why or status.state)
        return _response(503 if why else 200, State("not ready", why) if why else State("ok"), method)

    def _why_stuck(self) -> str:
        turned_at = self._turned_at
        if turned_at is None or (seconds := time.monotonic() - turned_at) < STUCK_S:
            return ""
        return f"the process's loop has not turned for {seconds:.0f} s"

    async def _ask(self) -> Status:
        """Return how things are now, or how they were last."""
        loop, look = self._loop, self._look
        if loop is None or look is None:
            return self._status
        asked: Future[Status] = Future()

        def answer() -> None:
            if not asked.set_running_or_notify_cancel():
                return
            try:
                asked.set_result(look())
            except Exception as error:
                asked.set_exception(error)

        try:
            loop.call_soon_threadsafe(answer)
            self._status = await asyncio.wait_for(asyncio.wrap_future(asked), PATIENCE_S)
        except Exception as error:  # the loop is busy, or closed
            log.debug("probes_have_the_last_status why=%r", error)
        return self._status


def _listen(settings: TelemetrySettings) -> socket.socket:
    where = f"telemetry.host={settings.host} telemetry.port={settings.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=CONNECTIONS)
    except OSError as error:
        raise SettingsError(
            f"{where}: {error.strerror or error}: set another address or port, each process on a machine its own, or "
            "port 0 to serve none"
        ) from error


_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def _response(code: int, body: bytes | State, method: bytes) -> bytes:
    content_type = CONTENT_TYPE if isinstance(body, bytes) else "application/json"
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    head = (
        f"HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    ).encode()
    return head if method == b"HEAD" else head + content
