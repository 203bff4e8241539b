"""One sink as a process: a thread that copies, beside a loop that says how it is and hears when it is to stop."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import closing
from functools import partial
from types import FrameType

from stream_rec.config import Settings
from stream_rec.operations.permissions import require_permissions
from stream_rec.runtime.ending import bound_exit
from stream_rec.runtime.readiness import Readiness
from stream_rec.sink.copying import TOPICS
from stream_rec.sink.kafka_source import KafkaSource
from stream_rec.sink.keeper import Keeper
from stream_rec.sink.status import SinkStatus
from stream_rec.sink.target import Target
from stream_rec.stop_signals import end_at_once, handle_stop_signals
from stream_rec.telemetry.probes import Probes
from stream_rec.telemetry.reporter import Reporter, open_probes

log = logging.getLogger(__name__)


class Copying:
    """The thread that copies, as the loop sees it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.failure: BaseException | None = None
        """Why it ended by itself."""

    async def run_until(self, stopped: asyncio.Event) -> None:
        """Copy until ``stopped``, and return when it has ended."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def copy() -> None:
            try:
                self._keeper.run()
            except BaseException as error:  # for the loop's thread
                self.failure = error
            loop.call_soon_threadsafe(over.set)

        threading.Thread(target=copy, name="copying", daemon=True).start()
        asked = asyncio.create_task(stopped.wait())
        ended = asyncio.create_task(over.wait())
        await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        self._keeper.stop()
        await ended


def run(settings: Settings, target: Target) -> None:
    """Keep a target equal to users' lists until a stop signal.

    Raises:
        StreamRecError: something that it needs is missing, or a person must mend something.
    """
    kafka, chosen = settings.kafka, settings.sink
    topics = {kafka.topic(name): name for name in TOPICS}
    readiness = Readiness()
    source = partial(KafkaSource, kafka, list(topics), chosen.batch_records)
    keeper = Keeper(lambda: closing(source()), target, topics)
    status = SinkStatus(chosen.instance_id, readiness, keeper)
    with open_probes(status, settings.telemetry) as probes:
        require_permissions(kafka, read=TOPICS)
        readiness.ready()
        copying = Copying(keeper)
        asyncio.run(_run(copying, status, readiness, probes, settings))
        bound_exit()
    if copying.failure is not None:
        raise copying.failure


async def _run(
    copying: Copying, status: SinkStatus, readiness: Readiness, probes: Probes | None, settings: Settings
) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if readiness.state == "stopping":
            end_at_once(number)
            return
        readiness.stopping()
        loop.call_soon_threadsafe(stopped.set)

    handle_stop_signals(stop)
    reporter = Reporter(status, probes, settings.kafka, settings.telemetry)
    reporter.start()
    try:
        log.info("started instance=%s", settings.sink.instance_id)
        await copying.run_until(stopped)
        readiness.stopping()
    finally:
        await reporter.stop()
    log.info("stopped")
