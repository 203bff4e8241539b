"""Ctrl-C as a flag: a command finishes its step, says how far it came, and ends. A second Ctrl-C ends it at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from stream_rec.stop_signals import EXIT_CODE, handling

__all__ = ["EXIT_CODE", "interrupt_flag", "stop_if"]


@contextmanager
def interrupt_flag() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, SIGTERM or SIGHUP sets instead of raising in the middle of whatever runs.

    A ``KeyboardInterrupt`` inside kafka-python, between one of its locks and the release, would hang the program.
    """
    interrupted = threading.Event()

    def on_signal(*_: object) -> None:
        interrupted.set()
        restore()

    with handling(on_signal) as restore:
        yield interrupted


@contextmanager
def end_on_interrupt(what_is_left: str) -> Iterator[None]:
    """End the command at Ctrl-C, and say what is left of its work: for commands that speak to no broker."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"stopped by Ctrl-C; {what_is_left}", err=True)
        sys.exit(EXIT_CODE)


def stop_if(interrupted: threading.Event) -> None:
    """End the command, and say so, if Ctrl-C has asked for it."""
    if interrupted.is_set():
        click.echo("stopped by Ctrl-C", err=True)
        sys.exit(EXIT_CODE)
