"""What it brings that new users say what they like, and what it costs where they say something else than they do.

    python benchmarks/profiles.py --items ITEMS --events EVENTS [--limit 20000]

No public log has profiles, so they are made of what users did later: before a user's first event, up to three tags (or
words of titles, where items have no tags) that the items of the user's events 6 to 15 have most often, as against all
items. Their events 1 to 5 are scored, before which nothing of those is known. Three runs of one log: nobody says
anything, all say what they like, all say what some other user likes.

Printed is one JSON object: by run, NDCG@20 and hit rate of the first events, and of the second to fifth; the ratio to
saying nothing, with its 95 % interval by bootstrap over users; and CPU time of a list.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from stream_rec.config import Settings
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.profile import LONGEST_INTEREST, Profile
from stream_rec.events.validate import InputLimits
from stream_rec.kernels import compile_kernels
from stream_rec.logs.log import read_events, read_items, usable
from stream_rec.pipeline import Pipeline
from stream_rec.replay.embedded import EmbeddedItems, embed_items
from stream_rec.words import split_words

SCORED, LIKED = 5, 15
"""Events of a user that are scored, and up to which the next ones say what the user likes."""
LEAST_LIKED = 3
MOST_INTERESTS = 3
WAYS = ("nothing", "likes", "another's")


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20_000)
    parser.add_argument("--encoder", default=Settings().embedder.encoder)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    limits = InputLimits()
    items = list(usable(read_items(arguments.items, limits=limits), print))
    log = read_events(arguments.events, limits=limits, received_ms=time.time_ns() // 1_000_000)
    events = [one for one in itertools.islice(log, arguments.limit) if isinstance(one, LoggedEvent)]
    settings = Settings(embedder=msgspec.structs.replace(Settings().embedder, encoder=arguments.encoder))
    embedded = embed_items(items, settings.embedder, limits)
    compile_kernels()
    likes = find_likes(events, {item.item_id: item for item in items})
    users = sorted(likes)
    shuffled = random.Random(arguments.seed).sample(users, len(users))
    said = {
        "nothing": dict.fromkeys(users, ()),
        "likes": likes,
        "another's": {user: likes[other] for user, other in zip(users, shuffled)},
    }
    scores = {way: run(events, said[way], embedded, settings) for way in WAYS}
    print(json.dumps({"events": len(events), "users": len(users), **report(scores, users, arguments.seed)}, indent=2))


def find_likes(events: Sequence[LoggedEvent], items: Mapping[str, Item]) -> dict[str, tuple[str, ...]]:
    """Return by user up to three tags that the user comes to later more often than others, most telling first."""
    tags = {item_id: tags_of(item) for item_id, item in items.items()}
    by_user: dict[str, list[str]] = defaultdict(list)
    for _, event in events:
        by_user[event.user_id].append(event.item_id)
    everywhere = Counter(tag for item_ids in by_user.values() for item_id in item_ids for tag in tags.get(item_id, ()))
    n_events = len(events)
    found = {}
    for user, item_ids in by_user.items():
        later = [item_id for item_id in item_ids[SCORED:LIKED] if item_id not in item_ids[:SCORED]]
        counts = Counter(tag for item_id in later for tag in tags.get(item_id, ()))
        if len(later) < LEAST_LIKED:
            continue
        telling = {tag: n * np.log(n / len(later) * n_events / everywhere[tag]) for tag, n in counts.items() if n > 1}
        best = sorted((tag for tag in telling if telling[tag] > 0), key=lambda tag: (-telling[tag], tag))
        if best:
            found[user] = tuple(best[:MOST_INTERESTS])
    return found


def tags_of(item: Item) -> set[str]:
    """Return what a user could name of an item."""
    return {tag[:LONGEST_INTEREST] for tag in item.tags if tag.strip()} or set(split_words(item.title))


class Scores:
    """Ranks at which what users chose stood in their lists, 0 where it was not there; and the lists' CPU time."""

    def __init__(self) -> None:
        self.ranks: dict[str, list[int]] = defaultdict(list)
        self.took_s: list[float] = []


def run(
    events: Sequence[LoggedEvent], said: Mapping[str, Sequence[str]], embedded: EmbeddedItems, settings: Settings
) -> Scores:
    """Return the scores of the first events of those users who may say something."""
    pipeline, scores = Pipeline(settings, encodes_queries=True), Scores()
    for item in embedded.items:
        pipeline.catalog.put_item(item)
        if item.item_id in embedded.embeddings:
            pipeline.catalog.put_embedding(item.item_id, embedded.embeddings[item.item_id])
    for logged in events:
        event = logged.event
        number = len(scores.ranks[event.user_id])
        if number == 0 and said.get(event.user_id):
            pipeline.declare(Profile(event.user_id, event.timestamp_ms, list(said[event.user_id])))
        began = time.process_time()
        ranked = pipeline.rank(event.user_id, event.timestamp_ms, event.context)
        if event.user_id in said and number < SCORED:
            shown = [item.item_id for item in pipeline.recommender.items(ranked, event.event_id)]
            scores.took_s.append(time.process_time() - began)
            scores.ranks[event.user_id].append(shown.index(event.item_id) + 1 if event.item_id in shown else 0)
        pipeline.take(ranked, [logged])
    return scores


def report(scores: Mapping[str, Scores], users: Sequence[str], seed: int) -> dict[str, object]:
    """Return what is printed of all runs."""
    found: dict[str, object] = {}
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(users), (1000, len(users)))
    parts = {"first": slice(0, 1), "second to fifth": slice(1, SCORED)}
    gains = {
        (way, part): np.array([sum(map(gain, of.ranks[user][events])) for user in users])
        for way, of in scores.items()
        for part, events in parts.items()
    }
    for way, of in scores.items():
        said: dict[str, object] = {"list_ms": round(1000 * float(np.median(of.took_s)), 2)}
        for part, events in parts.items():
            ranks = [rank for user in users for rank in of.ranks[user][events]]
            ratios = gains[way, part][drawn].sum(axis=1) / gains["nothing", part][drawn].sum(axis=1)
            said[part] = {
                "ndcg": round(float(np.mean(list(map(gain, ranks)))), 4),
                "hit_rate": round(float(np.mean(np.array(ranks) > 0)), 4),
                "ratio": [round(float(np.percentile(ratios, each)), 3) for each in (50, 2.5, 97.5)],
            }
        found[way] = said
    return found


def gain(rank: int) -> float:
    """Return NDCG of one item at a rank."""
    return 1 / np.log2(rank + 1) if rank else 0.0


if __name__ == "__main__":
    main()
