"""Digests of events that came too long ago to matter, deleted a few at a time, also of users who never come back.

What is too long ago is measured back from the records that are still to be taken, not from now: a worker that was off
for days takes events that came days ago, and their duplicates are as old.
"""

from __future__ import annotations

import logging
from functools import partial

import faust
from faust.types import TP
from mode import Service

from stream_rec.config import Settings
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.runtime.consumer import consumer_of
from stream_rec.runtime.table import Table
from stream_rec.user import seen

log = logging.getLogger(__name__)

SWEEP_S = 1.0
CHUNKS_AT_ONCE = 100
"""Of one partition, in each ``SWEEP_S`` of the next: under a millisecond of work, 360,000 chunks an hour."""
CLOCKS_MS = 3_600_000
"""How far the clocks of broker and worker may be apart, and how old the last word on the end of a topic may be."""


class Expiry(Service):
    """Keeps the archive of who did what within its window."""

    def __init__(self, app: faust.App, table: Table, settings: Settings) -> None:
        """Describe what to sweep.

        Args:
            table: Of users.
        """
        super().__init__()
        self._app = app
        self._table = table
        self._topics = [settings.kafka.topic(topic) for topic in SOURCE_OF_TOPIC]
        self._kept_ms = 1000 * settings.user.deduplication_window_s + CLOCKS_MS
        self._partition = -1
        self._next: bytes | None = None

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            await self.sleep(SWEEP_S)
            await self.sweep()

    async def sweep(self) -> None:
        """Look at the next chunks, and delete those that are over."""
        owned = self._table.partitions
        if not owned:
            return
        if self._next is None or self._partition not in owned:
            self._partition = next((number for number in owned if number > self._partition), owned[0])
            self._next = None
        if (before_ms := self._over_before_ms(self._partition)) is None:
            self._next = None  # the next partition's turn
            return
        self._next, n_deleted = await self._table.sweep(
            self._partition,
            seen.PREFIX,
            partial(seen.is_over, before_ms=before_ms),
            first=self._next,
            most=CHUNKS_AT_ONCE,
        )
        if n_deleted:
            log.info("expired_digests partition=%d chunks=%d", self._partition, n_deleted)

    def _over_before_ms(self, partition: int) -> float | None:
        """Return before which moment events must have come that no event still to be taken can be a duplicate of."""
        reached = [consumer_of(self._app).reached_ms(TP(topic, partition)) for topic in self._topics]
        known = [moment for moment in reached if moment is not None]
        return min(known) - self._kept_ms if len(known) == len(reached) else None
