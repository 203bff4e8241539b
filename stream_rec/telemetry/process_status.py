"""What every process says of itself, whatever it does."""

from __future__ import annotations

import time
from typing import Any, Protocol

import psutil

from stream_rec import __version__
from stream_rec.events.status import Status
from stream_rec.runtime.readiness import Readiness


class Look(Protocol):
    """How a process is now."""

    def __call__(self) -> Status:
        """Return it, in some tenths of a millisecond."""

    async def measure(self) -> None:
        """Measure what takes longer, for the next calls; call it every few seconds."""


class ProcessStatus:
    """Who it is, how far it is, and what it takes of its machine."""

    def __init__(self, role: str, instance_id: str, readiness: Readiness) -> None:
        """Describe a process that starts now."""
        self.readiness = readiness
        self._role = role
        self._instance_id = instance_id
        self._process = psutil.Process()
        self._started_ms = _now_ms()

    def __call__(self) -> Status:
        """Return how it is."""
        return Status(**self.fields())

    async def measure(self) -> None:
        """Measure nothing: all is at hand."""

    def fields(self) -> dict[str, Any]:
        """Return what is said, by field of ``Status``."""
        state, why = self._state()
        with self._process.oneshot():
            times, memory = self._process.cpu_times(), self._process.memory_info()
        return {
            "role": self._role,
            "instance_id": self._instance_id,
            "version": __version__,
            "started_ms": self._started_ms,
            "written_ms": _now_ms(),
            "state": state,
            "why": why,
            "rss_mb": round(memory.rss / 1e6, 1),
            "cpu_s": round(times.user + times.system, 2),
        }

    def _state(self) -> tuple[str, str]:
        return self.readiness.state, self.readiness.why


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
