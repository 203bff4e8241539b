"""What `stream-rec sink` says of itself."""

from __future__ import annotations

from typing import Any

from stream_rec.runtime.readiness import Readiness
from stream_rec.sink.keeper import Keeper
from stream_rec.telemetry.process_status import ProcessStatus


class SinkStatus(ProcessStatus):
    """How far the target is, and what was put there."""

    def __init__(self, instance_id: str, readiness: Readiness, keeper: Keeper) -> None:
        """Describe a process that starts now."""
        super().__init__("sink", instance_id, readiness)
        self._keeper = keeper

    def fields(self) -> dict[str, Any]:
        """Return what is said, by field of ``Status``."""
        keeper, counts = self._keeper, self._keeper.counts
        return super().fields() | {
            "taken": dict(counts.taken),
            "lag": keeper.lag,
            "rejected": dict(counts.rejected),
            "written": dict(counts.written),
            "deleted": dict(counts.deleted),
            "target_failures": keeper.n_failures,
        }

    def _state(self) -> tuple[str, str]:
        state, why = super()._state()
        if state != "ready":
            return state, why
        if self._keeper.stands_by:
            return state, "stands by: another process writes to this target"
        why = self._keeper.find_why_not_ready()
        return ("starting" if why else state), why
