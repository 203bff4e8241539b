"""A service answers before a broker is there, says how it is, and ends where it cannot open what it needs."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from prometheus_client.parser import text_string_to_metric_families

from stream_rec.config import Settings, override
from stream_rec.errors import BrokerUnavailable, NotAllowed
from stream_rec.events.status import Status

testing = pytest.importorskip("litestar.testing")

from stream_rec.serving.app import build_app  # noqa: E402
from stream_rec.serving.http_process import HttpProcess, Say  # noqa: E402
from stream_rec.serving.server import run_server  # noqa: E402
from stream_rec.serving.writer import Writer  # noqa: E402
from stream_rec.telemetry import reporter as reporting  # noqa: E402
from tests.kafka.outcome import wait_until  # noqa: E402
from tests.serving.test_app import FakeLists, FakeWriter, event  # noqa: E402
from tests.telemetry.status_broker import StatusBroker  # noqa: E402

SETTINGS = override(Settings(), {"telemetry.status_interval_s": 0.01, "serve.port": 0, "kafka.bootstrap": "one:9092"})


class Opened:
    """A process whose broker answers, and whose reading begins, when a test says so."""

    def __init__(self, writer: Any = None, failure: Exception | None = None) -> None:
        self.answers, self.may_read = threading.Event(), threading.Event()
        self.is_waiting = threading.Event()
        self.failure = failure
        self.ended: list[str] = []
        self.lists = FakeLists()
        writer = writer or FakeWriter()
        self.process = HttpProcess("serve", "serve-1", SETTINGS, writer, self.wait, self.follow)
        self.process.end_with(lambda: self.ended.append("ends"))
        self.app = build_app(self.lists, writer, None, SETTINGS, process=self.process)

    def wait(self, say: Say) -> None:
        say("nobody at one:9092")
        self.is_waiting.set()
        assert self.answers.wait(30)

    def follow(self) -> None:
        assert self.may_read.wait(30)
        if self.failure is not None:
            raise self.failure

    def client(self) -> Any:
        """Return a client; the app runs for as long as its context lasts."""
        return testing.TestClient(self.app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> StatusBroker:
    made = StatusBroker(b"serve/serve-1")
    monkeypatch.setattr(reporting, "new_plain_producer", lambda kafka: made)
    return made


def why(client: Any) -> str:
    """Return why the service is not ready; "" where it is."""
    answer = client.get("/readyz")
    return answer.json().get("why", "")


def until(broker: StatusBroker, fact: Callable[[Status], bool]) -> None:
    """Return when the newest status is so."""
    wait_until(lambda: broker.sent and fact(broker.sent[-1]))


def test_it_answers_while_it_waits_for_a_broker(broker: StatusBroker):
    """It lives, says what it waits for, refuses what it cannot do yet, and goes on by itself."""
    opened = Opened(Writer(SETTINGS.kafka, 1.0, record_bytes=1))
    with opened.client() as client:
        assert opened.is_waiting.wait(30)
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert why(client) == "waits for a broker: nobody at one:9092"
        assert client.get("/v1/popular").json()["detail"] == why(client)
        refused = client.post("/v1/events", json=event())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert broker.sent == []

        opened.answers.set()
        wait_until(lambda: why(client) == "begins to read")


def test_its_status_says_how_it_is_from_the_broker_s_first_answer_to_the_end(broker: StatusBroker):
    """As /readyz does: starting and why, ready, starting again where lists are not there, stopping."""
    opened = Opened()
    with opened.client() as client:
        opened.answers.set()
        until(broker, lambda status: status.why == "begins to read")
        opened.may_read.set()
        until(broker, lambda status: status.state == "ready")
        assert client.get("/readyz").status_code == 200
        opened.lists.why = "reading recommendations from the beginning"
        until(broker, lambda status: status.why == opened.lists.why and status.state == "starting")

    last = broker.sent[-1]
    assert {status.state for status in broker.sent} == {"starting", "ready", "stopping"}
    assert (last.state, last.why, last.role, last.instance_id) == ("stopping", "stops", "serve", "serve-1")
    assert last.rss_mb > 1 and last.cpu_s > 0 and broker.is_left


def test_requests_are_counted_once_for_metrics_and_status(broker: StatusBroker):
    """By route and class: whatever ids are asked for, labels are few. Probes are not counted."""
    opened = Opened()
    opened.answers.set()
    opened.may_read.set()
    with opened.client() as client:
        until(broker, lambda status: status.state == "ready")
        before = broker.sent[-1].requests
        for number in range(3):
            assert client.delete(f"/v1/items/i{number}").status_code == 202
        assert client.delete("/v1/items/%00").status_code == 422
        assert client.get("/healthz").status_code == 200
        route = "DELETE /v1/items/{item_id}"
        until(broker, lambda status: status.requests.get(f"{route} 4xx", 0) > before.get(f"{route} 4xx", 0))
        text = client.get("/metrics").text

    after = broker.sent[-1].requests
    assert {key: n - before.get(key, 0) for key, n in after.items() if n > before.get(key, 0)} == {
        f"{route} 2xx": 3,
        f"{route} 4xx": 1,
    }
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    counted = [sample for sample in samples if sample.name == "stream_rec_requests_total"]
    assert sum(sample.value for sample in counted) == sum(after.values())


def test_who_may_not_write_its_status_says_so_once_and_goes_on(broker: StatusBroker, caplog: pytest.LogCaptureFixture):
    """As on a cluster whose ACLs are those of before."""
    broker.sending = [TopicAuthorizationFailedError("status") for _ in range(1000)]
    opened = Opened()
    opened.answers.set()
    opened.may_read.set()
    with opened.client() as client:
        wait_until(lambda: broker.n_refused > 5)
        assert client.post("/v1/events", json=event()).status_code == 202

    said = [record for record in caplog.records if "status" in record.getMessage()]
    assert len(said) == 1 and said[0].levelno == logging.WARNING
    assert "TopicAuthorizationFailed" in said[0].getMessage()


def test_what_cannot_be_opened_ends_it(broker: StatusBroker):
    """And it says why to who started it."""
    opened = Opened(failure=NotAllowed("may not read"))
    opened.answers.set()
    opened.may_read.set()
    with opened.client():
        wait_until(lambda: opened.ended)

    assert opened.process.failure is opened.failure
    assert broker.sent[-1].state == "stopping"


def test_an_end_does_not_wait_for_a_broker(broker: StatusBroker):
    """None is there, and none comes."""
    opened = Opened()
    with opened.client():
        assert opened.is_waiting.wait(30)

    assert broker.sent == [] and opened.process.failure is None
    opened.answers.set()


def test_who_reads_lists_out_needs_no_faust():
    """It would cost 0.6 s of each start, and 15 MB."""
    parts = ("app", "http_process", "lists", "server", "writer")
    modules = ", ".join(f"stream_rec.serving.{part}" for part in parts)
    code = f"import sys, {modules}; sys.exit('faust' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def signals() -> Iterator[None]:
    """Leave stop signals as they were."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_a_server_ends_with_what_could_not_be_opened(broker: StatusBroker):
    """With its exit code, which says whether another start may mend it."""
    opened = Opened(failure=BrokerUnavailable("none has answered for 60 s"))
    opened.answers.set()
    opened.may_read.set()

    with pytest.raises(BrokerUnavailable) as raised:
        run_server(opened.app, SETTINGS.serve, opened.process)

    assert raised.value is opened.failure and raised.value.exit_code == 75


def test_a_status_is_small(broker: StatusBroker):
    """Every route in every class of status: some KB, once a second."""
    opened = Opened()
    routes = [
        f"{method} {route.path_format}"
        for route in opened.app._app.routes
        for method in getattr(route, "route_handler_map", {})
    ]
    requests = {f"{route} {digit}xx": 10**9 for route in routes for digit in "2345"}

    assert 20 < len(routes) < 80
    assert len(msgspec.json.encode(msgspec.structs.replace(opened.process._status(), requests=requests))) < 12_000
