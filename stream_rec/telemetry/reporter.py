"""Says how a process is: to its probes, and every so often on ``status``.

It has a producer of its own, so that nothing that goes wrong with what it sends touches lists or states. What the
broker does not take is lost; the next one says the same and more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
from aiokafka import AIOKafkaProducer

from stream_rec.events.status import Status, key_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.plain_producer import new_plain_producer
from stream_rec.telemetry.probes import Probes
from stream_rec.telemetry.process_status import Look
from stream_rec.telemetry.settings import TelemetrySettings

log = logging.getLogger(__name__)

TURN_S = 1.0
MEASURE_S = 5.0
"""At least, between two looks at the whole catalog."""
SEND_S = 10.0
"""How long one status may take; the next waits."""
LAST_WORDS_S = 2.0
"""How long a process that ends waits for the broker to take its last status, and to be left."""


@contextmanager
def open_probes(look: Look, telemetry: TelemetrySettings) -> Iterator[Probes | None]:
    """Answer at ``telemetry.port`` for as long as the context lasts; None where nothing is to be served.

    Raises:
        SettingsError: the address cannot be had.
    """
    if not telemetry.port:
        yield None
        return
    probes = Probes(telemetry, look())
    try:
        yield probes
    finally:
        probes.close()


def is_watched(telemetry: TelemetrySettings) -> bool:
    """Return whether anybody may come to know what a process counts."""
    return telemetry.port > 0 or telemetry.status_interval_s > 0


class Reporter:
    """Reports for one process, in its event loop. Start it first of all: it says what a process that starts is at."""

    _producer: AIOKafkaProducer | None = None
    """None until a broker has answered."""

    def __init__(self, look: Look, probes: Probes | None, kafka: KafkaSettings, telemetry: TelemetrySettings) -> None:
        """Describe what is reported; nothing is sent yet."""
        self._look = look
        self._probes = probes
        self._kafka = kafka
        self._interval_s = telemetry.status_interval_s
        self._measured_at = float("-inf")
        self._complaints: dict[str, str] = {}
        """By what was tried: what went wrong last."""
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Let the probes see how it is, and begin to write; call it in the process's loop."""
        loop = asyncio.get_running_loop()
        if self._probes is not None:
            self._probes.follow(loop, self._look)
        self._tasks = [loop.create_task(self._turn()), loop.create_task(self._write())]

    async def stop(self) -> None:
        """Say that it stops, as far as the broker takes it at once; where it was not started, do nothing."""
        self._stopped.set()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            if self._producer is not None:
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._send(self._look())
        except Exception as error:
            if repr(error) not in self._complaints.values():
                log.warning("lost_last_status why=%r", error)
        finally:
            await self._leave()

    async def _turn(self) -> None:
        while not self._stopped.is_set():
            if self._probes is not None:
                self._probes.turned()
            if time.monotonic() - self._measured_at > MEASURE_S:
                self._measured_at = time.monotonic()
                await self._try(self._look.measure)
            await self._pause(TURN_S)

    async def _write(self) -> None:
        while self._interval_s > 0 and not self._stopped.is_set():
            await self._try(self._say)
            await self._pause(self._interval_s)

    async def _pause(self, seconds: float) -> None:
        """Wait, or until it stops: that a task is cancelled may be lost in what it called."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    async def _say(self) -> None:
        """Send a status; raises what went wrong."""
        async with asyncio.timeout(SEND_S):
            await self._send(self._look())

    async def _send(self, status: Status) -> None:
        if self._producer is None:
            producer = new_plain_producer(self._kafka)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        value = msgspec.json.encode(status)
        await self._producer.send_and_wait(self._kafka.topic("status"), value, key=key_of(status))

    async def _try(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something; what goes wrong is said once, until something else does, and ends nothing."""
        name = act.__name__
        try:
            await act()
        except Exception as error:
            if self._complaints.get(name) != (complaint := repr(error)):
                log.warning("status_not_written why=%s", complaint)
            self._complaints[name] = complaint
        else:
            self._complaints.pop(name, None)

    async def _leave(self) -> None:
        producer, self._producer = self._producer, None
        try:
            if producer is not None:
                async with asyncio.timeout(LAST_WORDS_S):
                    await producer.stop()
        except Exception as error:
            log.debug("left_the_broker why=%r", error)
