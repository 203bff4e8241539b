"""Slow and endless clients, over real connections: they take nobody's place for long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

uvicorn = pytest.importorskip("uvicorn")

from stream_rec.serving import connection, gate  # noqa: E402
from stream_rec.serving.connection import Connection  # noqa: E402
from tests.kafka.outcome import wait_until  # noqa: E402
from tests.serving.test_app import Service, event  # noqa: E402

WAIT_S = 30.0
POST = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
GET = b"GET /v1/popular?n=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    """Give a connection to the app, which listens in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(service.app, port=0, http=Connection, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        with socket.create_connection(server.servers[0].sockets[0].getsockname(), WAIT_S) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def read_answer(client: socket.socket) -> bytes:
    """Return an answer, head and body; b"" where the connection ends instead."""
    read = b""
    while b"\r\n\r\n" not in read:
        if not (part := client.recv(65_536)):
            return read
        read += part
    head, _, body = read.partition(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < int(length.partition(b":")[2]):
        body += client.recv(65_536)
    return head + body


def test_requests_follow_each_other():
    """On one connection; the head may come in parts."""
    with connected(Service()) as client:
        for _ in range(3):
            client.sendall(GET[:20])
            client.sendall(GET[20:])
            assert read_answer(client).startswith(b"HTTP/1.1 200")


def test_a_body_has_to_come_in_time(monkeypatch):
    """Else so many slow clients as may be under way would keep out all others."""
    monkeypatch.setattr(gate, "BODY_S", 0.1)
    with connected(service := Service(concurrency=1)) as client:
        client.sendall(POST + b"[")
        answer = read_answer(client)
        assert answer.startswith(b"HTTP/1.1 408") and b"has not come within 0.1 s" in answer
        assert client.recv(1) == b""
    assert service.ask("POST", "/v1/events", event()).status_code == 202


@pytest.mark.parametrize("begins", [b"", GET[:20], GET + GET[:20]])
def test_a_request_has_to_begin_in_time(monkeypatch, begins):
    """The first of a connection, and each further one."""
    monkeypatch.setattr(connection, "HEAD_S", 0.1)
    with connected(Service()) as client:
        client.sendall(begins)
        if begins.startswith(GET):
            assert read_answer(client).startswith(b"HTTP/1.1 200")
        assert client.recv(1) == b""


def test_headers_have_an_end():
    """They are kept until all are there."""
    with connected(Service()) as client:
        client.settimeout(5.0)  # less than they have time for
        client.sendall(GET[:-2])
        with suppress(ConnectionError):
            for number in range(10_000):
                client.sendall(f"X-{number}: {'x' * 1000}\r\n".encode())
            assert client.recv(1) == b""


def test_a_refusal_says_how_long_it_is():
    """Whoever speaks HTTP/1.0 knows no chunks."""
    with connected(Service()) as client:
        client.sendall(b"GET /v1/popular HTTP/1.0\r\n\r\n")
        answer = read_answer(client)
        assert answer.startswith(b"HTTP/1.1 403") and answer.endswith(b"}")
