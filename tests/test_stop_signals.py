"""Which signals tell a program to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from stream_rec.cli.interrupt import interrupt_flag
from stream_rec.stop_signals import handle_stop_signals


@pytest.fixture(autouse=True)
def _handlers_of_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_finishes_its_step_at_each_of_them(number: int):
    """And is told by the flag."""
    with interrupt_flag() as interrupted:
        os.kill(os.getpid(), number)

        assert interrupted.wait(5)


def test_what_nohup_ignores_stays_ignored():
    """`nohup stream-rec worker &` outlives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    came = threading.Event()

    handle_stop_signals(lambda *_: came.set())
    os.kill(os.getpid(), signal.SIGHUP)

    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert not came.is_set()
