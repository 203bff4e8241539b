"""The list for everybody without one of their own, on the key ``*``: sent when it changes, by one worker."""

from __future__ import annotations

import asyncio
import time

import faust
import msgspec
from aiokafka import AIOKafkaProducer
from faust.types import TP
from mode import Service

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.events.slate import EVERYBODY
from stream_rec.recommend import recommend, slate
from stream_rec.user.state import COLD
from stream_rec.wiring.apps import partition_of


class Everybody(Service):
    """Looks at the list for everybody every so often, where this worker owns the partition of its key."""

    def __init__(self, app: faust.App, producer: AIOKafkaProducer, catalog: Catalog, settings: Settings) -> None:
        super().__init__()
        self._app = app
        self._producer = producer
        self._catalog = catalog
        self._settings = settings
        self._owner_of = TP(settings.kafka.topic("views"), partition_of(EVERYBODY, settings.kafka))
        self._last_item_ids: list[str] = []

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.worker.everybody_interval_s)
            if not self._app.rebalancing and self._owner_of in self._app.consumer.assignment():
                await self._send_if_changed()

    async def _send_if_changed(self) -> None:
        ranking = self._settings.ranking
        items = recommend(COLD, self._catalog, ranking, now_ms=self._catalog.knowledge.newest_ms)
        item_ids = [item.item_id for item in items]
        if item_ids == self._last_item_ids:
            return
        message = slate(EVERYBODY, items, policy=ranking.policy, generated_at_ms=time.time_ns() // 1_000_000)
        topic = self._settings.kafka.topic("recommendations")
        await asyncio.shield(self._producer.send_and_wait(topic, msgspec.json.encode(message), key=EVERYBODY.encode()))
        self._last_item_ids = item_ids
