"""Surfaces: lists beside the main one, each of what its name says and of nothing else."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from stream_rec.catalog.facets import Filter
from stream_rec.catalog.fresh import EVENTS
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.retrieval.due import compute_due
from stream_rec.retrieval.pool import Pool
from stream_rec.retrieval.together import compute_together
from stream_rec.serving import cursor as cursors
from stream_rec.serving.ranker import Ranker
from stream_rec.serving.wanted import Wanted
from stream_rec.surface_settings import MOST_ABOUT, Base
from tests.serving.shop import ITEMS, Shop

BASES = get_args(Base)
WEEK_MS = 7 * 86_400_000
NEW = [Item(f"new-{n}", title=f"new thing {n}", category="tea" if n % 2 else "home") for n in range(4)]


@pytest.fixture
def shop() -> Shop:
    """Return the shop some weeks later: with new items, and a user who has bought one twice."""
    shop = Shop()
    for at in (1, 3):
        shop.see("u1", "blue-kettle", at_ms=at * WEEK_MS, kind=Kind.PURCHASE)
    shop.see("u1", "green-hose", at_ms=5 * WEEK_MS)
    for number, item in enumerate(NEW):
        shop.catalog.put_item(item)
        shop.embed(item)
        if number < 2:
            shop.see("u2", item.item_id, at_ms=5 * WEEK_MS + number)
    return shop


@pytest.fixture
def ranker(shop: Shop) -> Ranker:
    return shop.ranker()


def about(base: str) -> tuple[str, ...]:
    return ("red-cup", "white-lamp")[: min(2, MOST_ABOUT.get(base, 0))]


def listed(ranker: Ranker, base: str, user_id: str = "u1", n: int = 20, **wanted: object) -> list[str]:
    wanted = {"surface": base, "about": about(base), **wanted}
    return [item.item_id for item in ranker.recommend(user_id, Wanted(n, base=base, **wanted), generated_at_ms=0).items]


def is_of(base: str, item_id: str, user_id: str, shop: Shop) -> bool:
    """Return whether an item belongs into a list, by what the shop knows."""
    catalog, user = shop.catalog, shop.users[user_id]
    row = catalog.find(item_id)
    had = {count.item_id for count in user.weekly_counts}
    match base:
        case "discover":
            return item_id not in had
        case "buy_again":
            return any(count.item_id == item_id and count.counts[Kind.PURCHASE] for count in user.weekly_counts)
        case "new":
            return catalog.knowledge.counts[row].sum() < EVENTS
        case "trending":
            return catalog.knowledge.counts[row].sum() > 0
        case "similar" | "with" | "cart":
            return item_id not in about(base)
        case _:
            return True


@pytest.mark.parametrize("base", BASES)
def test_a_list_has_what_its_name_says_and_nothing_else(shop: Shop, ranker: Ranker, base: str):
    """Each once, for every user; a filter holds in all of them. None is empty here, so that this says something."""
    for filter in (Filter(), Filter(categories=("tea",))):
        lists = {user_id: listed(ranker, base, user_id, filter=filter) for user_id in ("u1", "u2", "u3")}
        assert any(lists.values())
        for user_id, item_ids in lists.items():
            assert len(set(item_ids)) == len(item_ids)
            for item_id in item_ids:
                assert is_of(base, item_id, user_id, shop), (base, user_id, item_id)
                assert filter == Filter() or shop.catalog.item(shop.catalog.find(item_id)).category == "tea"


@pytest.mark.parametrize("base", BASES)
def test_rules_hold_in_every_list(shop: Shop, ranker: Ranker, base: str):
    """What is banned or excluded is in none; a cap holds; a pin stands in its slot where its item belongs at all."""
    before = listed(ranker, base)
    banned, pinned = before[0], before[-1]
    rules = [
        Rule("b", "ban", "ann", "recalled", Target(item_ids=[banned])),
        Rule("x", "exclude", "ann", "has it", Target(item_ids=["green-hose"]), relation="seen"),
        Rule("c", "cap", "ann", "enough", Target(category="tea"), count=2),
        Rule("p", "pin", "ann", "ad", Target(item_ids=[pinned]), slot=1),
    ]
    for rule in rules:
        shop.catalog.put_rule(rule)
    after = listed(ranker, base)

    assert {banned, "green-hose"}.isdisjoint(after)
    assert sum(shop.catalog.item(shop.catalog.find(item_id)).category == "tea" for item_id in after) <= 2
    if pinned not in (banned, "green-hose"):
        assert after[0] == pinned


@pytest.mark.parametrize("base", ["trending", "buy_again", "with", "cart"])
def test_a_list_with_an_order_of_its_own_keeps_it(shop: Shop, ranker: Ranker, base: str):
    """And its scores are shares that fall: of what is worth more, more."""
    shop.see("u1", "red-lamp", at_ms=3 * WEEK_MS, kind=Kind.PURCHASE)
    catalog = shop.catalog
    now_ms = catalog.knowledge.newest_ms
    worths = {
        "trending": lambda: np.exp2(catalog.knowledge.levels[:, 2] - now_ms / 86_400_000),
        "buy_again": lambda: compute_due(shop.users["u1"], catalog, now_ms),
        "with": lambda: compute_together(np.array([catalog.find("red-cup")]), catalog),
        "cart": lambda: compute_together(np.array([catalog.find(each) for each in about("cart")]), catalog),
    }[base]()
    found = ranker.recommend("u1", Wanted(20, base=base, about=about(base)), generated_at_ms=0).items
    ordered = [worths[catalog.find(item.item_id)] for item in found]

    assert len(found) > 1 and ordered == sorted(ordered, reverse=True)
    scores = np.array([item.score for item in found])
    np.testing.assert_allclose(scores / scores[0], np.array(ordered) / ordered[0], rtol=1e-3, atol=1e-5)


def test_new_items_stand_as_the_head_sees_fresh_ones(shop: Shop, ranker: Ranker):
    """Their scores are shares among themselves that fall, also under a rule that changes nothing else."""
    fresh = shop.catalog.fresh
    pool = Pool((fresh.unseen.is_in | fresh.seen.is_in)[: len(shop.catalog)])
    ranked = shop.recommender.rank("u1", shop.users["u1"], now_ms=shop.catalog.knowledge.newest_ms, pool=pool)
    best = [shop.catalog.item_ids[row] for row in ranked.candidates.rows[ranked.fresh_best]]
    for _ in range(2):
        items = ranker.recommend("u1", Wanted(20, base="new"), generated_at_ms=0).items
        scores = [item.score for item in items]
        assert len(items) > 1 and [item.item_id for item in items] == best
        assert scores == sorted(scores, reverse=True) and sum(scores) == pytest.approx(1, abs=1e-3)
        shop.catalog.put_rule(Rule("b", "ban", "ann", "elsewhere", Target(item_ids=["red-cup"])))


def test_home_is_the_main_list(ranker: Ranker):
    """With the surface named or not."""
    plain = ranker.recommend("u1", Wanted(20), generated_at_ms=0)

    assert ranker.recommend("u1", Wanted(20, surface="home"), generated_at_ms=0) == plain


def test_what_goes_with_a_cart_goes_with_its_items(shop: Shop, ranker: Ranker):
    """Bought in one session; another user's session a day later says nothing, nor does a similar text."""
    shop.catalog.put_item(Item("filter", title="coffee filter"))
    shop.catalog.put_item(Item("beans", title="beans"))
    shop.catalog.put_item(Item("coffee", title="coffee"))
    for number in range(3):
        at_ms = (6 + number) * WEEK_MS
        shop.see(f"c{number}", "beans", at_ms=at_ms, kind=Kind.PURCHASE)
        shop.see(f"c{number}", "filter", at_ms=at_ms + 60_000, kind=Kind.PURCHASE)
        shop.see(f"c{number}", "coffee", at_ms=at_ms + WEEK_MS // 7, kind=Kind.PURCHASE)

    assert listed(ranker, "with", about=("beans",)) == ["filter"]
    assert listed(ranker, "cart", about=("beans", "filter")) == []
    assert listed(ranker, "with", about=("coffee",)) == []


def test_similar_items_are_ordered_for_the_user(shop: Shop, ranker: Ranker):
    """Those that are like the item for anybody, and the user's own events say which first."""
    anybody = {item.item_id for item in ranker.find_similar("red-cup", Wanted(50))}
    orders = {user_id: listed(ranker, "similar", user_id, n=50) for user_id in ("u1", "u2", "u5")}

    assert {frozenset(order) for order in orders.values()} == {frozenset(anybody)}
    assert len({tuple(order) for order in orders.values()}) > 1
    made = ranker.recommend("u1", Wanted(50, base="similar", about=("red-cup",)), generated_at_ms=0)
    assert all(item.reason.event_id != "" for item in made.items)


@pytest.mark.parametrize("base", ["with", "cart", "similar"])
def test_a_list_about_an_item_that_is_not_there_is_none(ranker: Ranker, base: str):
    """Rather than a list about something else."""
    wanted = Wanted(5, base=base, about=("red-cup", "nothing")[-MOST_ABOUT[base] :])

    assert ranker.recommend("u1", wanted, generated_at_ms=0) is None


@pytest.mark.parametrize("base", BASES)
def test_pages_of_a_list_show_each_item_once(ranker: Ranker, base: str):
    """And together what one long list shows, in its order where it has one of its own."""
    whole = listed(ranker, base, n=100)
    shown: list[str] = []
    while page := listed(ranker, base, n=3, shown=tuple(map(cursors.sign_of, shown))):
        shown += page

    assert sorted(shown) == sorted(whole) or base in ("home", "discover", "new", "similar")
    assert len(set(shown)) == len(shown)
    if base in ("trending", "buy_again", "with", "cart"):
        assert shown == whole


def test_somebody_of_whom_nothing_is_known_has_nothing_to_buy_again(ranker: Ranker):
    """And everything to discover."""
    assert listed(ranker, "buy_again", "nobody") == []
    assert len(listed(ranker, "discover", "nobody")) == 20


def test_a_surface_has_filters_of_its_own(ranker: Ranker):
    """Which hold together with those of a request."""
    red = Filter(tags=("red",))
    tea = Filter(categories=("tea",))
    wanted = {item.item_id for item in ITEMS if item.category == "tea" and "red" in item.tags}

    assert set(listed(ranker, "home", "nobody", surface="reds", of_surface=red, filter=tea)) == wanted
    assert {i[:3] for i in listed(ranker, "home", "nobody", surface="reds", of_surface=red)} == {"red"}


@pytest.mark.parametrize("base", BASES)
def test_what_is_not_for_the_young_is_in_no_list_of_theirs(shop: Shop, ranker: Ranker, base: str):
    """Nor of those whose age is not known; and it is in that of who is old enough."""
    limited = listed(ranker, base)[0]
    target = Target(item_ids=[limited])
    shop.catalog.put_rule(Rule("r", "exclude", "ann", "the law", target, relation="underage", min_age=18))

    assert limited not in listed(ranker, base) + listed(ranker, base, age=17)
    assert limited in listed(ranker, base, age=18)


def test_age_is_asked_wherever_items_are_ranked(shop: Shop, ranker: Ranker):
    """Given items, what is like an item, and what answers a query."""
    target = Target(item_ids=["red-kettle"])
    shop.catalog.put_rule(Rule("r", "exclude", "ann", "the law", target, relation="underage", min_age=18))

    def has(age: int | None) -> list[bool]:
        wanted = Wanted(50, age=age)
        found = (
            ranker.rank("u1", ["red-kettle"], Wanted(5, age=age)).items,
            ranker.find_similar("red-cup", wanted),
            ranker.search("kettle", None, "u1", wanted),
        )
        return ["red-kettle" in {item.item_id for item in items} for items in found]

    assert (has(18), has(17), has(None)) == ([True] * 3, [False] * 3, [False] * 3)
    assert ranker.rank("u1", ["red-kettle"], Wanted(5)).left_out == ["red-kettle"]
