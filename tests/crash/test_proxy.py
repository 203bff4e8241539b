"""The proxy of the crash matrix does what it says to the bytes between two ends."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.crash.broker import free_ports
from tests.crash.proxy import HOST, Proxy


class Echo(socketserver.BaseRequestHandler):
    """Says what it hears."""

    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before an echo."""
    with socketserver.ThreadingTCPServer((HOST, 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Proxy(server.server_address[1], free_ports(1)[0]) as proxy:
            yield proxy
        server.shutdown()


def client_of(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=5)


def test_a_plain_wire_passes_bytes(proxy: Proxy):
    """As long as nothing is asked of it."""
    with client_of(proxy) as client:
        client.sendall(b"hello")

        assert client.recv(1024) == b"hello"


def test_a_slow_wire_is_late(proxy: Proxy):
    """Each way takes the delay."""
    with client_of(proxy) as client:
        proxy.slow(0.05)
        began = time.monotonic()
        client.sendall(b"hello")

        assert client.recv(1024) == b"hello"
        assert time.monotonic() - began >= 0.1


def test_a_silent_wire_keeps_what_it_was_given(proxy: Proxy):
    """Nothing comes while it is silent, and all of it afterwards, on the same connection."""
    with client_of(proxy) as client:
        proxy.silence()
        client.sendall(b"hello")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1024)
        proxy.heal()
        client.settimeout(5)

        assert client.recv(1024) == b"hello"


def test_a_cut_wire_resets_and_refuses_until_it_is_healed(proxy: Proxy):
    """As a broker's machine that is gone, and back."""
    with client_of(proxy) as client:
        client.sendall(b"hello")
        assert client.recv(1024) == b"hello"
        proxy.cut()
        with pytest.raises(ConnectionError):
            client.recv(1024)
    with pytest.raises(ConnectionError):
        client_of(proxy)
    proxy.heal()
    with client_of(proxy) as client:
        client.sendall(b"again")

        assert client.recv(1024) == b"again"
