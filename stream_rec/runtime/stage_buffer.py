"""What waits for a stage: one fetch after another puts records in as long as there is room, batches take them out.

Faust's ``noack_take`` closes a batch a few milliseconds after the one before, however many records wait: behind a
backlog that were batches of 60, each with its own round trips to the broker, and the stage that had most waiting made
the other starve. Here a batch is what waits, at most ``max_records``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import faust
from faust.types import EventT

CAPACITY = 4096
"""Records. Faust would let its own brake go at four fifths; ours comes first."""
FETCHED_RECORDS = 1000
"""Of one fetch, at most."""
_ENOUGH = CAPACITY // 2


class StageBuffer:
    """The queue of one stage."""

    def __init__(self, stream: faust.StreamT[bytes]) -> None:
        topic = cast("faust.TopicT", stream.channel)
        self._stream = stream
        self._app = stream.app
        self._queue: asyncio.Queue[EventT[bytes]] = topic.queue
        self.topics: tuple[str, ...] = tuple(topic.topics)
        self.on_room: Callable[[], None] = lambda: None
        """Called when something was taken."""

    @property
    def has_room(self) -> bool:
        """Whether all that one fetch may bring fits."""
        return self._queue.qsize() <= _ENOUGH

    async def take(self, max_records: int, wait_s: float) -> list[EventT[bytes]]:
        """Return what waits; a lone record waits ``wait_s`` for company. Maybe nothing: partitions have moved."""
        events = [await self._queue.get()]
        if self._queue.empty():
            await asyncio.sleep(wait_s)
        while len(events) < max_records and not self._queue.empty():
            events.append(self._queue.get_nowait())
        self.on_room()
        events = [event for event in events if self._is_current(event)]
        for event in events:
            self._app.consumer.track_message(event.message)  # a rebalance waits until it is acked
            self._app.sensors.on_stream_event_in(event.message.tp, event.message.offset, self._stream, event)
        return events

    def _is_current(self, event: EventT[bytes]) -> bool:
        """Whether partitions have not moved since this was fetched: else it comes again, here or elsewhere."""
        return self._app.flow_control.is_active() and event.message.generation_id == self._app.consumer_generation_id
