"""What workers tell each other of what they have learned, through ``head-weights``: the newest record of each key.

A worker finds its own there when it starts again. It is statistics, not bookkeeping: what was learned since the last
record before a crash is lost, or learned twice where its events come again. Users' facts are neither.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import ClassVar

from aiokafka import AIOKafkaProducer, ConsumerRecord
from mode import Service

from stream_rec.config import Settings
from stream_rec.runtime.clock import named_clock
from stream_rec.runtime.finish import finish

log = logging.getLogger(__name__)

LAST_WORDS_S = 2.0
"""How long a worker that ends waits for the broker to take the last of what it has learned."""


class Exchange(Service):
    """Sends what this worker has learned every so often, and when it ends. Start it after the ``TopicFollower``."""

    what: ClassVar[str]
    """What is exchanged, for the log."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings) -> None:
        """Describe the exchange; ``take`` what is in the topic before it starts."""
        super().__init__()
        self._producer = producer
        self._settings = settings
        self._own = settings.worker.instance_id.encode()
        self._topic = settings.kafka.topic("head-weights")

    async def exchange(self) -> None:
        """Send what this worker has learned since the last time, or some of it."""
        raise NotImplementedError

    async def exchange_rest(self) -> None:
        """Send all that is not sent yet."""
        await self.exchange()

    async def on_stop(self) -> None:
        """Send what is not sent yet, as far as the broker takes it at once."""
        try:
            await asyncio.wait_for(self.exchange_rest(), LAST_WORDS_S)
        except Exception as error:
            log.warning("lost_last_%s why=%r", self.what, error)

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.worker.head_interval_s)
            await self.exchange()

    async def _publish(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Send records, key and value, and wait for the broker to have them; who is cancelled leaves them on the way.

        Raises:
            KafkaError: the broker did not take something.
            ClockOff: it did not because of the time.
        """

        async def send_all() -> None:
            sent = [await self._producer.send(self._topic, value, key=key) for key, value in records]
            await asyncio.gather(*sent)

        if records:
            with named_clock():
                await finish(send_all())


def ignore(what: str, record: ConsumerRecord, error: Exception) -> None:
    """Say that a record is left out: it cannot be read, or does not fit."""
    at = f"{record.topic}[{record.partition}]@{record.offset}"
    log.warning("ignored_%s at=%s key=%r why=%s", what, at, record.key, str(error)[:200])
