"""How far items' factors were shifted, from worker to worker through ``head-weights``: one record a worker and item.

A few items at a time, those that changed first: what a popular item has shifted since counts once, in its newest
record.
"""

from __future__ import annotations

import logging
from itertools import islice

from aiokafka import AIOKafkaProducer, ConsumerRecord

from stream_rec.catalog import factors
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.factors import MalformedShift
from stream_rec.config import Settings
from stream_rec.errors import StateVersionError
from stream_rec.events import validate
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.stages.exchange import Exchange, ignore

log = logging.getLogger(__name__)

BETWEEN = b"/"
"""Between worker and item in a key; no worker's name holds it."""
RECORDS = 100
"""Sent at a time at most: every ``worker.head_interval_s``."""
MOST_WORKERS = 64
"""Names of other workers that are listened to, for each costs memory for every item. Old names stay in the topic."""


def is_shift(record: ConsumerRecord) -> bool:
    """Return whether a record of ``head-weights`` is about an item, not about a worker's head."""
    return BETWEEN in (record.key or b"")


class HeardShifts:
    """Takes how far workers have shifted items' factors to a catalog."""

    def __init__(self, catalog: Catalog, limits: InputLimits, own: bytes | None) -> None:
        """Begin with nothing heard.

        Args:
            own: The name of the worker whose catalog it is; None for a catalog whose owner only listens.
        """
        self._catalog = catalog
        self._limits = limits
        self._own = own
        self._heard: set[bytes] = set()

    def take(self, record: ConsumerRecord) -> None:
        """Take one record that ``is_shift``. One that cannot be read is left out; a null value takes nothing back."""
        worker, _, item = record.key.partition(BETWEEN)
        item_id = validate.id_in_key(item, limits=self._limits)
        if record.value is None:
            return
        try:
            if isinstance(item_id, Rejection):
                raise MalformedShift(item_id.detail)
            shift = factors.decode(record.value)
            self._hear(worker)
        except (MalformedShift, StateVersionError) as error:
            ignore(FactorExchange.what, record, error)
            return
        if worker == self._own:
            self._catalog.restore_shift(item_id, shift)
        else:
            self._catalog.put_shift(worker.decode(errors="replace"), item_id, shift)

    def _hear(self, worker: bytes) -> None:
        """Note a worker's name.

        Raises:
            MalformedShift: there are as many names already as there may be.
        """
        if worker != self._own and worker not in self._heard:
            if len(self._heard) == MOST_WORKERS:
                raise MalformedShift(f"of one more worker than {MOST_WORKERS}: keep instance ids from run to run")
            self._heard.add(worker)


class FactorExchange(Exchange):
    """Takes the others' shifts and sends this worker's."""

    what = "shift"

    def __init__(self, producer: AIOKafkaProducer, catalog: Catalog, settings: Settings) -> None:
        """Exchange what moves the factors of ``catalog``."""
        super().__init__(producer, settings)
        self._catalog = catalog
        self._heard = HeardShifts(catalog, settings.limits, self._own)

    def take(self, record: ConsumerRecord) -> None:
        """Take one record that ``is_shift``, as ``HeardShifts`` does."""
        self._heard.take(record)

    async def on_start(self) -> None:
        """Begin with what all workers have published."""
        log.info("factors own=%d others=%d", *self._catalog.factors.n_shifted)

    async def exchange(self, n: int = RECORDS) -> None:
        """Send this worker's shifts of at most ``n`` items."""
        mine = self._catalog.factors
        rows = list(islice(mine.changed, n))
        for row in rows:
            del mine.changed[row]
        keys = [self._own + BETWEEN + self._catalog.item_ids[row].encode() for row in rows]
        await self._publish([(key, factors.encode(mine.own[row])) for key, row in zip(keys, rows)])

    async def exchange_rest(self) -> None:
        """Send all of this worker's shifts that are not sent yet."""
        await self.exchange(len(self._catalog.factors.changed))
