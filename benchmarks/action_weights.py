"""What it brings to learn how much types of events teach: on public logs, with events of other types among the log's.

    python benchmarks/action_weights.py --logs ../shared/data [--only movietweetings] [--limit 8000] [--seed 0]

Each of the log's own events is ranked before it is learned: of those is NDCG@20, and the mean log-loss of all. Among
them stand events of one type more, a view each, one behind each of the log's:

    anything    an item of the catalog, whichever
    popular     the item of any event before
    repeated    the same item again, as a player reports its progress
    half        none more: half of the log's own have a type
    low         none more: ratings up to 5 have a type

and the types count as their kind does, as is learned, or not at all, as who knew it would declare. One JSON object for
each is printed; a minute each.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from stream_rec.catalog.arrays import find_sorted
from stream_rec.config import Settings
from stream_rec.events.interaction import ACTION, Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits
from stream_rec.kernels import compile_kernels
from stream_rec.logs.log import read_events, read_items, usable
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.action_weights import find_factor
from stream_rec.replay.embedded import EmbeddedItems, embed_items

MORE = ("anything", "popular", "repeated")
TYPES = (*MORE, "half", "low")
LIMITS = InputLimits()
MOST_LOSS = 10.0


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--types", nargs="*", default=TYPES, choices=TYPES)
    parser.add_argument("--limit", type=int, default=8_000)
    parser.add_argument("--encoder", default="hashing")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    compile_kernels()
    for folder in sorted(each for each in arguments.logs.iterdir() if each.is_dir()):
        if arguments.only and folder.name not in arguments.only:
            continue
        items = list(usable(read_items(folder / "items.jsonl.gz", limits=LIMITS), print))
        log = read_events(folder / "events.jsonl.gz", limits=LIMITS, received_ms=time.time_ns() // 1_000_000)
        events = [each for each in itertools.islice(log, arguments.limit) if isinstance(each, LoggedEvent)]
        embedder = msgspec.structs.replace(Settings().embedder, encoder=arguments.encoder)
        embedded = embed_items(items, embedder, LIMITS)
        for type_ in arguments.types:
            for way in ("as their kind", "as learned", "not at all"):
                if type_ in MORE or way != "not at all":
                    found = measure(embedded, list(add_types(events, items, type_, arguments.seed)), way)
                    print(json.dumps({"log": folder.name, "type": type_, "way": way} | found), flush=True)


def add_types(
    events: list[LoggedEvent], items: list[Item], type_: str, seed: int
) -> Iterator[tuple[LoggedEvent, bool]]:
    """Yield the events with types, each with whether it is the log's own."""
    rng, before = random.Random(seed), list[str]()
    for number, (kind, event) in enumerate(events):
        if type_ == "half" and rng.random() < 0.5:
            event = say(event, "half")
        elif type_ == "low" and event.value is not None and event.value <= 5:
            event = say(event, "low")
        yield LoggedEvent(kind, event), True
        before.append(event.item_id)
        if type_ in MORE:
            others = {"anything": lambda: rng.choice(items).item_id, "popular": lambda: rng.choice(before)}
            item_id = others.get(type_, lambda: before[-1])()
            more = msgspec.structs.replace(event, event_id=f"more {number}", item_id=item_id, value=None)
            yield LoggedEvent(Kind.VIEW, say(more, type_)), False


def say(event: Interaction, type_: str) -> Interaction:
    """Return the event with a type."""
    return msgspec.structs.replace(event, context={**event.context, ACTION: type_})


def measure(embedded: EmbeddedItems, events: list[tuple[LoggedEvent, bool]], way: str) -> dict[str, object]:
    """Return how well the log's own events were foreseen, and what the types counted in the end."""
    settings = Settings()
    declared = {each: 0.0 for each in MORE} if way == "not at all" else {}
    head = msgspec.structs.replace(settings.head, action_weights=declared, action_rate=0.2 * (way == "as learned"))
    pipeline = Pipeline(msgspec.structs.replace(settings, head=head))
    for item in embedded.items:
        pipeline.catalog.put_item(item)
        if item.item_id in embedded.embeddings:
            pipeline.catalog.put_embedding(item.item_id, embedded.embeddings[item.item_id])
    gains, losses, began = [], [], time.process_time()
    for (kind, event), is_own in events:
        ranked = pipeline.rank(event.user_id, event.timestamp_ms, event.context)
        if is_own:
            log_p = ranked.scored.log_p
            row = np.array([pipeline.catalog.find(event.item_id)])
            indices, is_candidate = find_sorted(ranked.candidates.rows, row)
            own = log_p[indices[0]] if is_candidate[0] else -np.inf
            rank = int((log_p > own).sum())
            gains.append(1.0 / np.log2(rank + 2) if is_candidate[0] and rank < 20 else 0.0)
            losses.append(min(-own, MOST_LOSS))
        pipeline.take(ranked, [LoggedEvent(kind, event)])
    of_actions = pipeline.recommender.head.of_actions
    return {
        "ndcg": round(float(np.mean(gains)), 4),
        "loss": round(float(np.mean(losses)), 4),
        "factors": {action: round(find_factor(of_actions, action), 2) for action in sorted(of_actions)},
        "cpu_ms": round(1000 * (time.process_time() - began) / len(events), 3),
    }


if __name__ == "__main__":
    main()
