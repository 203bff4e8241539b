"""The shop against a real pipeline, over HTTP: what it tells is understood, and shelves follow what people do."""

from __future__ import annotations

import asyncio

import pytest
from shop import Done, Shelf, Shop

from stream_rec.client.http import AsyncHttpClient, HttpProblem
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target

THINGS = [("teapot", "Kitchen", 12), ("cup", "Kitchen", 3), ("hose", "Garden", 20), ("rake", "Garden", 9)]
PRODUCTS = [
    Item(f"{thing}-{colour}", f"{colour.capitalize()} {thing}", category=category, attributes={"price": price})
    for thing, category, price in (
        ("teapot", "Kitchen", 12),
        ("cup", "Kitchen", 3),
        ("hose", "Garden", 20),
        ("rake", "Garden", 9),
    )
    for colour in ("red", "blue")
]


@pytest.fixture
def shop(stream_rec_pipeline, stream_rec_http):
    """Ask the shop, with products of the test's own: `shop.home("ann")`."""
    stream_rec_pipeline.items(PRODUCTS)
    return ShopUnderTest(stream_rec_pipeline, stream_rec_http)


class ShopUnderTest:
    """The app's own code, each call in a loop of its own; ids in and out are without the test's prefix."""

    def __init__(self, pipeline, address):
        self._pipeline, self._address = pipeline, address
        id_of = pipeline.id
        self._products = [
            Item(id_of(p.item_id), p.title, category=p.category, attributes=p.attributes) for p in PRODUCTS
        ]

    def run(self, call):
        """Return what the shop answers to a call."""

        async def ask():
            async with AsyncHttpClient(self._address) as service:
                return await call(Shop(self._products, service))

        return asyncio.run(ask())

    def tell(self, person, event_type, item=None, **fields):
        """Tell what a person does."""
        item_id = None if item is None else self._pipeline.id(item)
        done = Done(event_type=event_type, item_id=item_id, **fields)
        return self.run(lambda shop: shop.tell(self._pipeline.id(person), done))

    def home(self, person):
        """Return the shelves of a person's first page: titles by name."""
        shelves = self.run(lambda shop: shop.show_home(self._pipeline.id(person)))
        return {shelf.name: titles(shelf) for shelf in shelves}


def titles(shelf: Shelf) -> list[str]:
    return [card.title for card in shelf.cards]


def test_the_page_knows_what_was_just_done(shop):
    """With why it is there, in words; `tell` has waited for the list that knows it."""
    shop.tell("ann", "view", "teapot-red")

    shelves = shop.run(lambda app: app.show_home(shop._pipeline.id("ann")))
    reasons = [card.reason for card in shelves[0].cards]
    assert any(reason.endswith("Red teapot, which you viewed") for reason in reasons), reasons
    assert shop._pipeline.recommendations.of("ann").as_of.topic == "views"


def test_what_is_bought_together_stands_beside_a_product(shop, stream_rec_pipeline):
    """Once others have done so."""
    for person in ("bob", "eve", "joe"):
        shop.tell(person, "purchase", "hose-red")
        shop.tell(person, "purchase", "cup-red")
    stream_rec_pipeline.wait_until_settled()

    hose = stream_rec_pipeline.id("hose-red")
    product, beside, *_ = shop.run(lambda app: app.show_product(stream_rec_pipeline.id("ann"), hose))
    assert (titles(product), beside.title, titles(beside)) == (["Red hose"], "Goes with it", ["Red cup"])


def test_a_search_answers_and_leads_the_next_page(shop, stream_rec_pipeline):
    """In one category, where only that is wanted."""
    ann = stream_rec_pipeline.id("ann")
    assert titles(shop.run(lambda app: app.search(ann, "a blue rake")))[0] == "Blue rake"
    assert set(titles(shop.run(lambda app: app.search(ann, "blue", "Kitchen")))) <= {
        "Blue cup",
        "Blue teapot",
        "Red cup",
    }

    shop.tell("ann", "search", query="a blue rake")
    assert shop.home("ann")["home"][0] == "Blue rake"


def test_the_owner_has_the_last_word(shop, stream_rec_pipeline):
    """From within two seconds on, in every shelf; a rule that is none is refused and says why."""
    hoses = [stream_rec_pipeline.id(f"hose-{colour}") for colour in ("red", "blue")]
    rule = Rule(stream_rec_pipeline.id("r"), "ban", "owner", "recalled", Target(item_ids=hoses))
    shop.run(lambda app: app.put_rule(rule))
    stream_rec_pipeline.wait_until(lambda: not shown_of(shop.home("ann")) & {"Red hose", "Blue hose"})

    shop.run(lambda app: app.end_rule(rule.rule_id))
    stream_rec_pipeline.wait_until(lambda: "Red hose" in shown_of(shop.home("ann")))
    with pytest.raises(HttpProblem, match="a pin needs `slot`"):
        shop.run(lambda app: app.put_rule(Rule("r", "pin", "owner", "why", Target(item_ids=hoses))))


def shown_of(home: dict[str, list[str]]) -> set[str]:
    return {title for shelf in home.values() for title in shelf}


def test_what_is_shown_in_vain_makes_way(shop, stream_rec_pipeline):
    """The shop tells what was on the screen."""
    shop.tell("ann", "view", "teapot-red")
    first = shop.run(lambda app: app.show_home(stream_rec_pipeline.id("ann")))[0]
    before = titles(first).index("Blue teapot")
    for _ in range(6):
        shop.tell("ann", "impression", list_id=first.list_id, item_ids=[stream_rec_pipeline.id("teapot-blue")])
    stream_rec_pipeline.wait_until(lambda: "Blue teapot" not in shop.home("ann")["home"][: before + 1])
