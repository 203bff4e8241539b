"""How well, and how fast, a user of whom nothing is known gets what they search for.

    python benchmarks/searches.py --items ITEMS --events EVENTS [--limit 20000] [--searches 1000]

No public log has both what users typed and what they chose, so searches are made up: before some of the last events,
somebody new searches for two words, drawn with a seed, of the title and tags of the item that is chosen next
(known-item search). The list is made by words alone, by meaning alone, by both, and without the search. Choices after
searches are not counted here: they are what critiques measure (docs/guides/searches.md).

Printed is one JSON object: NDCG@20, how often the item leads, and CPU time of a list; and of encoding a query, which
lists after the first do without.

Source:
    Azzopardi, de Rijke, Balog. Building simulated queries for known-item topics. SIGIR 2007.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.word_index import WordIndex
from stream_rec.config import Settings
from stream_rec.embedding.query_encoder import QueryEncoder
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.events.validate import InputLimits
from stream_rec.kernels import compile_kernels
from stream_rec.logs.log import read_events, read_items, usable
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.exposures import Exposures
from stream_rec.recommend.make_list import recommend
from stream_rec.recommend.rank import rank
from stream_rec.replay.embedded import embed_items
from stream_rec.retrieval.candidates import Workspace
from stream_rec.user.bounds import UserConfig
from stream_rec.user.searches import fold_search
from stream_rec.user.state import COLD, UserState
from stream_rec.words import split_words

SHARE = 0.2
"""Of the events, the last, before some of which somebody searches."""


class Searcher:
    """Makes the list of a user who has done nothing but search."""

    def __init__(self, pipeline: Pipeline, encode: QueryEncoder) -> None:
        self._pipeline, self._encode = pipeline, encode
        self._workspace, self._no_words = Workspace(), WordIndex()
        self.took_s: dict[str, float] = defaultdict(float)
        self.encoding_s: list[float] = []

    def find_ranks(self, query: str, item_id: str, now_ms: int) -> dict[str, int]:
        """Return at which rank an item stands in the list made in each way, 0 where it is not in it."""
        began = time.process_time()
        self._encode(query)
        self.encoding_s.append(time.process_time() - began)
        user = fold_search(COLD, Search("q", "somebody", query, now_ms), 0, UserConfig())
        catalog = self._pipeline.catalog
        words = catalog.words
        ranks = {
            "no search": self._rank("no search", COLD, item_id, now_ms, is_encoded=False),
            "words": self._rank("words", user, item_id, now_ms, is_encoded=False),
            "words and meaning": self._rank("words and meaning", user, item_id, now_ms, is_encoded=True),
        }
        catalog.words = self._no_words
        ranks["meaning"] = self._rank("meaning", user, item_id, now_ms, is_encoded=True)
        catalog.words = words
        return ranks

    def _rank(self, way: str, user: UserState, item_id: str, now_ms: int, *, is_encoded: bool) -> int:
        catalog, head = self._pipeline.catalog, self._pipeline.recommender.head
        began = time.process_time()
        encode = self._encode if is_encoded else None
        ranked = rank("somebody", user, catalog, head, self._workspace, now_ms=now_ms, encode_query=encode)
        made = recommend(ranked, catalog, head, self._pipeline.settings.ranking, Exposures(), f"{way}/{now_ms}")
        self.took_s[way] += time.process_time() - began
        shown = [item.item_id for item in made]
        return shown.index(item_id) + 1 if item_id in shown else 0


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20_000)
    parser.add_argument("--searches", type=int, default=1_000)
    parser.add_argument("--encoder", default=Settings().embedder.encoder)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    embedder = msgspec.structs.replace(Settings().embedder, encoder=arguments.encoder)
    limits = InputLimits()
    items = list(usable(read_items(arguments.items, limits=limits), print))
    log = read_events(arguments.events, limits=limits, received_ms=time.time_ns() // 1_000_000)
    events = [one for one in itertools.islice(log, arguments.limit) if isinstance(one, LoggedEvent)]
    compile_kernels()
    pipeline = Pipeline(Settings())
    embedded = embed_items(items, embedder, limits)
    for item in embedded.items:
        pipeline.catalog.put_item(item)
        if item.item_id in embedded.embeddings:
            pipeline.catalog.put_embedding(item.item_id, embedded.embeddings[item.item_id])
    searcher = Searcher(pipeline, QueryEncoder(embedder, with_torch=True, in_background=False))
    rng = random.Random(arguments.seed)
    first = int(len(events) * (1 - SHARE))
    chosen = set(rng.sample(range(first, len(events)), min(arguments.searches, len(events) - first)))
    ranks: dict[str, list[int]] = defaultdict(list)
    for number, (kind, event) in enumerate(events):
        query = make_query(pipeline.catalog, event.item_id, rng) if number in chosen else ""
        if query:
            for way, found in searcher.find_ranks(query, event.item_id, event.timestamp_ms).items():
                ranks[way].append(found)
        pipeline.learn(kind, event)
    encoding_ms = 1000 * np.array(searcher.encoding_s)
    report = {
        "searches": len(encoding_ms),
        "encode_query_ms": {f"p{p}": round(float(np.percentile(encoding_ms, p)), 2) for p in (50, 99)},
        **{
            way: {
                "ndcg": round(float(np.mean([1 / np.log2(rank + 1) if rank else 0.0 for rank in found])), 4),
                "leads": round(float(np.mean(np.array(found) == 1)), 4),
                "list_ms": round(1000 * searcher.took_s[way] / len(found), 2),
            }
            for way, found in ranks.items()
        },
    }
    print(json.dumps(report, indent=2))


def make_query(catalog: Catalog, item_id: str, rng: random.Random) -> str:
    """Return two words of an item's title and tags, "" where it has none."""
    row = catalog.find(item_id)
    item: Item | None = catalog.item(row) if row is not None else None
    words = sorted(set(split_words(" ".join([item.title, *item.tags])))) if item is not None else []
    return " ".join(rng.sample(words, min(2, len(words))))


if __name__ == "__main__":
    main()
