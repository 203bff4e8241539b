"""What heads have learned, from worker to worker through ``head-weights``: the newest contribution of each.

A worker finds its own there when it starts again. The head is statistics, not bookkeeping: what was learned since the
last contribution before a crash is lost, or learned twice where its events come again. Users' facts are neither.
"""

from __future__ import annotations

import asyncio
import logging

from aiokafka import AIOKafkaProducer, ConsumerRecord
from mode import Service

from stream_rec.config import Settings
from stream_rec.errors import StateVersionError
from stream_rec.ranking import merge
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.merge import MalformedContribution, SharedHead
from stream_rec.runtime.clock import named_clock

log = logging.getLogger(__name__)

LAST_WORDS_S = 2.0
"""How long a worker that ends waits for the broker to take its last contribution."""


class HeadExchange(Service):
    """Takes the others' contributions and sends this worker's, every so often. Start it after the ``TopicFollower``."""

    def __init__(self, producer: AIOKafkaProducer, shared: SharedHead, settings: Settings) -> None:
        super().__init__()
        self._producer = producer
        self._shared = shared
        self._worker = settings.worker
        self._topic = settings.kafka.topic("head-weights")
        self._cold = shared.head
        self._fingerprint = merge.fingerprint(self._cold)
        self._sent: MixtureHead = self._cold
        """The head as it was when this worker's contribution was sent last, or nothing new was in it."""

    def take(self, record: ConsumerRecord) -> None:
        """Take one record of ``head-weights``.

        One that cannot be read or does not fit is left out. A null value takes nothing back: what others have learned
        since rests on it.
        """
        if record.value is None:
            return
        try:
            contribution = merge.decode(record.value, self._cold, self._fingerprint)
        except (MalformedContribution, StateVersionError) as error:
            at = f"{record.topic}[{record.partition}]@{record.offset}"
            log.warning("ignored_contribution at=%s worker=%r why=%s", at, record.key, str(error)[:200])
            return
        worker = (record.key or b"").decode(errors="replace")
        if worker != self._worker.instance_id:
            self._shared.take(worker, contribution)
        elif not self._shared.has_learned:  # else it is what it has just sent
            self._shared.restore(contribution)

    async def on_start(self) -> None:
        """Begin with what all workers had learned."""
        self._shared.merge()
        self._sent = self._shared.head
        log.info("head choices=%d own=%d", self._sent.n_choices, self._shared.own().n_choices)

    async def on_stop(self) -> None:
        """Send what is not sent yet, if the broker takes it at once."""
        try:
            await asyncio.wait_for(self.exchange(), LAST_WORDS_S)
        except Exception as error:
            log.warning("lost_last_contribution why=%r", error)

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            await self.sleep(self._worker.head_interval_s)
            await self.exchange()

    async def exchange(self) -> None:
        """Send this worker's contribution, if it has learned since the last, and take in what came from others."""
        has_learned = self._shared.head is not self._sent
        self._shared.merge()
        self._sent = self._shared.head
        if has_learned:
            value = merge.encode(self._shared.own(), self._fingerprint)
            key = self._worker.instance_id.encode()
            with named_clock():
                await asyncio.shield(self._producer.send_and_wait(self._topic, value, key=key))
