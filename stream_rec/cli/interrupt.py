"""Ctrl-C as a flag: a command finishes its step, says how far it came, and ends. A second Ctrl-C ends it at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

EXIT_CODE = 130
"""What a command ends with that Ctrl-C stopped before it was done."""


@contextmanager
def interrupt_flag() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets instead of raising in the middle of whatever runs.

    A ``KeyboardInterrupt`` inside kafka-python, between one of its locks and the release, would hang the program.
    """
    interrupted = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(*_: object) -> None:
        interrupted.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield interrupted
    finally:
        restore()


def stop_if(interrupted: threading.Event) -> None:
    """End the command, and say so, if Ctrl-C has asked for it."""
    if interrupted.is_set():
        click.echo("stopped by Ctrl-C", err=True)
        sys.exit(EXIT_CODE)
