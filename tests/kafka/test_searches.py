"""Searches on a real broker: each is answered at once with a list, whoever asks, and nothing of them is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.events.item import Item
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.events.source import Source
from stream_rec.testing.arrivals import Arrivals, Latency
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import assert_all_embedded, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

MOST_P50_MS = 300.0
PLAIN = {"explore_share": 0.0, "tail_every": 0}
"""Nothing in a list is drawn."""
MATERIALS = ("copper", "glass", "oak", "steel", "linen", "wool", "paper", "cork")
ITEMS = [
    Item(f"sku-{84950 + n}b", title=f"{material} {thing} {n}")
    for n, (material, thing) in enumerate((m, t) for t in ("teapot", "lamp", "tray", "bowl") for m in MATERIALS)
]
POPULAR, ASKED_ABOUT, CHOSEN, LAST = ITEMS[0].item_id, ITEMS[3].item_id, ITEMS[20].item_id, ITEMS[-1]


class Shop(NamedTuple):
    """A pipeline that knows the items, the first of them popular."""

    running: RunningPipeline
    producer: EventProducer
    view: RecommendationsView

    def search(self, user_id: str, query: str, item_id: str | None = None) -> Slate:
        """Search, and return the list that was made on it."""
        event_id = self.producer.search(user_id, query, item_id=item_id)
        self.producer.flush()
        wait_until(lambda: (made := self.view.own(user_id)) and made.as_of.event_id == event_id)
        return self.view.own(user_id)

    def have_asked(self, query: str, n: int = 4) -> None:
        """Have users ask the same about an item, and choose another."""
        for number in range(n):
            self.producer.search(f"earlier-{number}", query, item_id=ASKED_ABOUT)
            self.producer.flush()
            self.producer.click(f"earlier-{number}", CHOSEN)
        self.producer.flush()

    def is_answered_by_others(self, user_id: str, query: str) -> bool:
        """Ask about the item, and return whether what others chose leads the list."""
        made = self.search(user_id, query, ASKED_ABOUT)
        return (made.items[0].item_id, made.items[0].reason.kind) == (CHOSEN, "asked")


@contextmanager
def open_shop(bootstrap: str, *, embeds: bool = True, **sections: dict[str, object]) -> Iterator[Shop]:
    settings = quick_settings(**{"ranking": PLAIN, **sections})
    with (
        RunningPipeline(bootstrap, settings, embedder=embeds) as running,
        running.producer() as producer,
        running.view() as view,
    ):
        for item in ITEMS:
            producer.item(item)
        for number in range(20):
            producer.view(f"visitor-{number}", POPULAR)
        producer.flush()
        if embeds:
            assert_all_embedded(running, ITEMS, 60.0)
        shop = Shop(running, producer, view)
        wait_until(lambda: LAST.item_id in {item.item_id for item in shop.search("first", LAST.title).items})
        wait_until(lambda: (default := view.own(DEFAULT_LIST)) and default.items[0].item_id == POPULAR)
        yield shop


@pytest.fixture(scope="module")
def shop(bootstrap: str) -> Iterator[Shop]:
    with open_shop(bootstrap) as shop:
        yield shop


@pytest.mark.parametrize("query", ["the WOOL tray", "84973b"], ids=["words of a title", "a code in an id"])
def test_who_has_done_nothing_else_finds_what_they_ask_for(shop: Shop, query: str) -> None:
    """It leads the list, which says on which search it was made, and that the search is the reason."""
    wanted = next(item for item in ITEMS if item.title.startswith("wool tray") or item.item_id == "sku-84973b")
    made = shop.search(f"newcomer {query}", query)

    assert made.items[0].item_id == (wanted.item_id if "WOOL" in query else "sku-84973b")
    assert (made.as_of.topic, made.as_of.event_id) == ("searches", made.items[0].reason.event_id)
    assert made.seen == {"searches": made.as_of.offset}
    assert made.items[0].reason.kind == "asked" and made.items[0].reason.event_kind == "search"
    assert made.items[0].sources["asked"] > 0
    shop.running.children["worker-1"].wait_for_log("query_encoder_loaded encoder=hashing")


def test_what_others_chose_answers_who_asks_the_same(shop: Shop) -> None:
    """About the same item, in words that no text holds; who asks something else finds what most want."""
    shop.have_asked("cheaper please")

    wait_until(lambda: shop.is_answered_by_others("like them", "Please: cheaper!"))
    assert not shop.is_answered_by_others("unlike them", "quieter")
    reason = shop.view.own("like them").items[0].reason
    assert (reason.kind, reason.item_id, reason.event_kind) == ("asked", ASKED_ABOUT, "search")


def test_a_list_is_there_at_once(shop: Shop) -> None:
    """One search after the other, each of a user of whom nothing is known, with the query's vector made for it."""
    with Arrivals(shop.running.settings.kafka) as arrivals, arrivals.producer() as producer:
        for number in range(220):
            if number == 20:
                arrivals.took_ms.clear()  # what came first was not warm
            user_id = f"hasty-{number}"
            arrivals.expect(Source.SEARCH, user_id)
            producer.search(user_id, f"{MATERIALS[number % 8]} number {number}")
            assert arrivals.wait_for_list(user_id, lambda made: "searches" in made.seen, 10.0)
        assert arrivals.wait_until_answered(10.0, lambda n: None) == 0
    took = Latency.of(arrivals.took_ms)
    print(f"search to list: {took} of {len(arrivals.took_ms)}")

    assert len(arrivals.took_ms) == 200
    assert took.p50 < MOST_P50_MS


