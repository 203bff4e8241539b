"""Workers that learn in parallel, in one process: each the choices of its own users, sharing what their heads learn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from stream_rec.config import Settings
from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.stage import ItemRecord, embed
from stream_rec.evaluation import metrics
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.knowledge.visits import visitor_of
from stream_rec.logs.log import read_events, read_items, usable
from stream_rec.pipeline import Pipeline
from stream_rec.ranking import merge
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.merge import SharedHead
from stream_rec.recommend.learn import teach
from stream_rec.recommend.ranked import Ranked

SETTINGS = Settings()
LATER_MS = 2_000_000_000_000


@dataclass(frozen=True, slots=True)
class Workers:
    """How many share the users, and after how many events of the whole stream each exchanges what it learned."""

    n: int = 1
    every: int | None = None


def ndcg(
    items: Sequence[Item], log: Iterable[LoggedEvent], groups: Mapping[str, Workers], *, warmup: int = 0
) -> dict[str, float]:
    """Return the NDCG of each group of workers on the same log, in one pass: what is known of items is the same."""
    pipeline = Pipeline(SETTINGS)
    stock(pipeline, items)
    cold = pipeline.recommender.head
    of = merge.fingerprint(cold)
    heads = {name: [SharedHead(cold, SETTINGS.head) for _ in range(g.n)] for name, g in groups.items()}
    topics: dict[str, dict[str, bytes]] = {name: {} for name in groups}
    ranks: dict[str, list[int]] = {name: [] for name in groups}
    for number, (kind, event) in enumerate(log, 1):
        ranked = pipeline.rank(event.user_id, event.timestamp_ms)
        row = pipeline.catalog.find(event.item_id)
        for name, workers in groups.items():
            shared = heads[name][visitor_of(event.user_id) % workers.n]
            mine = scored_by(shared.head, ranked)
            top = mine.candidates.rows[mine.best[: SETTINGS.ranking.n]].tolist()
            ranks[name].append(top.index(row) + 1 if row in top else 0)
            if row is not None:
                shared.update(teach(mine, [(row, SETTINGS.head.weigh(kind))], shared.head, SETTINGS.head))
            if workers.every and number % (workers.every // workers.n) == 0:
                exchange(heads[name], topics[name], number // (workers.every // workers.n) % workers.n, cold, of)
        pipeline.fold(kind, event)
    return {name: float(metrics.ndcg(np.array(r[warmup:]), SETTINGS.ranking.n).mean()) for name, r in ranks.items()}


def exchange(heads: Sequence[SharedHead], topic: dict[str, bytes], who: int, cold: MixtureHead, of: bytes) -> None:
    """Let one worker take what the others have told until now, and tell what it has learned; each has its turn."""
    for worker, record in topic.items():
        if worker != str(who):
            heads[who].take(worker, merge.decode(record, cold, of))
    heads[who].merge()
    topic[str(who)] = merge.encode(heads[who].own(), of)


def scored_by(head: MixtureHead, ranked: Ranked) -> Ranked:
    """Return the same candidates as another head ranks them."""
    scored = head.score(ranked.scored.inputs)
    fresh_scored = head.score_fresh(ranked.fresh_scored.inputs)
    return replace(
        ranked,
        scored=scored,
        best=np.argsort(-scored.log_p, kind="stable"),
        fresh_scored=fresh_scored,
        fresh_best=ranked.fresh[np.argsort(-fresh_scored.log_p, kind="stable")],
    )


def stock(pipeline: Pipeline, items: Sequence[Item]) -> None:
    """Put items with hashed texts into the catalog."""
    records = [ItemRecord(item.item_id.encode(), msgspec.json.encode(item)) for item in items]
    for item in items:
        pipeline.catalog.put_item(item)
    for item_id, embedding in embed(records, {}, [HashingEncoder()], SETTINGS.limits).embeddings:
        pipeline.catalog.put_embedding(item_id, embedding)


def read(folder: Path, n_events: int) -> tuple[list[Item], list[LoggedEvent]]:
    """Return the items of a log and its first events."""
    items = list(usable(read_items(folder / "items.jsonl.gz", limits=SETTINGS.limits), print))
    events = read_events(folder / "events.jsonl.gz", limits=SETTINGS.limits, received_ms=LATER_MS)
    return items, [event for event, _ in zip(usable(events, print), range(n_events))]
