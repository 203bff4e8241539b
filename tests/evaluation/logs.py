"""Logs for tests of the evaluation, written from short rows, and methods whose lists can be told beforehand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.evaluation.experiment import EvaluationSettings, Experiment
from stream_rec.evaluation.method import Group, World
from stream_rec.evaluation.scan import LogFile, ScannedLog, scan
from stream_rec.events.impression import Impression
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.events.validate import InputLimits
from stream_rec.logs.log import BadLine

NOW_MS = 2_000_000_000_000
LIMITS = InputLimits()
Row = tuple[str, str, float]
"""User, item, time in seconds."""


def write_events(file: Path, rows: Iterable[Row | str], kind: str = "view") -> Path:
    """Write one line a row; a string is a line as it stands."""
    lines = [
        row
        if isinstance(row, str)
        else json.dumps({"event_type": kind, "user_id": row[0], "item_id": row[1], "timestamp": row[2]})
        for row in rows
    ]
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return file


def search_line(user: str, query: str, time: float, **fields: object) -> str:
    """Return the line of a search."""
    return json.dumps({"event_type": "search", "user_id": user, "query": query, "timestamp": time, **fields})


def impression_line(user: str, item_ids: Sequence[str], time: float, **fields: object) -> str:
    """Return the line of an impression."""
    line = {"event_type": "impression", "user_id": user, "items": list(item_ids), "timestamp": time}
    return json.dumps(line | fields)


def write_items(file: Path, items: Iterable[Item | str]) -> Path:
    """Write one line an item; of a string only the id."""
    made = [Item(item, title=f"thing {item}") if isinstance(item, str) else item for item in items]
    fields = [{"item_id": i.item_id, "title": i.title, "category": i.category, "available": i.available} for i in made]
    file.write_text("".join(json.dumps(one) + "\n" for one in fields), encoding="utf-8")
    return file


def scanned(
    tmp_path: Path, rows: Iterable[Row | str], item_ids: Sequence[str] = (), *, limit: int | None = None, **options
) -> ScannedLog:
    """Return a log of these rows."""
    bad: list[BadLine] = []
    file = write_events(tmp_path / "events.jsonl", rows)
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    options = {"on_bad": bad.append, **options}
    return scan(LogFile(str(file), LIMITS, NOW_MS, limit), folder, item_ids=item_ids, **options)


def experiment_on(log: ScannedLog, is_listed=None, vectors=None, **settings) -> Experiment:
    """Return an experiment on a log; without ``is_listed`` all its items are in the item file, without text."""
    is_listed = np.ones(len(log.item_ids), bool) if is_listed is None else np.asarray(is_listed)
    vectors = np.zeros((len(is_listed), 0), np.float32) if vectors is None else vectors
    return Experiment.of(log, EvaluationSettings(**settings), is_listed=is_listed, vectors=vectors)


def embeddings_of(items, vectors) -> dict[str, ItemEmbedding]:
    """Return embeddings in one space by item id; an item whose row of ``vectors`` is zero has none."""
    made = {item.item_id: vector for item, vector in zip(items, vectors) if vector.any()}
    return {item_id: ItemEmbedding(bytes(16), (SpaceVector("test@1", vector),)) for item_id, vector in made.items()}


def many_rows(n_events: int = 120, n_users: int = 7, n_items: int = 12) -> list[Row]:
    """Return events with ties in time, groups and repeats; the same ones every time."""
    rng = np.random.default_rng(5)
    users, items = rng.integers(n_users, size=n_events), rng.integers(n_items, size=n_events) // 2
    times = 1e9 + np.cumsum(rng.integers(0, 3, size=n_events)) * 600
    return [(f"u{user}", f"i{item}", float(time)) for user, item, time in zip(users, items, times)]


class Popular:
    """Lists the items with the most events; ties by number."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.counts: Counter[int] = Counter()

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return what has events and is listed."""
        known = [item for item in self.counts if self.world.is_listed[item]]
        return np.array(sorted(known, key=lambda item: (-self.counts[item], item))[:n], np.int64)

    def learn(self, group: Group) -> None:
        """Count."""
        self.counts.update(group.items.tolist())


class Always:
    """Lists the same items, whatever happens."""

    def __init__(self, *items: int) -> None:
        self.items = np.array(items, np.int64)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return them."""
        return self.items[:n]

    def learn(self, group: Group) -> None:
        """Learn nothing."""


class Spy(Always):
    """Writes down what it is asked and told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return nothing."""
        self.calls.append(("recommend", user, now_ms))
        return self.items

    def learn(self, group: Group) -> None:
        """Keep the group's items and events."""
        assert [one.event.timestamp_ms for one in group.events] == [group.now_ms] * len(group.items)
        self.calls.append(("learn", group.user, group.now_ms, group.items.tolist()))


class SearchSpy(Spy):
    """Writes down what users searched for too."""

    def take_search(self, user: int, search: Search) -> None:
        """Keep the query."""
        self.calls.append(("search", user, search.query))


class ImpressionSpy(Spy):
    """Writes down what users were shown too."""

    def take_impression(self, user: int, impression: Impression) -> None:
        """Keep its id."""
        self.calls.append(("shown", user, impression.event_id))


class Slow:
    """An observer that keeps the items of every group, and takes long for it by the clock ``ticking``."""

    TAKES_NS = 10**15
    now_ns = 0

    def __init__(self, method: Always, experiment: Experiment) -> None:
        self.items: list[int] = []

    def observe(self, group: Group) -> None:
        """Keep them."""
        self.items += group.items.tolist()
        Slow.now_ns += self.TAKES_NS

    def observe_learned(self, group: Group) -> None:
        """Take no time."""

    def collect(self) -> dict[str, np.ndarray]:
        """Return them."""
        return {"items": np.array(self.items)}


def ticking() -> int:
    """Return the time of a clock that goes by 1 ns each time it is asked, and when ``Slow`` looks."""
    Slow.now_ns += 1
    return Slow.now_ns


def first_items(world: World, seed: int) -> Always:
    """Return a method that lists the first items of the file."""
    return Always(*np.flatnonzero(world.is_listed)[:5].tolist())


def broken(world: World, seed: int) -> Always:
    """Fail as a method may fail."""
    raise ArithmeticError("the matrix is singular")


def incomplete(world: World, seed: int) -> Always:
    """Fail as a method whose package is not installed."""
    raise ModuleNotFoundError("No module named 'implicit'", name="implicit")


def killed(world: World, seed: int) -> Always:
    """End as a process that the system ends."""
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
