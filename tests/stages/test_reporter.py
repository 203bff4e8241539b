"""What a process says of itself is true, and nothing that goes wrong with saying it ends the process."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from stream_rec.config import Settings
from stream_rec.events.item import Item
from stream_rec.events.status import Status
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.readiness import Readiness
from stream_rec.stages import reporter as reporting
from stream_rec.stages.reporter import Reporter, is_watched
from stream_rec.stages.status import WorkerStatus
from stream_rec.telemetry.counts import Counts
from stream_rec.telemetry.settings import TelemetrySettings
from tests.stages.stage import SETTINGS, Stage, message


class Broker:
    """A broker that takes what it is sent, or what it says instead; and how often it was asked."""

    def __init__(self) -> None:
        self.starting: list[Exception] = []
        self.sending: list[Exception] = []
        self.sent: list[Status] = []
        self.is_left = False
        self.told = asyncio.Event()

    async def start(self) -> None:
        if self.starting:
            raise self.starting.pop(0)

    async def stop(self) -> None:
        self.is_left = True

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes) -> None:
        assert (topic, key) == ("status", b"worker/worker-1")
        if self.sending:
            raise self.sending.pop(0)
        self.sent.append(msgspec.json.decode(value, type=Status))
        if len(self.sent) == 3:
            self.told.set()


def status_of(settings: Settings = SETTINGS, clock=lambda: 0.0) -> WorkerStatus:
    return WorkerStatus(Lease(15.0, clock=clock), Readiness(), Counts(), settings)


def report(broker: Broker, monkeypatch: pytest.MonkeyPatch, look=None) -> None:
    """Report until three statuses are written."""
    telemetry = TelemetrySettings(status_interval_s=0.001)
    settings = msgspec.structs.replace(SETTINGS, telemetry=telemetry)
    monkeypatch.setattr(reporting, "new_plain_producer", lambda kafka: broker)

    async def run() -> None:
        broker.told = asyncio.Event()
        reporter = Reporter(look or status_of(settings), None, settings)
        await reporter.start()
        await asyncio.wait_for(broker.told.wait(), 30)
        await reporter.stop()

    asyncio.run(run())


def test_what_the_broker_does_not_take_is_lost_and_said_once(monkeypatch, caplog: pytest.LogCaptureFixture):
    """It is away, it refuses, it takes: one line for each that is new, and the next status is written."""
    caplog.set_level(logging.WARNING)
    broker = Broker()
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

    broker = Broker()
    report(broker, monkeypatch, Faulty())

    assert len(broker.sent) >= 3


def test_a_process_says_how_far_it_is():
    """It starts, is ready, is not while nobody confirms it, and stops."""
    now_s = [0.0]
    status = status_of(clock=lambda: now_s[0])
    status.readiness.say("compiles kernels")
    assert (status().state, status().why) == ("starting", "compiles kernels")
    status.readiness.ready()
    assert (status().state, status().why) == ("ready", "")
    status._lease.renew(0.0)
    now_s[0] = 7.4
    assert status().state == "ready"
    now_s[0] = 9.0
    assert status().state == "starting" and "for 9 s" in status().why
    status.readiness.stopping()
    status.readiness.ready()
    assert (status().state, status().why) == ("stopping", "stops")


def test_a_worker_says_what_it_has_counted_and_knows(run):
    """Lists, rejections, drifts; the catalog, the head and how lists are spread."""

    async def scenario(stage: Stage) -> None:
        status = WorkerStatus(Lease(15.0), Readiness(), stage.counts, SETTINGS)
        status.watch_lists(stage.recommender, stage.published, SimpleNamespace(n_open=0))
        bad = msgspec.structs.replace(message(7), value=b"click!")
        for number in range(30):
            stage.recommender.catalog.put_item(Item(f"another-{number}"))
        for number in range(6):
            await stage.handle(message(number))
        await stage.handle(bad)
        stage.counts.drifted(5)
        await status.measure()
        said = status()

        assert (said.lists, said.rejected, sum(said.event_to_list)) == (6, {"not_json": 1}, 7)
        assert (said.items, said.users, said.learned) == (38, 5, stage.head.n_choices)
        assert said.coverage == said.shown_items / 38 > 0 and 0 < said.fresh_share <= 1 and 0 < said.gini < 1
        assert said.head.choices == said.learned > 0 and (said.head.drifts, said.head.drifted_ms) == (1, 5)
        assert 0 < said.head.loss <= 10 and said.rss_mb > 1 and said.cpu_s > 0
        assert msgspec.json.decode(msgspec.json.encode(said), type=Status) == said

    run(scenario)


@pytest.mark.parametrize(("port", "interval_s", "expected"), [(0, 0.0, False), (1, 0.0, True), (0, 1.0, True)])
def test_nothing_is_measured_that_nobody_may_see(port: int, interval_s: float, expected: bool):
    """Neither port nor status: no service runs, and no list is judged."""
    telemetry = TelemetrySettings(port=port, status_interval_s=interval_s)

    assert is_watched(msgspec.structs.replace(SETTINGS, telemetry=telemetry)) is expected
