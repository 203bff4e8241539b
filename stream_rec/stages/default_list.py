"""The default list, for users without one of their own, on the key ``*``: sent when it changes, by one worker.

So are the surfaces that are pushed beside it.

Whether it is still in its topic nobody can tell without reading all of that: somebody may have deleted it, or made the
topic anew. So it is sent again every so often as it is; to who has it, that says nothing new.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import faust
import msgspec
from aiokafka import AIOKafkaProducer
from faust.types import TP
from mode import Service

from stream_rec.config import Settings
from stream_rec.events.partition import partition_of
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.recommender import Recommender
from stream_rec.runtime.clock import named_clock
from stream_rec.runtime.finish import finish
from stream_rec.stages.published import LISTS, SURFACES, shown_in
from stream_rec.surface_lists import PushedSurfaces
from stream_rec.user.state import COLD

AGAIN_S = 15.0
"""After so long the list is sent again though it has not changed."""


class DefaultList(Service):
    """Looks at the default list every so often, where this worker owns the partition of its key."""

    def __init__(
        self,
        app: faust.App,
        producer: AIOKafkaProducer,
        recommender: Recommender,
        pushed: PushedSurfaces,
        settings: Settings,
    ) -> None:
        super().__init__()
        self._app = app
        self._producer = producer
        self._recommender = recommender
        self._pushed = pushed
        self._settings = settings
        partition = partition_of(DEFAULT_LIST.encode(), settings.kafka.partitions)
        self._owner_of = TP(settings.kafka.topic("views"), partition)
        self._last: dict[str, _Sent] = {}
        """By topic, without prefix."""

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.worker.default_list_interval_s)
            if not self._app.rebalancing and self._owner_of in self._app.consumer.assignment():
                await self._send_if_due()

    async def _send_if_due(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        await self._send_changed(LISTS.topic, self._recommender.default_list(generated_at_ms=now_ms))
        if self._pushed:
            surfaces = self._pushed.make(DEFAULT_LIST, COLD, None, generated_at_ms=now_ms)
            await self._send_changed(SURFACES.topic, surfaces)
        elif SURFACES.topic not in self._last:  # those of other settings, if there are any
            await self._send(SURFACES.topic, _Sent([], None, time.monotonic()))

    async def _send_changed(self, topic: str, made: Slate | Surfaces) -> None:
        shown, last, now = shown_in(made), self._last.get(topic), time.monotonic()
        nothing: list[tuple[str, list[str]]] = [(surface, []) for surface, _ in shown]
        if topic == SURFACES.topic and last is None:  # those of other settings may be there
            is_news = True
        else:
            is_news = shown != (nothing if last is None else last.shown)
        if is_news:
            await self._send(topic, _Sent(shown, msgspec.json.encode(made), now))
        elif last is not None and now - last.at >= AGAIN_S:
            await self._send(topic, last._replace(at=now))

    async def _send(self, topic: str, sent: _Sent) -> None:
        full = self._settings.kafka.topic(topic)
        with named_clock():
            await finish(self._producer.send_and_wait(full, sent.value, key=DEFAULT_LIST.encode()))
        self._last[topic] = sent


class _Sent(NamedTuple):
    """What was sent last."""

    shown: list[tuple[str, list[str]]]
    value: bytes | None
    at: float
    """When, in seconds."""
