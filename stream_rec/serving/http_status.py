"""What `stream-rec serve` and `stream-rec dashboard` say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream_rec.serving.request_counts import count_requests
from stream_rec.telemetry.process_status import ProcessStatus


class HttpStatus(ProcessStatus):
    """How far it is, as its ``/readyz`` says, and what it has answered."""

    _find_why_not_ready: Callable[[], str] | None = None

    def watch(self, find_why_not_ready: Callable[[], str]) -> None:
        """From now on, say what ``find_why_not_ready`` says: "" when it is."""
        self._find_why_not_ready = find_why_not_ready

    def fields(self) -> dict[str, Any]:
        """Return what is said, by field of ``Status``."""
        return super().fields() | {"requests": count_requests()}

    def _state(self) -> tuple[str, str]:
        state, why = super()._state()
        if state == "ready" and self._find_why_not_ready is not None and (why := self._find_why_not_ready()):
            return "starting", why
        return state, why
