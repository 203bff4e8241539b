"""Tables follow the consumer group: a worker owns the partitions of its states that it reads the sources of."""

from __future__ import annotations

from collections.abc import Mapping

import faust

from stream_rec.config import KafkaSettings
from stream_rec.wiring.table import Table


def follow_assignment(app: faust.App, kafka: KafkaSettings, tables: Mapping[Table, tuple[str, ...]]) -> None:
    """Let each table take over what is assigned to the app, before its first record comes.

    Args:
        tables: With the topics, named without prefix, whose partitions decide.
    """
    sources = {table: {kafka.topic(topic) for topic in topics} for table, topics in tables.items()}

    @app.on_rebalance_complete.connect(weak=False)
    async def take_over(*_: object, **__: object) -> None:
        assigned = app.consumer.assignment()
        for table, topics in sources.items():
            await table.own({tp.partition for tp in assigned if tp.topic in topics})
