"""Lists that know the context of their request: what each country likes, and nothing where nothing is said."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.pipeline import Pipeline
from stream_rec.ranking import contexts, linear_head
from stream_rec.ranking.linear_head import Step
from stream_rec.user.bounds import UserConfig
from stream_rec.user.history import read_history

KIND = Kind.CLICK
WITHOUT = Settings(user=UserConfig(context_keys=""))
N_ITEMS = 300
COUNTRIES = ("FR", "JP", "BR", "CA")


def choices(n: int, seed: int = 0, *, taste: str = "country") -> Iterator[Interaction]:
    """Return first events of so many users in four countries: they choose among the items of theirs, some most often.

    Args:
        taste: What decides; the country, or nothing.
    """
    random = Random(seed)
    for number in range(n):
        context = {"country": random.choice(COUNTRIES), "session": f"s{number}"}
        like = context["country"] if taste == "country" else random.choice(COUNTRIES)
        item = N_ITEMS // 4 * COUNTRIES.index(like) + int(N_ITEMS // 4 * random.random() ** 2)
        yield Interaction(f"e{number}", f"u{number}", f"i{item}", 1_700_000_000_000 + 1000 * number, context=context)


def shop(settings: Settings) -> Pipeline:
    """Return a pipeline with items that nobody has come to."""
    pipeline = Pipeline(settings)
    for number in range(N_ITEMS):
        pipeline.catalog.put_item(Item(f"i{number}", title=f"item {number}"))
    return pipeline


def hit_rate(settings: Settings, events: list[Interaction], n_taught: int) -> float:
    """Return how many of the events behind the first ``n_taught`` are in their list of 20, made just before each."""
    pipeline, n_hits = shop(settings), 0
    for number, event in enumerate(events):
        ranked = pipeline.rank(event.user_id, event.timestamp_ms, event.context)
        if number >= n_taught:
            items = pipeline.recommender.items(ranked, event.event_id)
            n_hits += event.item_id in [item.item_id for item in items]
        pipeline.learn(KIND, event)
    return n_hits / (len(events) - n_taught)


def test_each_country_gets_a_list_of_its_own():
    """Users of whom nothing else is known: half as many hits again as without contexts; twice as many were possible."""
    events = list(choices(900))

    assert hit_rate(Settings(), events, 600) > 1.5 * hit_rate(WITHOUT, events, 600) > 0.2


def test_a_context_that_says_nothing_costs_nothing():
    """Where all countries like the same, hits are as many, but for a few."""
    events = list(choices(900, taste="nothing"))

    assert hit_rate(Settings(), events, 600) == pytest.approx(hit_rate(WITHOUT, events, 600), abs=0.03)


def lists(settings: Settings, context: dict[str, Any] | None = None) -> list[bytes]:
    """Return the lists of some users, as they are sent, and what is learned; without ``context`` of all countries."""
    pipeline, made = shop(settings), []
    for event in choices(60):
        context_of_event = event.context if context is None else context
        event = msgspec.structs.replace(event, user_id=f"u{int(event.item_id[1:]) % 7}", context=context_of_event)
        made.append(msgspec.json.encode(pipeline.list_for(KIND, event, pipeline.learn(KIND, event))))
        search = Search(f"q{event.event_id}", event.user_id, "item 7", event.timestamp_ms + 1, context=event.context)
        made.append(msgspec.json.encode(pipeline.list_for_search(search, pipeline.search(search))))
    head = pipeline.recommender.head
    return [*made, head.of_context.weights.tobytes(), head.of_asked.weights.tobytes()]


def test_where_no_context_is_declared_lists_are_what_they_were():
    """To the last bit: by events that say nothing or other things, and by settings that declare none."""
    before = lists(WITHOUT, {})

    assert lists(Settings(), {}) == lists(Settings(), {"session": "s", "order": 7}) == before
    assert lists(WITHOUT) == before != lists(Settings())


def test_a_list_without_a_request_takes_the_context_of_the_newest_event_or_search():
    """By event time; a list that is made anew between events knows it from the user's state."""
    pipeline = shop(Settings())
    came = [({"country": "FR"}, 5000), ({"country": "JP"}, 9000), ({}, 8000)]
    for number, (context, at_ms) in enumerate(came):
        user = pipeline.learn(KIND, Interaction(f"e{number}", "ann", "i1", at_ms, context=context))

    def known(state) -> tuple[int, ...]:
        return read_history(state, pipeline.catalog.find, recent_items=5).contexts

    entries = {entry.timestamp_ms: entry.contexts for entry in user.recent_events}
    assert known(user) == entries[9000] != entries[5000] and entries[8000] == ()
    searched = pipeline.search(Search("q", "ann", "item", 9500, context={"country": "FR"}))
    assert known(searched) == entries[5000]


def test_the_expert_learns_from_what_was_chosen():
    """An item with a larger lift than others was chosen: lift counts from then on, and for that key alone."""
    inputs = np.zeros((4, contexts.MOST_KEYS), np.float32)
    inputs[2, 1] = 1.5
    even = np.log(np.full(4, 0.25))
    assert linear_head.adjust(contexts.COLD, inputs, 0).tolist() == [0.0] * 4

    head = linear_head.learn_choices(contexts.COLD, inputs, 0, even, np.array([2]), np.ones(1), Step(0.05))

    assert linear_head.adjust(head, inputs, 0)[2] > 0 and linear_head.adjust(head, inputs, 3)[2] > 0
    assert np.flatnonzero(head.weights[0]).tolist() == [1] and not contexts.COLD.weights.any()
