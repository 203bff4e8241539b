"""The wire between the pipeline and its broker: a TCP proxy that can be slow, silent, or gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

import uvloop

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 20
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER for 0 seconds."""


class Proxy:
    """Listens on a port of its own and passes bytes on, both ways, in a thread of its own."""

    def __init__(self, upstream_port: int, port: int) -> None:
        """Name the ports; nothing listens yet."""
        self.port = port
        self._upstream_port = upstream_port
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._delay_s = 0.0
        self._may_pass = asyncio.Event()
        self._may_pass.set()

    def slow(self, delay_s: float) -> None:
        """Hold back each piece for ``delay_s``, both ways; later pieces wait behind it."""
        self._delay_s = delay_s

    def silence(self) -> None:
        """Let nothing through, and let nobody notice: connections stay open and new ones are taken."""
        self._loop.call_soon_threadsafe(self._may_pass.clear)

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._run(self._cut())

    def heal(self) -> None:
        """Be a plain wire again. What was held back is passed on."""
        self._delay_s = 0.0
        self._loop.call_soon_threadsafe(self._may_pass.set)
        self._run(self._listen())

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.port, limit=CHUNK_BYTES)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            if (end := writer.get_extra_info("socket")) is not None:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()

    async def _end(self) -> None:
        await self._cut()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(HOST, self._upstream_port, limit=CHUNK_BYTES)
        except OSError:  # the broker is down: so are we, for this client
            writer.transport.abort()
            return
        ends = {writer, upstream[1]}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._pass(reader, upstream[1]))
                both_ways.create_task(self._pass(upstream[0], writer))
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes until either side ends; then the other end is closed too."""
        with contextlib.suppress(OSError, RuntimeError):  # uvloop's word for a connection that was cut meanwhile
            while data := await reader.read(CHUNK_BYTES):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await self._may_pass.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