def test_a_killed_worker_has_forgotten_no_search(bootstrap: str) -> None:
    """Neither what its users asked for, nor what others chose; what was asked meanwhile is answered too."""
    with open_shop(bootstrap) as shop:
        asked = shop.search("ann", "cork tray")
        shop.have_asked("in blue")
        wait_until(lambda: shop.is_answered_by_others("bob", "in blue"))
        shop.running.wait_until_settled()
        before = shop.running.user_states()

        shop.running.children["worker-1"].kill()
        meanwhile = shop.producer.search("cem", "steel bowl")
        shop.producer.flush()
        shop.running.start_worker()
        wait_until(lambda: shop.view.own("cem"))
        view_id = shop.producer.view("ann", POPULAR)
        shop.producer.flush()
        wait_until(lambda: shop.view.own("ann").as_of.event_id == view_id)
        again = shop.view.own("ann")

        assert again.seen == asked.seen | {"views": again.as_of.offset}
        assert (again.items[0].item_id, again.items[0].reason) == (asked.items[0].item_id, asked.items[0].reason)
        assert shop.view.own("cem").items[0].reason.event_id == meanwhile
        wait_until(lambda: shop.is_answered_by_others("dora", "in blue"))
        shop.running.wait_until_settled()
        after = shop.running.user_states()
        assert {user: after[user].recent_searches for user in before} == {
            user: state.recent_searches for user, state in before.items()
        }


@pytest.mark.parametrize(
    ("sections", "logged"),
    [
        ({"worker": {"query_encoder": "off", "session_timeout_s": 6.0}}, None),
        ({"embedder": {"encoder": "/nowhere/no-such-model"}}, "query_encoder_left_out"),
        ({"embedder": {"encoder": "hashing+no such thing+e5-small"}}, "query_encoder_unavailable"),
    ],
    ids=["off", "not there", "no name"],
)
def test_lists_come_without_an_encoder_of_queries(
    bootstrap: str, sections: dict[str, dict[str, object]], logged: str | None
) -> None:
    """Words and choices answer alone; what is wrong with the encoder is said."""
    with open_shop(bootstrap, embeds=False, **sections) as shop:
        made = shop.search("ann", "glass bowl")

        assert made.items[0].reason.event_id == made.as_of.event_id
        worker = shop.running.children["worker-1"]
        if logged:
            worker.wait_for_log(logged)
        assert shop.search("ann", "glass lamp").items[0].reason.kind == "asked"
        assert "query_encoder_loaded" not in worker.log.read_text()
