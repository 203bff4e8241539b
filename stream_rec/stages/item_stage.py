"""The item stage: signals in, what is known of items out.

Signals that cannot be read are set aside like any bad input. Those of a newer program are not: a user stage that was
updated first sends them, and what is set aside is counted nowhere. The worker ends, and counts them once it is updated.
"""

from __future__ import annotations

from collections import defaultdict

import faust
from aiokafka import AIOKafkaProducer

from stream_rec.config import Settings
from stream_rec.errors import NewerVersion, StateVersionError
from stream_rec.events.rejected import Origin
from stream_rec.events.validate import Rejection
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.signal import Signal
from stream_rec.runtime.batch import Batch, Send, exactly_once_effect
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.clients import raw_topic
from stream_rec.runtime.newer_version import refuse_newer_version
from stream_rec.runtime.table import Table
from stream_rec.stages.reject import reject
from stream_rec.telemetry.counts import Counts


class ItemStage:
    """What one worker does with the signals about its items."""

    def __init__(
        self, app: faust.App, producer: AIOKafkaProducer, table: Table, settings: Settings, counts: Counts
    ) -> None:
        self._settings = settings
        self._counts = counts

        @app.agent(raw_topic(app, settings.kafka.topic("item-signals")), name="item-stage")
        async def item_stage(stream: faust.StreamT[bytes]) -> None:
            worker = settings.worker
            async for batch in exactly_once_effect(
                stream, producer, table=table, max_records=worker.batch_events, wait_s=worker.batch_wait_s
            ):
                await self.handle(batch)

    async def handle(self, batch: Batch) -> None:
        """Take one batch: decode, apply, commit.

        Raises:
            NewerVersion: a newer program wrote signals, or what is known of an item: nothing of the batch is kept.
        """
        by_item: dict[tuple[int, bytes], list[Signal]] = defaultdict(list)
        sends: list[Send] = []
        for message in batch.messages:
            try:
                for signal in signals.decode(message.value or b""):
                    by_item[message.partition, signal.item_id.encode()].append(signal)
            except NewerVersion as error:
                refuse_newer_version(Origin(message.topic, message.partition, message.offset), error)
            except StateVersionError as error:
                sends.append(reject(message, Rejection("wrong_type", str(error)), self._settings.kafka, self._counts))
        topic = self._settings.kafka.topic("item-knowledge")
        states = []
        for (partition, key), taught in by_item.items():
            stored = batch.read(partition, key)
            before = item_state.decode(stored) if stored is not None else item_state.UNSEEN
            after = item_state.apply(before, taught, self._settings.knowledge)
            if after != before:
                states.append(State(partition, key, item_state.encode(after)))
            sends.append(Send(topic, key, item_state.encode(item_state.strip_bookkeeping(after))))
        await batch.commit(states=states, sends=sends)
