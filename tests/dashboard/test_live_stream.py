"""The stream of live figures over a real connection: who goes makes room, and no page keeps the service from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("litestar.testing")

from tests.dashboard.shop_page import Page  # noqa: E402
from tests.kafka.outcome import wait_until  # noqa: E402


def test_who_goes_makes_room_and_who_stays_is_sent_away_at_the_end():
    """Of two that may listen the third is refused, until one of them has closed its page."""
    page = Page(listeners=2)
    server = uvicorn.Server(uvicorn.Config(page.app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/dashboard/api/live"
    with httpx.Client(timeout=20) as client:
        first, leave_first = listen(client, address)
        second, _ = listen(client, address)
        assert next(first).startswith("data: {") and next(second).startswith("data: {")
        refused = client.get(address)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        leave_first()
        wait_until(lambda: page.live.n_listeners == 1)
        third, _ = listen(client, address)
        assert next(third).startswith("data: {")
        page.live.close()
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive() and page.live.n_listeners == 0


def listen(client: httpx.Client, address: str) -> tuple[object, Callable[[], None]]:
    """Return the lines of a stream as they come, and what ends it."""
    answer = client.send(client.build_request("GET", address), stream=True)
    return answer.iter_lines(), answer.close
