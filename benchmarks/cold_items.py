"""New items found by their text alone: which encoder, and how its vectors are best prepared before they are compared.

    python benchmarks/cold_items.py --logs ../shared/data [--encoders e5-small,hashing,e5-small+hashing] [--cases 2500]

Of each event with an item that had fewer than 5 events before, by a user with a history: is the item among the 20
nearest to the user's taste, of all items with fewer than 5 events? The lines of an order know nothing of one another.
The taste is the mean of the user's last 20 items, each earlier one counting 0.8 of the next. Vectors are compared as
they are, less their mean, without their first principal components too ("all but the top"), and whitened to several
powers (``stream_rec/catalog/whitening.py``), by all components or the first; those of two encoders side by side.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.config import Settings, override
from stream_rec.evaluation.experiment import EvaluationSettings, Experiment
from stream_rec.evaluation.scan import LogFile, scan
from stream_rec.evaluation.slices import NEW
from stream_rec.logs.log import read_items, usable
from stream_rec.replay.embedded import EmbeddedItems, embed_items

LIMITS = {"entree_chicago": 30_000, "movietweetings": 40_000, "online_retail": 60_000}
"""Events taken of each log."""
RECENT, DECAY, HITS = 20, 0.8, 20
Vectors = NDArray[np.float32]


class Case(NamedTuple):
    """One event with a new item."""

    recent: NDArray[np.int64]
    """Items that the user had last, newest first."""
    item: int
    pool: NDArray[np.int64]
    """All items that were new then."""


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True, help="folder with one folder for each log")
    parser.add_argument("--encoders", default="random,minilm-int8,hashing,e5-small,e5-small+hashing")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as embedder.max_tokens=64"
    )
    parser.add_argument("--cases", type=int, default=2500, help="events looked at of each log, evenly spread")
    parser.add_argument("--cache", type=Path, default=Path(".stream-rec/embeddings"))
    arguments = parser.parse_args()
    logs = {name: read(arguments.logs / name, limit, arguments.cases) for name, limit in LIMITS.items()}
    print("| encoder | vectors |", " | ".join(logs), "|")
    print("|---|---|" + "---|" * len(logs))
    chosen = dict(each.split("=", 1) for each in arguments.set)
    for encoder in arguments.encoders.split(","):
        settings = override(Settings(), {"embedder.encoder": encoder, **chosen})
        made = {
            name: embed_items(items, settings.embedder, settings.limits, cache=arguments.cache)
            for name, (items, _) in logs.items()
        }
        for label, prepare in PREPARED.items():
            cells = [f"{share_of_hits(logs[name][1], side_by_side(one, prepare)):.4f}" for name, one in made.items()]
            print(f"| {encoder} | {label} |", " | ".join(cells), "|", flush=True)


def read(folder: Path, limit: int, most: int) -> tuple[list, list[Case]]:
    """Return the items of a log, and at most about ``most`` of its cases."""
    limits = Settings().limits
    items = list(
        {item.item_id: item for item in usable(read_items(folder / "items.jsonl.gz", limits=limits), print)}.values()
    )
    with tempfile.TemporaryDirectory() as scanned:
        file = LogFile(str(folder / "events.jsonl.gz"), limits, received_ms=time.time_ns() // 10**6, limit=limit)
        log = scan(file, Path(scanned), item_ids=[item.item_id for item in items], on_bad=print)
        is_listed = np.array([item.available for item in items])
        no_vectors = np.zeros((len(items), 0), np.float32)
        experiment = Experiment.of(log, EvaluationSettings(), is_listed=is_listed, vectors=no_vectors)
        cases = list(find_cases(experiment))
    return items, cases[:: max(1, len(cases) // most)]


def find_cases(experiment: Experiment) -> Iterator[Case]:
    """Yield the scored events with a new item by users with a history."""
    log, plan, is_listed = experiment.log, experiment.plan, experiment.world.is_listed
    n_events = np.zeros(len(log.item_ids), np.int64)
    history: dict[int, list[int]] = defaultdict(list)
    for group, (start, end) in enumerate(zip(plan.bounds[:-1].tolist(), plan.bounds[1:].tolist())):
        user, chosen = int(log.users[start]), log.items[start:end]
        if group >= plan.n_warm_groups and history[user]:
            new = chosen[(n_events[chosen] < NEW) & is_listed[chosen]]
            if len(new):
                recent = np.array(list(dict.fromkeys(reversed(history[user])))[:RECENT])
                pool = np.flatnonzero((n_events < NEW) & is_listed)
                yield from (Case(recent, int(item), pool) for item in new)
        np.add.at(n_events, chosen, 1)
        history[user].extend(chosen.tolist())


def share_of_hits(cases: list[Case], vectors: Vectors) -> float:
    """Return the share of the cases in which the item is among the ``HITS`` nearest of its pool."""
    n_hits = 0
    for recent, item, pool in cases:
        known = recent[recent < len(vectors)]  # items that are in no file have no vector
        taste = DECAY ** np.arange(len(known)) @ vectors[known]
        similarities = vectors @ taste
        n_hits += int((similarities[pool] > similarities[item]).sum() < HITS)
    return n_hits / len(cases)


def side_by_side(made: EmbeddedItems, prepare: Callable[[Vectors], Vectors]) -> Vectors:
    """Return the vectors of all spaces, each prepared, of unit length."""
    spaces = []
    for number in range(len(made.identities)):
        of_space = {item_id: one.vectors[number] for item_id, one in made.embeddings.items()}
        known = {item_id: one.vector for item_id, one in of_space.items() if one is not None}
        nothing = np.zeros_like(next(iter(known.values())))
        spaces.append(prepare(np.stack([known.get(item.item_id, nothing) for item in made.items])))
    return np.concatenate(spaces, axis=1) / np.sqrt(len(spaces))


def whiten(power: float, n_components: int | None = None, n_removed: int = 0) -> Callable[[Vectors], Vectors]:
    """Return what centres vectors and divides each principal component by its standard deviation to a power."""

    def prepare(vectors: Vectors) -> Vectors:
        centred = vectors.astype(np.float64) - vectors.mean(axis=0)
        variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
        chosen = slice(n_removed, n_components)
        variances, directions = variances[::-1][chosen], directions[:, ::-1][:, chosen]
        scale = np.maximum(variances, 1e-4 * variances[0]) ** (-power / 2)
        return _unit(centred @ (directions * scale))

    return prepare


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)


PREPARED: dict[str, Callable[[Vectors], Vectors]] = {
    "as they are": _unit,
    "centred": whiten(0.0),
    "without 1 component": whiten(0.0, n_removed=1),
    "without 3 components": whiten(0.0, n_removed=3),
    "whitened, power .25": whiten(0.25),
    "whitened, power .5": whiten(0.5),
    "whitened, power .75": whiten(0.75),
    "whitened, power 1": whiten(1.0),
    "power .5, 128 components": whiten(0.5, n_components=128),
    "power .5, 64 components": whiten(0.5, n_components=64),
}

if __name__ == "__main__":
    main()
