"""The default list, for users without one of their own, on the key ``*``: sent when it changes, by one worker.

Whether it is still in its topic nobody can tell without reading all of that: somebody may have deleted it, or made the
topic anew. So it is sent again every so often as it is; to who has it, that says nothing new.
"""

from __future__ import annotations

import math
import time

import faust
import msgspec
from aiokafka import AIOKafkaProducer
from faust.types import TP
from mode import Service

from stream_rec.config import Settings
from stream_rec.events.partition import partition_of
from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.recommender import Recommender
from stream_rec.runtime.clock import named_clock
from stream_rec.runtime.finish import finish

AGAIN_S = 15.0
"""After so long the list is sent again though it has not changed."""


class DefaultList(Service):
    """Looks at the default list every so often, where this worker owns the partition of its key."""

    def __init__(
        self, app: faust.App, producer: AIOKafkaProducer, recommender: Recommender, settings: Settings
    ) -> None:
        super().__init__()
        self._app = app
        self._producer = producer
        self._recommender = recommender
        self._settings = settings
        partition = partition_of(DEFAULT_LIST.encode(), settings.kafka.partitions)
        self._owner_of = TP(settings.kafka.topic("views"), partition)
        self._last_item_ids: list[str] = []
        self._last_value = b""
        self._sent_at = -math.inf

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.worker.default_list_interval_s)
            if not self._app.rebalancing and self._owner_of in self._app.consumer.assignment():
                await self._send_if_due()

    async def _send_if_due(self) -> None:
        made = self._recommender.default_list(generated_at_ms=time.time_ns() // 1_000_000)
        item_ids = [item.item_id for item in made.items]
        if item_ids != self._last_item_ids:
            value = msgspec.json.encode(made)
        elif self._last_value and time.monotonic() - self._sent_at >= AGAIN_S:
            value = self._last_value
        else:
            return
        topic = self._settings.kafka.topic("recommendations")
        with named_clock():
            await finish(self._producer.send_and_wait(topic, value, key=DEFAULT_LIST.encode()))
        self._last_item_ids, self._last_value, self._sent_at = item_ids, value, time.monotonic()
