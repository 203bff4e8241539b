"""The signals that tell a program to stop: Ctrl-C, SIGTERM, and SIGHUP when its terminal or session goes away."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

EXIT_CODE = 130
"""What a program ends with that Ctrl-C stopped before it was done, or that a second Ctrl-C ended at once."""


def handle_stop_signals(handler: Handler) -> dict[int, Any]:
    """Have ``handler`` called for each of them; return the handlers of before. What `nohup` has ignored stays so.

    It runs in the main thread between two instructions, also while that waits in a write that nobody reads: it must
    take no lock and log nothing.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return {number: signal.signal(number, handler) for number in numbers}


@contextmanager
def exit_on_signal() -> Iterator[None]:
    """Have the first stop signal raise ``SystemExit`` where the program is: what it has opened is closed then."""

    def on_signal(*_: object) -> None:
        restore()
        sys.exit(EXIT_CODE)

    with handling(on_signal) as restore:
        yield


@contextmanager
def handling(handler: Handler) -> Iterator[Callable[[], None]]:
    """Have a handler called for stop signals; yield what brings those of before back, as the end of the block does."""
    before = handle_stop_signals(handler)

    def restore() -> None:
        for number, earlier in before.items():
            signal.signal(number, earlier)

    try:
        yield restore
    finally:
        restore()


def end_with_0() -> None:
    """Until a process that serves has handlers of its own, a stop signal ends it, and a second Ctrl-C at once."""
    came: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        if came:
            end_at_once(number)
        else:
            came.append(number)
            sys.exit(0)

    handle_stop_signals(end)


def end_at_once(number: int) -> None:
    """End the process at once if ``number`` is Ctrl-C; a service manager repeats the others."""
    if number == signal.SIGINT:
        os._exit(EXIT_CODE)
