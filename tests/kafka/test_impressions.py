"""Impressions on a real broker: what is shown in vain sinks for who saw it, and exposures outlive a killed worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.events.item import Item
from stream_rec.events.slate import Slate
from stream_rec.knowledge.slots import slot_of
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user.history import read_history
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

PLAIN = {"explore_share": 0.0, "tail_every": 0, "diversity": 0.0, "fresh_worth": 0.0, "n": 10}
"""A list is the best by score."""
ITEMS = [Item(f"item-{number:02}", title=f"thing {number}") for number in range(30)]
ROW_OF = {item.item_id: row for row, item in enumerate(ITEMS)}


class Shop(NamedTuple):
    """A pipeline that knows the items, the first of them the most popular."""

    running: RunningPipeline
    producer: EventProducer
    view: RecommendationsView

    def show(self, user_id: str, *item_ids: str) -> Slate:
        """Show items, and return the list that was made on that."""
        event_id = self.producer.impression(user_id, "some-list", item_ids, surface="home")
        return self.list_after(user_id, event_id)

    def click(self, user_id: str, item_id: str) -> Slate:
        """Click, and return the list that was made on that."""
        return self.list_after(user_id, self.producer.click(user_id, item_id))

    def list_after(self, user_id: str, event_id: str) -> Slate:
        """Return the list that was made on an event."""
        self.producer.flush()
        wait_until(lambda: (made := self.view.own(user_id)) and made.as_of.event_id == event_id)
        return self.view.own(user_id)

    def exposures(self) -> dict[str, tuple[list[int], list[int]]]:
        """Return by item how often it was shown and chosen from there, by slot."""
        self.running.wait_until_settled()
        return {item_id: (state.shown, state.chosen) for item_id, state in self.running.item_states().items()}


@contextmanager
def open_shop(bootstrap: str) -> Iterator[Shop]:
    settings = quick_settings(ranking=PLAIN, worker={"session_timeout_s": 6.0})
    with (
        RunningPipeline(bootstrap, settings, embedder=False) as running,
        running.producer() as producer,
        running.view() as view,
    ):
        for number, item in enumerate(ITEMS):
            producer.item(item)
            for visitor in range(30 - number):
                producer.view(f"visitor-{visitor}", item.item_id)
        producer.flush()
        running.wait_until_settled()
        yield Shop(running, producer, view)


@pytest.fixture(scope="module")
def shop(bootstrap: str) -> Iterator[Shop]:
    with open_shop(bootstrap) as shop:
        yield shop


def ids(made: Slate) -> list[str]:
    return [item.item_id for item in made.items]


def test_who_is_shown_something_in_vain_gets_something_else(shop: Shop) -> None:
    """The list that says so is there at once, also for a user of whom nothing else is known; others keep theirs."""
    first = shop.show("ann", "item-29")
    assert (first.as_of.topic, list(first.seen)) == ("impressions", ["impressions"])
    for _ in range(8):
        last = shop.show("ann", *ids(first)[:5])

    assert not set(ids(last)[:3]) & set(ids(first)[:5])
    assert ids(shop.show("bob", "item-29"))[:3] == ids(first)[:3]


def test_what_is_chosen_after_all_does_not_sink(shop: Shop) -> None:
    """Of two that were shown as often, one was clicked in between: the other alone was shown in vain."""

    def shown_in_vain() -> list[str]:
        history = read_history(shop.running.user_states()["cem"], ROW_OF.get, recent_items=30)
        return [ITEMS[row].item_id for row in history.shown.rows.tolist()]

    for _ in range(6):
        shop.show("cem", "item-01", "item-02")
    shop.running.wait_until_settled()
    assert shown_in_vain() == ["item-01", "item-02"]
    shop.click("cem", "item-02")
    shop.running.wait_until_settled()

    assert shown_in_vain() == ["item-01"]


def test_exposures_are_exact_and_outlive_a_killed_worker(bootstrap: str) -> None:
    """By slot, with what was chosen from it, each once: in the item states, and in the list of who comes next."""
    with open_shop(bootstrap) as shop:
        for _ in range(4):
            shop.show("ann", "item-03", "item-04", "item-05")
            shop.show("bob", "item-05", "item-04")
        shop.click("ann", "item-05")
        shop.click("ann", "item-05")
        before = shop.exposures()

        shop.running.children["worker-1"].kill()
        meanwhile = shop.producer.impression("ann", "some-list", ["item-03"])
        shop.producer.flush()
        shop.running.start_worker()
        shop.list_after("ann", meanwhile)
        after = shop.exposures()

        assert counts(before["item-04"]) == ({1: 8}, {})
        assert counts(before["item-05"]) == ({0: 4, slot_of(3): 4}, {slot_of(3): 1})
        assert counts(after["item-03"]) == ({0: 5}, {})
        assert {i: s for i, s in after.items() if i != "item-03"} == {i: s for i, s in before.items() if i != "item-03"}
        states = shop.running.user_states()
        assert [entry.item_ids for entry in states["bob"].recent_impressions] == [["item-05", "item-04"]] * 4
        assert {count.item_id: count.n for count in states["ann"].shown_counts} == {
            "item-03": 5,
            "item-04": 4,
            "item-05": 4,
        }


def counts(of_slots: tuple[list[int], list[int]]) -> tuple[dict[int, int], dict[int, int]]:
    """Return by slot what is more than nothing."""
    shown, chosen = ({slot: n for slot, n in enumerate(by_slot) if n} for by_slot in of_slots)
    return shown, chosen
