"""Signals on their way to the item stage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge.signal import Signal
from stream_rec.runtime.batch import Send

SIGNALS_A_MESSAGE = 1000


def signal_messages(taught: Iterable[Signal], kafka: KafkaSettings) -> list[Send]:
    """Return the signals by item partition, those of one source in the order of its offsets."""
    by_partition: dict[int, list[Signal]] = defaultdict(list)
    for signal in sorted(taught, key=lambda s: (s.source, s.offset)):
        by_partition[partition_of(signal.item_id.encode(), kafka.partitions)].append(signal)
    return [
        Send(kafka.topic("item-signals"), None, signals.encode(part[at : at + SIGNALS_A_MESSAGE]), partition)
        for partition, part in by_partition.items()
        for at in range(0, len(part), SIGNALS_A_MESSAGE)
    ]
