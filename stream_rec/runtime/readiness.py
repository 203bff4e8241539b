"""How far a process is: it starts, is ready, or stops; and what it is at, in words for an operator."""

from __future__ import annotations

from typing import Literal

State = Literal["starting", "ready", "stopping"]


class Readiness:
    """Set by the process itself; read from any thread."""

    def __init__(self) -> None:
        self.state: State = "starting"
        self.why = "starts"
        """Why it is not ready; empty where it is."""

    def say(self, why: str) -> None:
        """Note what a process that starts is at."""
        if self.state == "starting":
            self.why = why

    def ready(self) -> None:
        """Note that it has its partitions and their state."""
        if self.state == "starting":
            self.state, self.why = "ready", ""

    def stopping(self) -> None:
        """Note that it ends."""
        self.state, self.why = "stopping", "stops"
