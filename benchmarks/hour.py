"""What an hour at 500 events a second leaves on the catalog's topics; for ``recovery.py``.

Not an hour's events, but records as such an hour writes them, newest last, with the topics' own settings: so many that
each partition has filled its segments several times. The broker then compacts as it does in that hour, which leaves
one record of each key, and what was written since the last segment was closed.
"""

from __future__ import annotations

import asyncio
import random
import time

import numpy as np

from stream_rec.catalog import factors
from stream_rec.client import EventProducer
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings
from stream_rec.embedding import item_embedding
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.events.item import Item
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.popularity import HALF_LIVES_MS
from stream_rec.knowledge.visits import RECORD
from stream_rec.runtime.clients import new_producer
from stream_rec.runtime.lease import Lease

ITEMS = 4_000
PREDECESSORS, VISITS = 180, 128
"""Of an item: about 4.5 KB."""
USERS = [random.Random(number).getrandbits(64) for number in range(50_000)]
"""Who comes to items."""
WORKERS = ("worker-1", "worker-2")
NOW_MS = 1_760_000_000_000
AT_ONCE = 2_000
COMPACTED_S = 40.0
"""The cleaner looks every 15 seconds."""


async def write_hour(settings: Settings, n_knowledge: int, n_moves: int) -> None:
    """Write the catalog, and what is learned of it: popular items again and again.

    Args:
        n_knowledge, n_moves: Records on ``item-knowledge``, and of items on ``head-weights``.
    """
    rng = np.random.default_rng(1)
    with EventProducer(settings.kafka) as items:
        for number in range(ITEMS):
            items.item(Item(f"item-{number}", title=f"item {number} of group {number // 20}"))
    producer = new_producer(settings.kafka, Lease(settings.worker.session_timeout_s))
    await producer.start()
    embeddings, knowledge, moves = (
        settings.kafka.topic(name) for name in ("item-embeddings", "item-knowledge", "head-weights")
    )

    async def send(topic: str, records: list[tuple[str, bytes]]) -> None:
        sent = [await producer.send(topic, value, key=key.encode()) for key, value in records]
        await asyncio.gather(*sent)

    vectors = rng.normal(size=(ITEMS, 384)).astype(np.float32)
    made = [ItemEmbedding(bytes(16), (SpaceVector("benchmark", vector),)) for vector in vectors]
    await send(embeddings, [(f"item-{n}", item_embedding.encode(embedding)) for n, embedding in enumerate(made)])
    values = [_knowledge(number) for number in range(ITEMS)]
    for n, topic in ((n_knowledge, knowledge), (n_moves, moves)):
        popular = (ITEMS * rng.random(n) ** 2).astype(int).tolist()
        popular[:ITEMS] = range(ITEMS)
        for first in range(0, n, AT_ONCE):
            part = popular[first : first + AT_ONCE]
            if topic == knowledge:
                await send(topic, [(f"item-{item}", values[item]) for item in part])
            else:
                shifts = rng.normal(scale=0.01, size=(len(part), factors.DIMENSIONS)).astype(np.float32)
                keys = [f"{WORKERS[(first + place) % 2]}/item-{item}" for place, item in enumerate(part)]
                await send(topic, [(key, factors.encode(shift)) for key, shift in zip(keys, shifts)])
    await producer.stop()
    time.sleep(COMPACTED_S)


def left(settings: Settings) -> dict[str, int]:
    """Return how many records a reader finds on each topic of the catalog."""
    found = {}
    for topic in ("items", "item-embeddings", "item-knowledge", "head-weights"):
        reader = TopicReader(settings.kafka, topic)
        found[topic] = len(reader.read_to_end(120.0))
        reader.close()
    return found


def _knowledge(number: int) -> bytes:
    rng = random.Random(number)
    visits = np.zeros(VISITS, dtype=RECORD)
    visits["seen_ms"] = sorted(NOW_MS + rng.randrange(10**6) for _ in range(VISITS))
    visits["visitor"] = rng.sample(USERS, VISITS)
    before = rng.sample(range(ITEMS), PREDECESSORS)
    state = item_state.ItemState(
        counts=(900, 300, 30),
        sums=[50.0 * (n + 1) for n in range(len(HALF_LIVES_MS))],
        first_ms=NOW_MS,
        last_ms=NOW_MS + 10**6,
        predecessors={f"item-{item}": rng.randrange(1, 4_000) for item in before},
        visits=visits.tobytes(),
    )
    return item_state.encode(state)
