"""One process with one Faust app, started, watched and ended as our delivery guarantees need it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import faust
import uvloop
from aiokafka import AIOKafkaProducer
from mode import Service

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.clients import new_producer
from stream_rec.runtime.ending import bound_exit
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.readiness import Readiness
from stream_rec.runtime.watchdog import Watchdog
from stream_rec.stop_signals import end_at_once, handle_stop_signals

log = logging.getLogger(__name__)

READY_FILE = "ready"
"""Lies in the instance's directory while the process is ready: the readiness probe."""


class ProducerService(Service):
    """The process's own idempotent producer, started before the app and stopped after it."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        super().__init__()
        self._producer = producer

    async def on_start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def on_stop(self) -> None:
        """Leave; what was sent and awaited is acknowledged."""
        await self._producer.stop()


class Process(faust.Worker):
    """A Faust worker that keeps our logging, tells when it is ready, and cannot hang unseen."""

    def __init__(
        self,
        app: faust.App,
        *services: Service,
        watchdog: Watchdog,
        readiness: Readiness,
        directory: Path,
        **options: Any,
    ) -> None:
        # quiet: it would print at Ctrl-C, into a pipe that may be dead by then, and never come to stopping
        super().__init__(app, *services, quiet=True, redirect_stdouts=False, loglevel="INFO", **options)
        self.spinner = None
        self._watchdog = watchdog
        self._readiness = readiness
        self._ready_file = directory / READY_FILE

    def _setup_logging(self) -> None:
        """Leave logging as the command line set it up."""

    def _setproctitle(self, info: str, *, ident: str = "stream-rec") -> None:
        """Leave the process its command line."""

    async def on_startup_finished(self) -> None:
        """Say that the process is ready: it has its partitions and their state."""
        await super().on_startup_finished()
        self._watchdog.is_ready.set()
        self._readiness.ready()
        log.info("ready instance=%s", self.app.conf.consumer_group_instance_id)
        self._ready_file.touch()  # last: who waits for it finds all else done

    def install_signal_handlers(self) -> None:
        """Stop at the first stop signal; a second Ctrl-C ends the process at once, whatever it waits for."""
        handle_stop_signals(self._on_stop_signal)

    def _on_stop_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._watchdog.is_stopping:
            end_at_once(number)
        elif not self.loop.is_closed():  # else it has ended by itself
            self._watchdog.stopping()  # the loop may be stuck
            self._readiness.stopping()
            self._flag_as_shutdown_by_signal()
            self.loop.call_soon_threadsafe(self._schedule_shutdown, signal.Signals(number))

    def _schedule_shutdown(self, signal_: signal.Signals) -> None:
        self._ready_file.unlink(missing_ok=True)
        log.info("stopping signal=%s", signal_.name)
        super()._schedule_shutdown(signal_)


def run(
    app: faust.App,
    lease: Lease,
    kafka: KafkaSettings,
    directory: Path,
    services: Callable[[AIOKafkaProducer], list[Service]],
    *,
    ready_timeout_s: float,
    readiness: Readiness | None = None,
) -> None:
    """Run an app until it is told to stop; ends with ``SystemExit``.

    Args:
        lease: Under which everything is sent; ``app`` renews it.
        directory: The instance's own.
        services: Makes what runs beside the app (and defines its agents), given the process's producer.
        ready_timeout_s: A process that is not ready after so long ends, for its supervisor to start it again.
        readiness: Is told how far the process is.
    """
    ready_file = directory / READY_FILE
    ready_file.unlink(missing_ok=True)
    watchdog = Watchdog(app, ready_timeout_s=ready_timeout_s)
    watchdog.start()
    loop = uvloop.new_event_loop()

    async def prepared() -> list[Service]:
        producer = new_producer(kafka, lease)  # belongs to the loop in which it is made
        return [ProducerService(producer), *services(producer)]

    process = Process(
        app,
        *loop.run_until_complete(prepared()),
        watchdog=watchdog,
        readiness=readiness or Readiness(),
        directory=directory,
        loop=loop,
    )
    try:
        process.execute_from_commandline()
    finally:
        ready_file.unlink(missing_ok=True)
        watchdog.finish()
        bound_exit()
