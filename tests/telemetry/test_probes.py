"""Probes answer while a process starts, works, is stuck and stops; nobody who asks can do it harm."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest

from stream_rec.errors import SettingsError
from stream_rec.events.status import Status
from stream_rec.telemetry import probes as probing
from stream_rec.telemetry.probes import CONNECTIONS, REQUEST_BYTES, Probes
from stream_rec.telemetry.settings import TelemetrySettings

STARTING = Status(
    role="worker", instance_id="w", version="1", started_ms=1, written_ms=1, state="starting", why="compiles kernels"
)
READY = msgspec.structs.replace(STARTING, state="ready", why="", lists=7)
OK = b'{"status":"ok"}'


@pytest.fixture
def probes() -> Iterator[Probes]:
    made = Probes(TelemetrySettings(port=0), STARTING)
    yield made
    made.close()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A process's loop, in a thread of its own."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


def send(probes: Probes, request: bytes) -> bytes:
    """Return all that is answered, until the connection is closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", probes.port), timeout=10) as connection:
        try:
            connection.sendall(request)
            while more := connection.recv(65_536):
                answer += more
        except ConnectionError:
            pass
    return answer


def get(probes: Probes, path: str) -> tuple[int, bytes]:
    head, _, body = send(probes, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


def test_a_process_that_starts_lives_and_is_not_ready(probes: Probes):
    """It says what it is at, and its metrics are there."""
    assert get(probes, "/healthz") == (200, OK)
    assert get(probes, "/readyz") == (503, b'{"status":"not ready","why":"compiles kernels"}')
    assert b"\nstream_rec_ready 0.0\n" in get(probes, "/metrics")[1]


def test_a_process_says_how_it_is_now(probes: Probes, loop: asyncio.AbstractEventLoop):
    """It is asked in its own loop, each time."""
    now, threads = [READY], []

    def look() -> Status:
        threads.append(threading.current_thread())
        return now[0]

    probes.follow(loop, look)

    assert get(probes, "/readyz?verbose=1") == (200, OK)
    assert b"\nstream_rec_lists_total 7.0\n" in get(probes, "/metrics")[1]
    now[0] = msgspec.structs.replace(READY, state="stopping", why="stops")
    assert get(probes, "/readyz")[0] == 503
    assert threading.current_thread() not in threads and len(set(threads)) == 1


def test_a_loop_that_is_busy_has_the_last_answer(
    probes: Probes, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
):
    """And one that does not turn any more is not alive; what is asked then ends with the wait."""
    monkeypatch.setattr(probing, "PATIENCE_S", 0.05)
    probes.follow(loop, lambda: READY)
    assert get(probes, "/readyz") == (200, OK)
    free = threading.Event()
    loop.call_soon_threadsafe(free.wait)
    assert get(probes, "/readyz") == (200, OK)
    assert get(probes, "/healthz") == (200, OK)

    monkeypatch.setattr(probing, "STUCK_S", 0.0)
    code, why = get(probes, "/healthz")
    free.set()
    assert code == 503 and b"has not turned" in why


def test_a_look_that_fails_ends_nothing(probes: Probes, loop: asyncio.AbstractEventLoop):
    """The last that is known is said."""

    def look() -> Status:
        raise ValueError("no")

    probes.follow(loop, look)

    assert get(probes, "/readyz")[0] == 503


@pytest.mark.parametrize(
    ("request_", "begins"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"GET /metrics/../healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 405 "),
        (b"\x16\x03\x01\r\n\r\n", b"HTTP/1.1 404 "),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 2 * REQUEST_BYTES + b"\r\n\r\n", b""),
        (b"", b""),
    ],
)
def test_a_request_that_is_wrong(probes: Probes, monkeypatch: pytest.MonkeyPatch, request_: bytes, begins: bytes):
    """It is told so, or not answered; the next one is."""
    monkeypatch.setattr(probing, "REQUEST_S", 0.2)
    answer = send(probes, request_)

    assert answer.startswith(begins) and bool(answer) == bool(begins)
    assert get(probes, "/healthz") == (200, OK)


def test_a_head_alone_is_asked_for(probes: Probes):
    """As load balancers do."""
    assert send(probes, b"HEAD /healthz HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_who_keeps_connections_open_keeps_others_out_for_a_moment_only(probes: Probes, monkeypatch: pytest.MonkeyPatch):
    """More than there is room for; each has its seconds."""
    monkeypatch.setattr(probing, "REQUEST_S", 0.5)
    idle = [socket.create_connection(("127.0.0.1", probes.port)) for _ in range(CONNECTIONS + 5)]
    deadline = time.monotonic() + 20
    while True:
        try:
            assert get(probes, "/healthz") == (200, OK)
            break
        except (IndexError, ConnectionError):
            assert time.monotonic() < deadline
    for connection in idle:
        connection.close()


def test_a_port_that_is_taken_is_said_before_anything_starts(probes: Probes):
    """With both settings, and what to do."""
    with pytest.raises(SettingsError, match=rf"telemetry.host=127.0.0.1 telemetry.port={probes.port}: .*set another"):
        Probes(TelemetrySettings(port=probes.port), STARTING)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_ours_is_refused(host: str):
    """As a name that nobody knows."""
    with pytest.raises(SettingsError, match=f"telemetry.host={host}"):
        Probes(TelemetrySettings(host=host, port=0), STARTING)


def test_what_is_closed_gives_its_port_back(probes: Probes):
    """At once."""
    probes.close()

    Probes(TelemetrySettings(port=probes.port), STARTING).close()
