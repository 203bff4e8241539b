"""A connection on which a request has to begin in time, and in so many bytes: uvicorn waits, and grows, for ever."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 1 << 16
"""Of a request line and headers; what one read brings may be more."""
HEAD_S = 10.0
"""How long they may take, from the connection's start or the end of the answer before."""


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    _n_bytes = 0
    """That came since the last answer, while no request is there."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; end the connection where it does not become a request."""
        if self._is_waiting:
            self._n_bytes += len(data)
            self._wait()
        super().data_received(data)
        if not self._is_waiting:
            self._n_bytes = 0
            self._cancel()
        elif self._n_bytes > HEAD_BYTES:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._cancel()
        super().connection_lost(exc)

    @property
    def _is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self._end)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._cancel()
        if not self.transport.is_closing():
            self.transport.close()
