"""Running time: time in which this process was not kept waiting for a CPU.

On a machine with far more to do than it has CPUs everything is late, and nothing is broken: what is asked of a process
within some seconds is asked of it within some seconds of running time. A process that is stopped has none of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

THREADS = Path("/proc/self/task")


class RunningTime:
    """A clock that stands still while one of the process's threads waits for a CPU, or while it is itself called late.

    Where the system does not say how long threads have waited (it is not Linux), lateness alone counts.
    """

    def __init__(
        self,
        every_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        waits: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        """Begin at 0.

        Args:
            every_s: The longest time from call to call of a process that runs as it wishes.
            waits: Returns how many seconds each thread has waited for a CPU since it began.
        """
        self._every_s = every_s
        self._one_at_a_time = threading.Lock()
        self._clock = clock
        self._waits = waits or waited_s
        self._last = clock()
        self._last_waits = self._waits()
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the running time so far, in seconds."""
        with self._one_at_a_time:
            now, waits, before = self._clock(), self._waits(), self._last_waits
            waited = max((seconds - before.get(thread, 0.0) for thread, seconds in waits.items()), default=0.0)
            self._seconds += max(0.0, min(now - self._last, self._every_s) - max(0.0, waited))
            self._last, self._last_waits = now, waits
            return self._seconds


def waited_s() -> dict[str, float]:
    """Return how many seconds each thread of this process has waited for a CPU since it began, as far as Linux says."""
    waits: dict[str, float] = {}
    for thread in THREADS.iterdir() if THREADS.exists() else ():
        with suppress(OSError, ValueError, IndexError):  # it has just ended, or the statistics are off
            waits[thread.name] = int((thread / "schedstat").read_bytes().split()[1]) / 1e9
    return waits
