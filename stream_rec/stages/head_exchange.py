"""What heads have learned, from worker to worker through ``head-weights``: the newest contribution of each."""

from __future__ import annotations

import logging

from aiokafka import AIOKafkaProducer, ConsumerRecord

from stream_rec.config import Settings
from stream_rec.errors import StateVersionError
from stream_rec.ranking import merge
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.merge import MalformedContribution, SharedHead
from stream_rec.ranking.ratings import RatingHead
from stream_rec.stages.exchange import Exchange, ignore

log = logging.getLogger(__name__)


class HeardHeads:
    """Takes what workers have learned to a head, for its next ``merge``."""

    def __init__(self, shared: SharedHead, own: bytes | None) -> None:
        """Begin with ``shared`` as it is now, when it has learned nothing.

        Args:
            own: The name of the worker whose head it is; None for a head that only listens.
        """
        self._shared = shared
        self._own = own
        self._cold = shared.head
        self.fingerprint = merge.fingerprint(self._cold)
        """Of contributions that fit."""

    def take(self, record: ConsumerRecord) -> None:
        """Take one record of ``head-weights``.

        One that cannot be read or does not fit is left out. A null value takes nothing back: what others have learned
        since rests on it.
        """
        if record.value is None:
            return
        try:
            contribution = merge.decode(record.value, self._cold, self.fingerprint)
        except (MalformedContribution, StateVersionError) as error:
            ignore(HeadExchange.what, record, error)
            return
        worker = record.key or b""
        if worker != self._own:
            self._shared.take(worker.decode(errors="replace"), contribution)
        elif not self._shared.has_learned:  # else it is what it has just sent
            self._shared.restore(contribution)


class HeadExchange(Exchange):
    """Takes the others' contributions and sends this worker's."""

    what = "contribution"

    def __init__(self, producer: AIOKafkaProducer, shared: SharedHead, settings: Settings) -> None:
        """Exchange what ``shared`` learns; as it is now it has learned nothing."""
        super().__init__(producer, settings)
        self._shared = shared
        self._heard = HeardHeads(shared, self._own)
        self._sent: tuple[MixtureHead, RatingHead] = shared.head, shared.ratings
        """The heads as they were when this worker's contribution was sent last, or nothing new was in it."""

    def take(self, record: ConsumerRecord) -> None:
        """Take one record of ``head-weights``, as ``HeardHeads`` does."""
        self._heard.take(record)

    async def on_start(self) -> None:
        """Begin with what all workers had learned."""
        self._shared.merge()
        self._sent = self._shared.head, self._shared.ratings
        log.info("head choices=%d own=%d", self._shared.head.n_choices, self._shared.own().n_choices)

    async def exchange(self) -> None:
        """Send this worker's contribution, if it has learned since the last, and take in what came from others."""
        head, ratings = self._sent
        has_learned = self._shared.head is not head or self._shared.ratings is not ratings
        self._shared.merge()
        self._sent = self._shared.head, self._shared.ratings
        if has_learned:
            await self._publish([(self._own, merge.encode(self._shared.own(), self._heard.fingerprint))])
