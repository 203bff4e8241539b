"""The shop against a real pipeline: what it sends is understood, and lists follow what people do."""

from __future__ import annotations

import pytest
from shop import Shop

from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target

PRODUCTS = [
    Item("teapot", "Blue teapot", category="kitchen"),
    Item("cup", "Blue cup", category="kitchen"),
    Item("hose", "Garden hose", category="garden"),
    Item("rake", "Garden rake", category="garden"),
]


@pytest.fixture
def shop(stream_rec_pipeline):
    """The app, with the pipeline's topics; its products are in the catalog."""
    stream_rec_pipeline.items(PRODUCTS)
    shop = Shop(stream_rec_pipeline.settings.kafka)
    yield shop
    shop.close()


def test_a_product_that_was_opened_leads_to_what_is_like_it(shop, stream_rec_pipeline):
    """The app's own event, by its id: the list that has seen it comes, and says why each item is there."""
    event = shop.open_product(stream_rec_pipeline.id("ann"), stream_rec_pipeline.id("teapot"))

    made = stream_rec_pipeline.recommendations.of("ann", after=event)
    reasons = {item.item_id: (item.reason.kind, item.reason.item_id) for item in made.items}
    assert reasons["cup"] in {("similar", "teapot"), ("category", "teapot")}


def test_what_others_buy_together_is_recommended(shop, stream_rec_pipeline):
    """Once what they did is known: `wait_until_settled` waits for it."""
    for person in ("bob", "eve", "joe"):
        shop.check_out(stream_rec_pipeline.id(person), [stream_rec_pipeline.id(name) for name in ("hose", "cup")])
    stream_rec_pipeline.wait_until_settled()

    made = stream_rec_pipeline.recommendations.of("ann", after=stream_rec_pipeline.view("ann", "hose"))
    cup = next(item for item in made.items if item.item_id == "cup")
    assert cup.reason.kind in {"successors", "neighbours"} and cup.reason.item_id == "hose"


def test_a_search_finds_what_it_names(shop, stream_rec_pipeline):
    """Whoever asks."""
    made = stream_rec_pipeline.recommendations.of("ann", after=stream_rec_pipeline.search("ann", "a rake"))

    assert made.items[0].item_id == "rake"


def test_a_rule_is_obeyed(shop, stream_rec_pipeline):
    """From the moment that `rule` returns."""
    stream_rec_pipeline.rule(Rule("r1", "ban", "ann", "recalled", Target(item_ids=["hose"])))

    made = stream_rec_pipeline.recommendations.of("ann", after=stream_rec_pipeline.view("ann", "rake"))
    assert "hose" not in {item.item_id for item in made.items}


def test_the_page_has_nothing_that_is_in_the_basket(shop, stream_rec_pipeline):
    """The app's own code, which follows the lists by itself: `wait_until` asks it again and again."""
    ann, teapot, cup = map(stream_rec_pipeline.id, ("ann", "teapot", "cup"))
    event = shop.open_product(ann, teapot)
    stream_rec_pipeline.recommendations.of("ann", after=event)

    stream_rec_pipeline.wait_until(lambda: teapot in shop.home_page(ann, basket=[]))
    assert cup in shop.home_page(ann, basket=[])
    assert cup not in shop.home_page(ann, basket=[cup])


def test_a_log_without_a_broker(replay_log):
    """What would be recommended to whom, as plain lists: in a second or two, and the same each time."""
    from stream_rec.events.interaction import Interaction, Kind, LoggedEvent

    log = [LoggedEvent(Kind.VIEW, Interaction(f"e{n}", "ann", "teapot", 1_714_564_800_000 + n)) for n in range(2)]
    lists = replay_log([*PRODUCTS, *log])

    assert [made.user_id for made in lists] == ["ann", "ann"]
    assert lists == replay_log([*PRODUCTS, *log])
