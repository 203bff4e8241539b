"""What is kept by partition follows the consumer group: a worker owns the partitions that it reads the sources of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import faust

from stream_rec.kafka_settings import KafkaSettings


class Owner(Protocol):
    """What is kept by partition."""

    async def own(self, numbers: set[int]) -> None:
        """Take these partitions over, give all others up."""


def follow_assignment(app: faust.App, kafka: KafkaSettings, owners: Mapping[Owner, tuple[str, ...]]) -> None:
    """Let each owner in turn take over what is assigned to the app, before its first record comes.

    Args:
        owners: With the topics, named without prefix, whose partitions decide.
    """
    sources = {owner: {kafka.topic(topic) for topic in topics} for owner, topics in owners.items()}

    @app.on_rebalance_complete.connect(weak=False)
    async def take_over(*_: object, **__: object) -> None:
        assigned = app.consumer.assignment()
        for owner, topics in sources.items():
            await owner.own({tp.partition for tp in assigned if tp.topic in topics})
