"""What relations are worth where records say much: readers of series, to whom each volume is new."""

from __future__ import annotations

import random

import pytest

from stream_rec.config import Settings
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.pipeline import Pipeline

SERIES, VOLUMES, READERS = 60, 6, 3
"""Readers of each series."""


def share_of_hits(*, says_series: bool) -> float:
    """Return how often the next volume of a reader's series is among the first five when nobody has read it yet.

    All series have their next volume at once, and readers come in any order. Titles say nothing.
    """
    pipeline, rng = Pipeline(Settings()), random.Random(0)
    names = [f"{rng.getrandbits(64):x}" for _ in range(SERIES * VOLUMES)]
    hits, n, now_ms = 0, 0, 0
    for volume in range(VOLUMES):
        for series in range(SERIES):
            relations = {"series": [f"series-{series}"]} if says_series else {}
            pipeline.catalog.put_item(Item(names[series * VOLUMES + volume], relations=relations))
        readers = [(series, reader) for series in range(SERIES) for reader in range(READERS)]
        rng.shuffle(readers)
        is_read = set[int]()
        for series, reader in readers:
            now_ms += 60_000
            user_id, item_id = f"{series}/{reader}", names[series * VOLUMES + volume]
            ranked = pipeline.rank(user_id, now_ms)
            if volume and series not in is_read:
                made = pipeline.recommender.items(ranked, f"{user_id}/{volume}")
                hits, n = hits + (item_id in [item.item_id for item in made[:5]]), n + 1
            is_read.add(series)
            pipeline.learn(Kind.VIEW, Interaction(f"{user_id}/{volume}", user_id, item_id, now_ms))
    return hits / n


def test_the_next_of_a_series_is_found_before_anybody_had_it():
    """Where records say of which series it is; else it is one of many that nobody knows."""
    assert share_of_hits(says_series=True) > 0.8
    assert share_of_hits(says_series=False) < 0.2


def test_items_that_say_nothing_are_ranked_as_without_a_graph(monkeypatch: pytest.MonkeyPatch):
    """To the last bit: where items have nothing in common there is nothing to add."""

    def lists() -> list[tuple[str, float]]:
        pipeline = Pipeline(Settings())
        made = []
        for number in range(60):
            event = Interaction(f"e{number}", f"u{number % 7}", f"i{number * number % 13}", number)
            pipeline.catalog.put_item(Item(event.item_id))
            made += pipeline.list_for(Kind.VIEW, event, pipeline.learn(Kind.VIEW, event)).items
        return [(item.item_id, item.score) for item in made]

    with_graph = lists()
    monkeypatch.setattr("stream_rec.retrieval.candidates.add_related", lambda *_: None)

    assert lists() == with_graph
