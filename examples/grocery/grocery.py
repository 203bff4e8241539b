"""A shop whose customers come again and again: what they buy, what they are out of, and what is on offer.

The orders are real: 17 customers of a gift shop, cut from the Online Retail data (see README.md).
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stream_rec.client import EventProducer, SurfacesView
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.scope import Scope
from stream_rec.events.surfaces import Surfaces
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.testing.live import Sent

HERE = Path(__file__).resolve().parent
FIRST_SCORED = 4
"""The first order of a customer that is scored: there is something to buy again by then."""
BANNER = "banner"
"""What a customer is shown who comes in, before anything else: an impression, on which lists are made anew."""


@dataclass(frozen=True)
class Order:
    """What a customer bought at once."""

    order_id: str
    customer: str
    timestamp_ms: int
    products: list[str]


class Shop:
    """Tells what customers buy and what is sold out, and shows them what to buy again."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._events = EventProducer(kafka, linger_ms=0)
        self._surfaces = SurfacesView(kafka)

    def check_out(self, order: Order) -> str:
        """Sell what is in a basket; return the id of the last event."""
        for interaction in to_events(order):
            event = self._events.send_interaction(Kind.PURCHASE, interaction)
        self._events.flush()
        return event

    def stock(self, product: Item, *, available: bool) -> None:
        """Say whether a product can be bought."""
        self._events.item(msgspec.structs.replace(product, available=available))
        self._events.flush()

    def buy_again(self, customer: str) -> list[str]:
        """Return what a customer may want again now, the most due first."""
        made = self._surfaces.for_user(customer, "buy_again")
        return [item.item_id for item in made.items] if made else []

    def reads(self, customer: str, topic: str, event: Sent) -> bool:
        """Return whether what is shown to buy again has seen an event of the customer."""
        made = self._surfaces.for_user(customer, "buy_again")
        return made is not None and made.seen.get(topic, -1) >= event.position.offset

    def close(self) -> None:
        """Let go of the connections."""
        self._events.close()
        self._surfaces.close()


def promote(product_id: str) -> Rule:
    """Return the rule that a product is on top of every front page, and nowhere else."""
    target, scope = Target(item_ids=[product_id]), Scope(surfaces=["home"])
    return Rule("offer", "pin", "marketing", "this week's offer", target, slot=1, scope=scope)


def to_events(order: Order) -> list[Interaction]:
    """Return a purchase for each product of an order."""
    return [
        Interaction(f"{order.order_id}-{product}", order.customer, product, order.timestamp_ms)
        for product in order.products
    ]


def read_products() -> list[Item]:
    """Return the shop's products."""
    with gzip.open(HERE / "products.jsonl.gz", "rb") as lines:
        return [msgspec.json.decode(line, type=Item) for line in lines]


def read_orders() -> list[Order]:
    """Return the orders of a year, the oldest first."""
    with gzip.open(HERE / "orders.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Order(row["order"], row["customer"], 1000 * row["timestamp"], row["items"]) for row in rows]


def measure(orders: list[Order], recall: Callable[[Order, list[Order]], list[str]]) -> tuple[float, int]:
    """Return recall@10, the mean share of an order that is in the ten products named before it, and how many orders.

    Args:
        recall: Called with an order and those of the customer before it; it names products, best first.
    """
    before: dict[str, list[Order]] = defaultdict(list)
    shares = []
    for order in orders:
        if len(before[order.customer]) + 1 >= FIRST_SCORED:
            named = set(recall(order, before[order.customer])[:10])
            shares.append(len(named & set(order.products)) / len(set(order.products)))
        before[order.customer].append(order)
    return sum(shares) / len(shares), len(shares)


def buy_last(_: Order, before: list[Order]) -> list[str]:
    """Name what the customer bought last, and before that: a baseline."""
    return list(dict.fromkeys(product for order in reversed(before) for product in order.products))


def buy_most(order: Order, before: list[Order]) -> list[str]:
    """Name what the customer bought most often, of equals the newest: a baseline."""
    counts = Counter(product for each in before for product in each.products)
    newest = buy_last(order, before)
    return sorted(newest, key=lambda product: -counts[product])


def replay_buy_again(orders: list[Order]) -> dict[str, list[str]]:
    """Return what stands on `buy_again` when a customer comes in, a minute before each order, by order.

    Those are the surfaces that workers push, made by `stream-rec replay --surfaces` of the same events.

    Raises:
        CalledProcessError: the replay failed.
    """
    with tempfile.TemporaryDirectory(prefix="stream-rec-grocery-") as name:
        folder = Path(name)
        with (folder / "events.jsonl").open("w", encoding="utf-8") as log:
            for order in orders:
                come = {"event_type": "impression", "user_id": order.customer, "items": [BANNER]}
                log.write(json.dumps(come | {"event_id": order.order_id, "timestamp": order.timestamp_ms / 1000 - 60}))
                log.write("\n")
                for event in to_events(order):
                    bought = {"event_type": "purchase", "user_id": event.user_id, "item_id": event.item_id}
                    log.write(json.dumps(bought | {"event_id": event.event_id, "timestamp": event.timestamp_ms / 1000}))
                    log.write("\n")
        items = [Item(BANNER, "A banner"), *read_products()]
        (folder / "items.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, items)) + b"\n")
        command = [sys.executable, "-m", "stream_rec", "--config", str(HERE / "settings.toml"), "--log-level", "error"]
        command += ["replay", "--encoder", "hashing", "--items", "items.jsonl", "--events", "events.jsonl"]
        command += ["--out", "lists.jsonl", "--surfaces", "surfaces.jsonl", "--cache", "."]
        subprocess.run(command, cwd=folder, check=True, stderr=subprocess.PIPE)
        lines = (folder / "surfaces.jsonl").read_bytes().splitlines()
        made = [msgspec.json.decode(line, type=Surfaces) for line in lines]
    found = {}
    for record in made:
        again = record.find("buy_again")
        if record.as_of is not None and again is not None:
            found[record.as_of.event_id] = [item.item_id for item in again.items]
    return {order.order_id: found[order.order_id] for order in orders}
