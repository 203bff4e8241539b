"""Processes that take all the CPU they can get, for as long as a block runs and not a minute longer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

CODE = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"


@contextmanager
def one_cpu() -> Iterator[None]:
    """Keep this thread, and all processes that it starts, on one CPU: so few hogs do, whatever the machine has."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def hogs(n: int, most_s: float) -> Iterator[None]:
    """Run ``n`` of them, each in a session of its own: Linux shares the CPU among sessions first."""
    with ExitStack() as stack:
        for _ in range(n):
            hog = subprocess.Popen([sys.executable, "-c", CODE, str(most_s)], start_new_session=True)
            stack.enter_context(hog)
            stack.callback(hog.kill)
        yield
