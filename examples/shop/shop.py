"""A shop's side of recommendations: its products, what it tells stream-rec over HTTP, and the shelves it asks for."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from uuid import uuid4

import msgspec
from msgspec import Struct

from stream_rec.client import EventProducer
from stream_rec.client.http import AsyncHttpClient, Filters
from stream_rec.events.item import Item
from stream_rec.events.over_http import Event, Recommendations, Shown
from stream_rec.events.rule import Rule
from stream_rec.events.slate import SlateItem
from stream_rec.explain import why

PRODUCTS = Path(__file__).parent / "data" / "products.jsonl.gz"
SALES = Path(__file__).parent / "data" / "sales.jsonl.gz"
KNOWS_S = 1.0
"""A page waits so long for the list that knows what was just done; mostly it is there after some 20 ms."""
SHELVES = {  # below the list that is a person's own
    "buy_again": "Buy again",
    "discover": "New to you",
    "trending": "What others come to",
}


class Card(Struct, frozen=True):
    """A product on the page, and why it is there; ``reason`` is empty where nobody recommends it."""

    item_id: str
    title: str
    category: str
    price: float
    reason: str = ""


class Shelf(Struct, frozen=True):
    """Products beside each other. What was shown of it is told by its ``list_id``; an empty one is no list."""

    name: str
    title: str
    cards: list[Card]
    list_id: str = ""


class Done(Struct, frozen=True, kw_only=True):
    """What a person has done on the page."""

    event_type: Literal["view", "click", "purchase", "search", "impression"]
    item_id: str | None = None
    query: str | None = None
    list_id: str | None = None
    item_ids: list[str] = []
    """Of an impression: what is on the screen, from the first slot on."""
    surface: str = ""


class Shop:
    """The shop. Where the recommender is away it still sells: shelves are empty, and ``browse`` needs none."""

    def __init__(self, products: Sequence[Item], service: AsyncHttpClient) -> None:
        self._products: Mapping[str, Item] = {product.item_id: product for product in products}
        self._service = service
        self.rules: dict[str, Rule] = {}
        """What the owner has said, by id."""

    def browse(self, category: str = "") -> Shelf:
        """Return the whole catalog, or one category of it."""
        wanted = [p for p in self._products.values() if category in ("", p.category)]
        return Shelf("all", category or "Everything", [self._card(product) for product in wanted])

    def categories(self) -> list[str]:
        """Return what the products are sorted by."""
        return sorted({product.category for product in self._products.values()})

    async def tell(self, person: str, done: Done) -> bool:
        """Tell what a person has done. Returns whether their list knows it, once it does, or after ``KNOWS_S``.

        For what was shown to them nobody waits.
        """
        accepted = await self._service.post_events(self._event_of(person, done))
        deadline = time.monotonic() + KNOWS_S
        while done.event_type != "impression" and time.monotonic() < deadline:
            made = await self._service.get_recommendations(person, n=1)
            if made.knows(accepted.positions[0]):
                return True
            await asyncio.sleep(0.01)
        return False

    async def show_home(self, person: str, n: int = 6) -> list[Shelf]:
        """Return the shelves of a person's first page; those in which there is nothing are not there.

        No product stands in the first shelf and in another one.
        """
        first = self._shelf("home", "For you", await self._service.get_recommendations(person, n=n))
        there = [card.item_id for card in first.cards]
        asked = (self._service.get_recommendations(person, n=n, surface=name, exclude=there) for name in SHELVES)
        made = await asyncio.gather(*asked)
        shelves = [first, *(self._shelf(name, SHELVES[name], found) for name, found in zip(SHELVES, made))]
        return [shelf for shelf in shelves if shelf.cards]

    async def show_product(self, person: str, item_id: str, n: int = 6) -> list[Shelf]:
        """Return the product, what goes with it, and what is like it.

        Raises:
            KeyError: the shop has no such product.
        """
        product = self._products[item_id]
        surfaces = {"with": "Goes with it", "similar": "Like it"}
        asked = (
            self._service.get_recommendations(person, n=n, surface=surface, item_id=item_id) for surface in surfaces
        )
        made = await asyncio.gather(*asked)
        shelves = [self._shelf(name, surfaces[name], found) for name, found in zip(surfaces, made)]
        return [Shelf("product", product.title, [self._card(product)]), *(shelf for shelf in shelves if shelf.cards)]

    async def search(self, person: str, query: str, category: str = "", n: int = 12) -> Shelf:
        """Return what answers a query."""
        found = await self._service.get_search(query, user_id=person, n=n, filters=Filters(category=category or ()))
        return Shelf("search", f"Found for “{query}”", self._cards(found.items))

    async def put_rule(self, rule: Rule) -> None:
        """Have every list obey a rule of the owner's.

        Raises:
            HttpProblem: it is no rule; ``detail`` says why.
        """
        await self._service.put_rule(rule)
        self.rules[rule.rule_id] = rule

    async def end_rule(self, rule_id: str) -> None:
        """Have it obeyed no more."""
        await self._service.delete_rule(rule_id)
        self.rules.pop(rule_id, None)

    def _event_of(self, person: str, done: Done) -> Event:
        shown = [Shown(item_id, slot) for slot, item_id in enumerate(done.item_ids, start=1)]
        price = self._price(done.item_id) if done.event_type == "purchase" and done.item_id else None
        return Event(
            event_type=done.event_type,
            event_id=uuid4().hex,
            user_id=person,
            item_id=done.item_id,
            query=done.query,
            value=price,
            list_id=done.list_id,
            items=shown,
            surface=done.surface,
        )

    def _shelf(self, name: str, title: str, made: Recommendations) -> Shelf:
        return Shelf(name, title, self._cards(made.items), made.list_id)

    def _cards(self, items: Sequence[SlateItem]) -> list[Card]:
        there = ((self._products.get(item.item_id), item) for item in items)
        return [self._card(product, why(item.reason, self._title)) for product, item in there if product is not None]

    def _card(self, product: Item, reason: str = "") -> Card:
        return Card(product.item_id, product.title, product.category, self._price(product.item_id), reason)

    def _title(self, item_id: str) -> str | None:
        product = self._products.get(item_id)
        return product.title if product else None

    def _price(self, item_id: str) -> float:
        price = self._products[item_id].attributes["price"]
        assert isinstance(price, int | float)
        return float(price)


def read_products() -> list[Item]:
    """Return the shop's products: real ones of a gift shop."""
    return [msgspec.json.decode(line, type=Item) for line in gzip.decompress(PRODUCTS.read_bytes()).splitlines()]


class Sale(Struct, frozen=True):
    """Who bought what, and when, in seconds since 1970."""

    event_id: str
    user_id: str
    item_id: str
    timestamp: float


def fill(producer: EventProducer) -> None:
    """Tell the products, and what real customers bought."""
    for product in read_products():
        producer.item(product)
    producer.flush()
    for line in gzip.decompress(SALES.read_bytes()).splitlines():
        sale = msgspec.json.decode(line, type=Sale)
        time_ms = round(sale.timestamp * 1000)
        producer.purchase(sale.user_id, sale.item_id, event_id=sale.event_id, timestamp_ms=time_ms)
    producer.flush()
