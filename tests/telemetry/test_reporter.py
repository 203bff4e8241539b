"""What a process says of itself is true, and nothing that goes wrong with saying it ends the process."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import pytest
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from stream_rec.events.status import Status
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.readiness import Readiness
from stream_rec.telemetry import reporter as reporting
from stream_rec.telemetry.process_status import ProcessStatus
from stream_rec.telemetry.reporter import Reporter, is_watched
from stream_rec.telemetry.settings import TelemetrySettings
from tests.telemetry.status_broker import StatusBroker


def status_of() -> ProcessStatus:
    return ProcessStatus("worker", "worker-1", Readiness())


def report(broker: StatusBroker, monkeypatch: pytest.MonkeyPatch, look=None) -> None:
    """Report until three statuses are written."""
    telemetry = TelemetrySettings(status_interval_s=0.001)
    monkeypatch.setattr(reporting, "new_plain_producer", lambda kafka: broker)

    async def run() -> None:
        broker.told = asyncio.Event()
        reporter = Reporter(look or status_of(), None, KafkaSettings(), telemetry)
        reporter.start()
        await asyncio.wait_for(broker.told.wait(), 30)
        await reporter.stop()

    asyncio.run(run())


def test_what_the_broker_does_not_take_is_lost_and_said_once(monkeypatch, caplog: pytest.LogCaptureFixture):
    """It is away, it refuses, it takes: one line for each that is new, and the next status is written."""
    caplog.set_level(logging.WARNING)
    broker = StatusBroker()
    broker.starting = [KafkaConnectionError("away") for _ in range(5)]
    broker.sending = [TopicAuthorizationFailedError("status") for _ in range(5)]

    report(broker, monkeypatch)

    said = [record.getMessage() for record in caplog.records if record.name == reporting.__name__]
    assert len(said) == 2 and "away" in said[0] and "TopicAuthorizationFailed" in said[1]
    assert len(broker.sent) >= 3 and broker.is_left
    assert broker.sent[-1].written_ms >= broker.sent[0].written_ms >= broker.sent[0].started_ms


def test_a_process_that_cannot_be_looked_at_goes_on(monkeypatch):
    """Not even that ends it."""
    fine = status_of()
    faults = [ValueError("no")] * 3

    class Faulty:
        def __call__(self) -> Status:
            if faults:
                raise faults.pop()
            return fine()

        async def measure(self) -> None:
            raise ValueError("neither")

    broker = StatusBroker()
    report(broker, monkeypatch, Faulty())

    assert len(broker.sent) >= 3


def test_an_end_comes_even_where_a_client_swallows_that_it_is_cancelled(monkeypatch):
    """As ``asyncio.wait_for`` does in Python 3.11 when what it waits for is done at the same moment."""
    broker = StatusBroker()
    monkeypatch.setattr(reporting, "new_plain_producer", lambda kafka: broker)

    async def run() -> None:
        is_sending = asyncio.Event()

        async def swallow(topic: str, value: bytes, *, key: bytes) -> None:
            is_sending.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

        monkeypatch.setattr(broker, "send_and_wait", swallow)
        reporter = Reporter(status_of(), None, KafkaSettings(), TelemetrySettings(status_interval_s=60))
        reporter.start()
        await is_sending.wait()
        monkeypatch.undo()
        async with asyncio.timeout(10):
            await reporter.stop()

    asyncio.run(run())
    assert broker.is_left and [status.role for status in broker.sent] == ["worker"]


@pytest.mark.parametrize(("port", "interval_s", "expected"), [(0, 0.0, False), (1, 0.0, True), (0, 1.0, True)])
def test_nothing_is_measured_that_nobody_may_see(port: int, interval_s: float, expected: bool):
    """Neither port nor status: no service runs, and no list is judged."""
    telemetry = TelemetrySettings(port=port, status_interval_s=interval_s)

    assert is_watched(telemetry) is expected
