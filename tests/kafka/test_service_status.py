"""`serve` and `dashboard` beside a broker that comes late, and what they say of themselves on a real one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from stream_rec.broker.lifecycle import start_broker, stop_broker
from stream_rec.config import BrokerSettings, Settings, as_toml, override
from stream_rec.events.item import Item
from stream_rec.events.status import Status
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings
from tests.kafka.test_telemetry import ask, free_port, statuses

pytest.importorskip("litestar")

pytestmark = pytest.mark.kafka

ROLES = ("serve", "dashboard")


class Service:
    """A service that runs, as its probes and its log show it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def ask(self, path: str) -> tuple[int, str]:
        """Return what it answers; 0 where it does not. Fails where it has ended."""
        assert self.process.poll() is None, self.log.read_text()
        return ask(self.port, path)

    @property
    def why(self) -> str:
        """Why it is not ready; "" where it is, or does not answer yet."""
        return json.loads(self.ask("/readyz")[1] or "{}").get("why", "")

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def started(role: str, settings: Settings, folder: Path) -> Iterator[Service]:
    """Start a service, and give it at once; it is killed where it was not stopped."""
    port = free_port()
    flags = {f"{role}.port": port, f"{role}.data_dir": str(folder / role), "telemetry.status_interval_s": 0.2}
    file, log = folder / f"{role}.toml", folder / f"{role}.log"
    file.write_text(as_toml(msgspec.to_builtins(override(settings, flags))))
    command = [sys.executable, "-m", "stream_rec", "--config", str(file), role]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield Service(process, port, log)
        finally:
            process.kill()


@pytest.mark.parametrize(("role", "path"), [("serve", "/v1/popular"), ("dashboard", "/dashboard/api/users")])
def test_a_service_says_on_the_topic_how_it_is(bootstrap: str, tmp_path: Path, role: str, path: str) -> None:
    """Ready once it is, what it has answered, and at its end that it stops; a worker's own status stays as it is."""
    settings = quick_settings(telemetry={"status_interval_s": 0.2})
    with RunningPipeline(bootstrap, settings, embedder=False) as running:
        with running.producer() as producer:
            producer.item(Item("kettle", title="copper kettle"))

        def said() -> Status | None:
            return statuses(running).get(f"{role}/{role}-1")

        def answers(fact: Callable[[Status], object]) -> bool:
            return (status := said()) is not None and bool(fact(status))

        with started(role, running.settings, tmp_path) as service:
            wait_until(lambda: answers(lambda status: status.state == "ready"))
            assert service.ask("/readyz") == (200, '{"status":"ok"}')
            wait_until(lambda: service.ask(path)[0] == 200)
            wait_until(lambda: answers(lambda status: status.requests.get(f"GET {path} 2xx")))
            before = said()
            wait_until(lambda: answers(lambda status: status.written_ms > before.written_ms))
            assert service.stop() == 0
        last = said()
        assert "worker/worker-1" in statuses(running)

    assert (last.state, last.why, last.started_ms) == ("stopping", "stops", before.started_ms)
    assert last.rss_mb > 10 and last.cpu_s > 0 and last.version
    assert "status_not_written" not in service.log.read_text()


@pytest.mark.parametrize("role", ROLES)
def test_a_service_that_was_there_before_its_broker_waits_for_it(tmp_path: Path, role: str) -> None:
    """It lives, says what it waits for, and is ready by itself once the broker is there."""
    broker = BrokerSettings(data_dir=str(tmp_path / "broker"), port=free_port(), preferred_port=0, controller_port=0)
    settings = Settings(broker=broker)
    try:
        with RunningPipeline(start_broker(settings, {}).bootstrap, quick_settings(), workers=0, embedder=False) as made:
            stop_broker(broker)
            with started(role, made.settings, tmp_path) as service:
                wait_until(lambda: service.why.startswith("waits for a broker: no Kafka broker answers at 127.0.0.1:"))
                assert service.ask("/readyz")[0] == 503
                assert service.ask("/healthz") == (200, '{"status":"ok"}')
                start_broker(settings, {})
                wait_until(lambda: service.ask("/readyz")[0] == 200)
                wait_until(lambda: f"{role}/{role}-1" in statuses(made))
                assert service.stop() == 0
            said = service.log.read_text()
    finally:
        stop_broker(broker)
    assert said.count("waits_for_broker seconds=60 why=") == 1
    assert "status_not_written" not in said and "begins_anew" not in said


@pytest.mark.parametrize("role", ROLES)
def test_a_service_that_waits_ends_when_it_is_told_to(tmp_path: Path, role: str) -> None:
    """At once, with 0: nothing has gone wrong."""
    settings = override(quick_settings(), {"kafka.bootstrap": f"127.0.0.1:{free_port()}"})
    with started(role, settings, tmp_path) as service:
        wait_until(lambda: service.why.startswith("waits for a broker: "))
        assert service.stop() == 0
