"""The reporter as one of the services of a worker or an embedder, started before them and stopped after them."""

from __future__ import annotations

from mode import Service

from stream_rec.config import Settings
from stream_rec.telemetry.probes import Probes
from stream_rec.telemetry.process_status import Look
from stream_rec.telemetry.reporter import Reporter


class ReporterService(Service):
    """Starts a reporter, and stops it."""

    def __init__(self, look: Look, probes: Probes | None, settings: Settings) -> None:
        super().__init__()
        self._reporter = Reporter(look, probes, settings.kafka, settings.telemetry)

    async def on_start(self) -> None:
        """Begin to report."""
        self._reporter.start()

    async def on_stop(self) -> None:
        """Say that it stops."""
        await self._reporter.stop()
