"""Counts the words of each key exactly once, on the runtime alone: python examples/count_words.py BOOTSTRAP PREFIX DIR

Lines come on `lines`; each key's newest counts go to `word-counts`. Kill it whenever you like, and start it again: no
line is lost and none counts twice. It needs these topics and `counter-words-changelog` (compacted), with one number of
partitions, and no part of the recommender. tests/runtime/test_example.py kills it and compares.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter

import faust
import msgspec
from aiokafka import AIOKafkaProducer
from mode import Service

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime import process
from stream_rec.runtime.assignment import follow_assignment
from stream_rec.runtime.batch import Batch, Send, exactly_once_effect
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.clients import new_app, raw_topic
from stream_rec.runtime.instance import held_directory
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.table import Table

SESSION_TIMEOUT_S = 6.0


class Counts(msgspec.Struct, array_like=True, frozen=True):
    """One key's counts, and up to which line of its partition they go: a line that comes again is known by that."""

    next_offset: int = 0
    words: dict[str, int] = {}


async def count(batch: Batch, counts_topic: str) -> None:
    """Read the counts of the batch's keys, add its lines, and commit both: the counts first, then who hears of them."""
    counts: dict[tuple[int, bytes], Counts] = {}
    for line in batch.messages:
        of = line.partition, line.key or b""
        if of not in counts:
            stored = batch.read(*of)
            counts[of] = Counts() if stored is None else msgspec.msgpack.decode(stored, type=Counts)
        if line.offset >= counts[of].next_offset:
            words = Counter(counts[of].words) + Counter((line.value or b"").decode().split())
            counts[of] = Counts(line.offset + 1, dict(words))
    await batch.commit(
        states=[State(*of, msgspec.msgpack.encode(each)) for of, each in counts.items()],
        sends=[Send(counts_topic, key, msgspec.json.encode(each.words)) for (_, key), each in counts.items()],
    )


def run(kafka: KafkaSettings, data_dir: str) -> None:
    """Count until told to stop."""
    with held_directory(data_dir, "counter-1") as directory:
        lease = Lease(SESSION_TIMEOUT_S)
        app = new_app("counter", kafka, instance_id="counter-1", lease=lease, session_timeout_s=SESSION_TIMEOUT_S)

        def services(producer: AIOKafkaProducer) -> list[Service]:
            table = Table("words", "counter", directory, producer, kafka)
            follow_assignment(app, kafka, {table: ("lines",)})

            @app.agent(raw_topic(app, kafka.topic("lines")), name="counter")
            async def counter(stream: faust.StreamT[bytes]) -> None:
                async for batch in exactly_once_effect(stream, producer, table=table, max_records=100, wait_s=0.005):
                    await count(batch, kafka.topic("word-counts"))

            return [table]

        process.run(app, lease, kafka, directory, services, ready_timeout_s=60.0)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run(KafkaSettings(bootstrap=sys.argv[1], topic_prefix=sys.argv[2]), sys.argv[3])
