"""Reasons on a real log: when the catalog is all new, and when something is known."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from stream_rec.config import Settings
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.events.slate import Slate
from stream_rec.logs.log import read_events, read_items
from stream_rec.pipeline import Pipeline
from stream_rec.replay.embedded import embed_items

EXAMPLE = Path(__file__).parents[2] / "examples/entree_chicago"
COLD, ALL = 50, 400
MOST_NEW = 0.02
"""Share of reasons that may say that an item is new, or there to be tried, where the whole catalog is new."""


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> list[Slate]:
    """Return the lists of the first events, from a catalog of which nothing was known."""
    settings = Settings(embedder=EmbedderSettings(encoder="hashing"))
    pipeline = Pipeline(settings)
    items = read_items(EXAMPLE / "items.jsonl.gz", limits=settings.limits)
    made = embed_items(items, settings.embedder, settings.limits, cache=tmp_path_factory.mktemp("cache"))
    for item in made.items:
        pipeline.catalog.put_item(item)
        pipeline.catalog.put_embedding(item.item_id, made.embeddings[item.item_id])
    events = islice(read_events(EXAMPLE / "events.jsonl.gz", limits=settings.limits, received_ms=2**41), ALL)
    lists = [pipeline.list_for(kind, event, pipeline.learn(kind, event)) for kind, event in events]
    assert len(pipeline.catalog.fresh) > 0.5 * pipeline.catalog.n_listed  # also at the end: 1,080 items
    return lists


def shares(lists: list[Slate]) -> dict[str, float]:
    """Return the share of each kind of reason."""
    kinds = Counter(item.reason.kind for slate in lists for item in slate.items)
    return {kind: n / kinds.total() for kind, n in kinds.items()}


@pytest.mark.parametrize(("start", "end"), [(0, COLD), (COLD, ALL)])
def test_new_says_nothing_where_all_is_new(lists: list[Slate], start: int, end: int):
    """Neither in the first lists, of which a fifth said it before, nor later: most items still have few events."""
    found = shares(lists[start:end])

    assert found.get("fresh", 0) + found.get("explore", 0) <= MOST_NEW


def test_the_first_lists_speak_of_texts_and_later_ones_of_people(lists: list[Slate]):
    """What is said changes with what is known; hardly anything is said to be there for no reason.

    Texts, and what items say to have in common, are known at once.
    """
    first, later = shares(lists[:COLD]), shares(lists[-100:])

    assert first["similar"] + first["related"] + first["trending"] > 0.5
    assert later["successors"] + later.get("neighbours", 0) > 2 * first.get("successors", 0) > 0
    assert max(first.get("catalog", 0), later.get("catalog", 0)) < 0.05


def test_no_item_is_the_reason_for_itself_but_as_a_repeat(lists: list[Slate]):
    """A repeat is said to be one, with how often and when: a user's event with the item comes before the list."""
    for slate in lists:
        for item in slate.items:
            reason = item.reason
            assert (reason.item_id == item.item_id) == (reason.kind == "repeat")
            if reason.kind == "repeat":
                assert reason.times >= 1 and reason.last_ms <= slate.as_of.timestamp_ms
