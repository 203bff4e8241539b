"""What the graph beside the catalog costs: time to put an item and to find what is related, and memory.

    python benchmarks/relations.py [--items 20000 1000000]

Items are made up: a brand of 30 items in the mean, a series of 4, three tags whose frequencies follow Zipf's law, of
200,000, one of 50 categories, and for every tenth an item that it goes with. A user has 12 items of any.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator

import numpy as np
import psutil

from stream_rec.catalog.graph import Graph
from stream_rec.events.item import Item
from stream_rec.kernels import compile_kernels
from stream_rec.retrieval.related import ITEMS, add_related
from stream_rec.retrieval.scratch import Scratch

USERS = 2_000


def main() -> None:
    """Run, and print one JSON object: microseconds and bytes, by number of items."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 1_000_000])
    arguments = parser.parse_args()
    compile_kernels()
    print(json.dumps({f"{n} items": measure(n) for n in arguments.items}, indent=2))


def measure(n: int) -> dict[str, float]:
    """Return what a graph of ``n`` items costs."""
    before = psutil.Process().memory_info().rss
    graph, put_s = Graph(), 0.0
    for row, item in enumerate(make_items(n)):
        began = time.process_time()
        graph.put(row, item)
        put_s += time.process_time() - began
    n_bytes = psutil.Process().memory_info().rss - before
    n_edges = int(graph.index.entries.sizes[:n].sum())
    scratch, rng, took_s, touched = Scratch(), np.random.default_rng(1), [], []
    for _ in range(USERS):
        recent = rng.integers(0, n, ITEMS)
        scratch.begin(n)
        began = time.process_time()
        add_related(scratch, recent, graph)
        took_s.append(time.process_time() - began)
        touched.append(scratch.n_touched)
    found = {
        "put, microseconds": 1e6 * put_s / n,
        "edges of an item": n_edges / n,
        "memory, bytes an item": n_bytes / n,
        "related, median microseconds": 1e6 * float(np.median(took_s)),
        "related, 99 % microseconds": 1e6 * float(np.quantile(took_s, 0.99)),
        "items found": float(np.mean(touched)),
    }
    return {name: round(value, 1) for name, value in found.items()}


def make_items(n: int) -> Iterator[Item]:
    """Yield items that are made up."""
    rng = np.random.default_rng(0)
    for number in range(n):
        tags = [f"t{tag}" for tag in np.minimum(rng.zipf(1.2, 3), 200_000)]
        relations = {"goes_with": [f"i{rng.integers(n)}"]} if number % 10 == 0 else {}
        attributes = {"brand": f"b{rng.integers(1 + n // 30)}"}
        title = f"s{rng.integers(1 + n // 4)} {number}"
        yield Item(f"i{number}", title, "", f"c{number % 50}", tags, attributes, relations)


if __name__ == "__main__":
    main()
