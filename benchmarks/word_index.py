"""What the word index costs: time to put an item and to search, and memory.

    python benchmarks/word_index.py [--items 20000 1000000]

Items are made up: 19 words whose frequencies follow Zipf's law, of 20,000 where that is few, and one of their own. A
query has three of an item's words; `common` is the three most frequent words of all, `16 words` sixteen of any.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator

import numpy as np
import psutil

from stream_rec.catalog.word_index import WordIndex
from stream_rec.events.item import Item
from stream_rec.kernels import compile_kernels

QUERIES = 300
VOCABULARY = 200_000


def main() -> None:
    """Run, and print one JSON object: microseconds and bytes, by number of items."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 1_000_000])
    arguments = parser.parse_args()
    compile_kernels()
    print(json.dumps({f"{n} items": measure(n) for n in arguments.items}, indent=2))


def measure(n: int) -> dict[str, float]:
    """Return what an index of ``n`` items costs."""
    before = psutil.Process().memory_info().rss
    index, put_s, slowest_s = WordIndex(), 0.0, 0.0
    for row, item in enumerate(make_items(n, seed=1)):
        began = time.process_time()
        index.put(row, item)
        took = time.process_time() - began
        put_s, slowest_s = put_s + took, max(slowest_s, took)
    n_bytes = psutil.Process().memory_info().rss - before
    again = list(make_items(2000, seed=2))
    began = time.process_time()
    for row, item in enumerate(again):
        index.put(row * (n // len(again)), item)
    change_s = time.process_time() - began
    rng = np.random.default_rng(3)
    titles = [item.title.split() for item in make_items(QUERIES, seed=4)]
    queries = {
        "3 words": [" ".join(title[:3]) for title in titles],
        "common": ["w0 w1 w2"],
        "16 words": [" ".join(f"w{word}" for word in rng.integers(0, 3000, 16)) for _ in range(QUERIES)],
        "16 common": [" ".join(f"w{word}" for word in range(16))],
    }
    is_listed, rows = np.ones(n, dtype=bool), rng.integers(0, n, 200)
    found = {
        "put, microseconds": 1e6 * put_s / n,
        "slowest put, milliseconds": 1e3 * slowest_s,
        "change, microseconds": 1e6 * change_s / len(again),
        "memory, bytes an item": n_bytes / n,
    }
    for name, asked in queries.items():
        took_s = []
        for number in range(QUERIES):
            began = time.perf_counter()
            index.search(asked[number % len(asked)], 100, is_listed)
            took_s.append(time.perf_counter() - began)
        found[f"search {name}, median milliseconds"] = 1e3 * float(np.median(took_s))
        found[f"search {name}, 99 % milliseconds"] = 1e3 * float(np.quantile(took_s, 0.99))
    began = time.process_time()
    for asked in queries["3 words"]:
        index.score(asked, rows)
    found["score 200 rows, microseconds"] = 1e6 * (time.process_time() - began) / QUERIES
    return {name: round(value, 3) for name, value in found.items()}


def make_items(n: int, seed: int) -> Iterator[Item]:
    """Yield items that are made up."""
    rng = np.random.default_rng(seed)
    for number in range(n):
        drawn = [f"w{word}" for word in np.minimum(rng.zipf(1.2, 19), VOCABULARY) - 1]
        title, category, text = " ".join(drawn[:6]), f"c{number % 50}", " ".join(drawn[8:])
        yield Item(f"i{seed}x{number}", title=title, category=category, tags=drawn[6:8], description=text)


if __name__ == "__main__":
    main()
