"""The shop against a real pipeline: what is due, what is sold out, what is on offer, and how good it is."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from grocery import Order, Shop, buy_last, buy_most, measure, promote, read_orders, replay_buy_again

from stream_rec.events.item import Item

DAY_MS = 86_400_000
PRODUCTS = [Item(name, name.capitalize()) for name in ("coffee", "soap", "bread", "salt", "tea")]


@pytest.fixture
def shop(stream_rec_pipeline):
    """The app; Ann buys coffee each month, and bought bread yesterday for the third day on end."""
    pipeline = stream_rec_pipeline
    pipeline.items(PRODUCTS)
    now_ms = time.time_ns() // 1_000_000
    days = [(91, "coffee"), (61, "coffee"), (31, "coffee"), (20, "soap"), (3, "bread"), (2, "bread"), (0.01, "bread")]
    with closing(Shop(pipeline.settings.kafka)) as shop:
        for n, (ago, product) in enumerate(days):
            at_ms = now_ms - int(ago * DAY_MS)
            shop.check_out(Order(f"o{n}", pipeline.id("ann"), at_ms, [pipeline.id(product)]))
        yield shop


def test_what_is_due_comes_first_and_what_was_bought_just_now_does_not_come(shop, stream_rec_pipeline):
    """A month after the last coffee; bread was bought a quarter of an hour ago."""
    ann = stream_rec_pipeline.id("ann")
    bread = stream_rec_pipeline.id("bread")
    stream_rec_pipeline.impression("ann", "front", ["salt"])

    stream_rec_pipeline.wait_until(lambda: shop.buy_again(ann)[:1] == [stream_rec_pipeline.id("coffee")])
    stream_rec_pipeline.wait_until(lambda: bread not in shop.buy_again(ann))


def test_what_is_sold_out_leaves_the_page(shop, stream_rec_pipeline):
    """Without any event of the customer; it is back when there is some again."""
    ann, coffee = map(stream_rec_pipeline.id, ("ann", "coffee"))
    stream_rec_pipeline.impression("ann", "front", ["salt"])
    stream_rec_pipeline.wait_until(lambda: coffee in shop.buy_again(ann))
    shop.stock(Item(coffee, "Coffee"), available=False)

    stream_rec_pipeline.wait_until(lambda: coffee not in shop.buy_again(ann), timeout=10)


def test_an_offer_is_on_the_front_page_and_not_on_what_to_buy_again(shop, stream_rec_pipeline):
    """Where its rule says, in its slot."""
    stream_rec_pipeline.rule(promote("tea"))
    made = stream_rec_pipeline.recommendations.of("ann", after=stream_rec_pipeline.view("ann", "salt"))

    assert made.items[0].item_id == "tea" and made.items[0].reason.rule == "offer"
    assert stream_rec_pipeline.id("tea") not in shop.buy_again(stream_rec_pipeline.id("ann"))


def test_the_next_order_is_found_better_than_by_the_last():
    """And as well as by what was bought most often, which is hard to beat: the figure says so."""
    orders = read_orders()
    again = replay_buy_again(orders)
    recall, n = measure(orders, lambda order, _: again[order.order_id])

    assert n == 332
    assert recall > measure(orders, buy_last)[0] + 0.04
    assert recall > measure(orders, buy_most)[0] - 0.01
