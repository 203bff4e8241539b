"""Where in a partition of some topics a moment lies, by the broker's clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from mode import Service

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.clients import new_reader


class OffsetsAfter(Service):
    """Finds the first offset of each topic that came after a moment: the same whenever it is asked."""

    _reader: AIOKafkaConsumer = None
    """None until it starts: it may be stopped before."""

    def __init__(self, kafka: KafkaSettings, topics: Iterable[str]) -> None:
        """Describe what is asked for; nothing connects yet.

        Args:
            topics: Their names without prefix.
        """
        super().__init__()
        self._kafka = kafka
        self._topics = tuple(topics)

    async def on_start(self) -> None:
        """Connect."""
        # What stands in a transaction that is still open came before the moment too, and may be committed after it.
        self._reader = new_reader(self._kafka, sees_open=True)
        await self._reader.start()

    async def on_stop(self) -> None:
        """Leave the broker."""
        if self._reader is not None:
            await self._reader.stop()

    async def __call__(self, partition: int, timestamp_ms: int) -> Mapping[str, int]:
        """Return, by topic, the first offset after ``timestamp_ms`` in this partition, or where it will be."""
        topic_of = {TopicPartition(self._kafka.topic(topic), partition): topic for topic in self._topics}
        while True:
            before = await self._reader.end_offsets(list(topic_of))
            found = await self._reader.offsets_for_times(dict.fromkeys(topic_of, timestamp_ms + 1))
            ends = await self._reader.end_offsets(list(topic_of))
            # Where nothing was found later than the moment, the end is the place, if it stood still meanwhile.
            if all(found[tp] is not None or before[tp] == ends[tp] for tp in topic_of):
                break
        return {topic: found[tp].offset if found[tp] is not None else ends[tp] for tp, topic in topic_of.items()}
