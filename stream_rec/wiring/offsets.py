"""Where in the partitions of some topics a moment lies, by the broker's clock."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from mode import Service

from stream_rec.config import KafkaSettings
from stream_rec.events.interaction import KIND_OF_TOPIC, Kind
from stream_rec.wiring.apps import new_reader


class OffsetsAfter(Service):
    """Finds the first offset of each kind of event that came after a moment: the same whenever it is asked."""

    def __init__(self, kafka: KafkaSettings) -> None:
        super().__init__()
        self._kafka = kafka
        self._reader: AIOKafkaConsumer | None = None

    async def on_start(self) -> None:
        """Connect."""
        # What stands in a transaction that is still open came before the moment too, and may be committed after it.
        self._reader = new_reader(self._kafka, sees_open=True)
        await self._reader.start()

    async def on_stop(self) -> None:
        """Leave the broker."""
        await self._reader.stop()

    async def __call__(self, partition: int, timestamp_ms: int) -> Mapping[Kind, int]:
        """Return the first offset after ``timestamp_ms`` in this partition of each topic, or where it will be."""
        kinds = {TopicPartition(self._kafka.topic(t), partition): kind for t, kind in KIND_OF_TOPIC.items()}
        while True:
            before = await self._reader.end_offsets(list(kinds))
            found = await self._reader.offsets_for_times(dict.fromkeys(kinds, timestamp_ms + 1))
            ends = await self._reader.end_offsets(list(kinds))
            # Where nothing was found later than the moment, the end is the place, if it stood still meanwhile.
            if all(found[tp] is not None or before[tp] == ends[tp] for tp in kinds):
                break
        return {kind: found[tp].offset if found[tp] is not None else ends[tp] for tp, kind in kinds.items()}
