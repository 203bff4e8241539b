"""Surfaces that are pushed: the lists that would be ranked on the spot, beside main lists that do not notice."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from stream_rec.config import Settings, override
from stream_rec.errors import SettingsError
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.scope import Arm, Scope
from stream_rec.events.search import Search
from stream_rec.events.slate import AsOf, Reason, SlateItem
from stream_rec.events.surfaces import Surfaces
from stream_rec.pipeline import Pipeline
from stream_rec.serving.questions import want_surface
from stream_rec.serving.wanted import Wanted
from stream_rec.surface_lists import PushedSurfaces, record_of
from stream_rec.surface_settings import MOST_ABOUT, MOST_PUSHED, MOST_PUSHED_ITEMS, Base, Surface
from stream_rec.topics.admin import MESSAGE_BYTES
from stream_rec.user.state import COLD
from tests.serving.shop import ITEMS, SETTINGS, Shop

PUSHABLE = [base for base in get_args(Base) if base not in MOST_ABOUT]
WEEK_MS = 7 * 86_400_000
AS_OF = AsOf("views", 0, 7, "e7", 5 * WEEK_MS)
FILTERED = {
    "all": {},
    "items": {"tags": ("red",), "price_max": 40.0},
    "not": {"not_categories": ("home",), "not_had": ("click",), "not_shown_hours": 1.0},
    "had": {"had": ("view", "purchase"), "within_days": 28.0, "attribute_min": {"price": 1}, "min_score": 1e-3},
}


@pytest.fixture
def shop() -> Shop:
    """Return the shop some weeks later: with new items, somebody who bought one twice, and somebody who searches."""
    shop = Shop()
    for at in (1, 3):
        shop.see("u1", "red-kettle", at_ms=at * WEEK_MS, kind=Kind.PURCHASE)
    shop.see("u1", "green-hose", at_ms=5 * WEEK_MS)
    for number in range(4):
        item = Item(f"new-{number}", title=f"new thing {number}", tags=["red"], attributes={"price": number})
        shop.catalog.put_item(item)
        shop.embed(item)
    shop.search(Search("s1", "u2", "a white lamp", 5 * WEEK_MS + 1))
    shop.impress(Impression("i1", "u1", "l", [ShownItem("red-cup", 1), ShownItem("new-0", 2)], 5 * WEEK_MS + 2))
    return shop


def pushed_by(shop: Shop, surfaces: dict[str, Surface]) -> PushedSurfaces:
    return PushedSurfaces(shop.recommender, surfaces, SETTINGS.ranking)


@pytest.mark.parametrize("of_surface", FILTERED.values(), ids=FILTERED)
@pytest.mark.parametrize("base", PUSHABLE)
def test_a_pushed_surface_is_the_one_ranked_on_the_spot(shop: Shop, base: Base, of_surface: dict):
    """The same items with the same scores and reasons, for everybody, under rules that hold in it alone."""
    surface = Surface(base=base, n=9, push=True, **of_surface)
    everybody, ranker = Arm("all", (0, 100)), shop.ranker()
    pushed = pushed_by(shop, {"mine": surface})
    plain = pushed.make("u1", shop.users["u1"], AS_OF).find("mine").items
    banned = plain[0].item_id if plain else "red-cup"  # of what the user had nothing is new
    assert plain or (surface.had and base in ("discover", "new"))
    target = Target(item_ids=[banned])
    rules = [Rule("b", "ban", "ann", "no", target, scope=Scope(surfaces=["mine"], arm=everybody))]
    for put in (None, *rules):
        if put is not None:
            shop.catalog.put_rule(put)
        for user_id in ("u1", "u2", "u7", "nobody"):
            made = pushed.make(user_id, shop.users.get(user_id, COLD), AS_OF).find("mine")
            asked = ranker.recommend(user_id, want_surface(Wanted(9), "mine", surface, None), generated_at_ms=0)
            assert made.items == asked.items
            assert (made.policy, made.seen) == (asked.policy, asked.seen)
    assert banned not in [item.item_id for item in pushed.make("u1", shop.users["u1"], AS_OF).find("mine").items]


@pytest.mark.parametrize("base", PUSHABLE)
def test_a_pushed_surface_obeys_its_filters(shop: Shop, base: Base):
    """By what items are, by what the user did with them and was shown, and by score."""
    user, items = shop.users["u1"], {item.item_id: item for item in ITEMS}
    clicked = {count.item_id for count in user.weekly_counts if count.counts[Kind.CLICK]}
    lately = {count.item_id for count in user.weekly_counts if count.last_ms >= shop.catalog.now_ms - 4 * WEEK_MS}
    surfaces = {name: Surface(base=base, n=30, push=True, **of_surface) for name, of_surface in FILTERED.items()}
    made = pushed_by(shop, surfaces).make("u1", user, AS_OF)
    found = {name: {item.item_id: item.score for item in made.find(name).items} for name in surfaces}

    assert not {"red-cup"} & found["not"].keys() and not clicked & found["not"].keys()
    assert all(items[each].category != "home" for each in found["not"].keys() & items.keys())
    assert found["had"].keys() <= lately and all(score >= 1e-3 for score in found["had"].values())
    assert found["not"] != found["all"] != found["had"]


def test_main_lists_are_the_same_to_the_byte_with_and_without(shop: Shop):
    """Nothing in a surface is drawn, or counted as shown; an explorer's list would show it."""
    settings = override(Settings(), {"ranking.explore_share": 0.5, "ranking.tail_every": 2, "ranking.n": 5})
    declared = {base: Surface(base=base, n=9, push=True) for base in PUSHABLE[:MOST_PUSHED]}
    lists: list[list[bytes]] = []
    for surfaces in ({}, declared):
        pipeline = Pipeline(override(settings, {"surfaces.declared": surfaces}))
        for item in ITEMS:
            pipeline.catalog.put_item(item)
        lists.append([])
        for number in range(60):
            event = Interaction(f"e{number}", f"u{number % 7}", ITEMS[number * number % 23].item_id, 1_000 * number)
            made = pipeline.list_for(Kind.VIEW, event, pipeline.learn(Kind.VIEW, event))
            beside = pipeline.surfaces_beside(made, pipeline.users[event.user_id])
            assert [each.surface for each in beside.surfaces] == list(surfaces)
            lists[-1].append(msgspec.json.encode(made))

    assert lists[0] == lists[1]


def test_each_list_has_the_id_that_it_would_have_alone(shop: Shop):
    """Impressions name it so; what stands beside it does not change it."""
    declared = {base: Surface(base=base, n=5, push=True) for base in PUSHABLE[:MOST_PUSHED]}
    together = pushed_by(shop, declared).make("u1", shop.users["u1"], AS_OF, generated_at_ms=5)
    for name, surface in declared.items():
        alone = pushed_by(shop, {name: surface}).make("u1", shop.users["u1"], AS_OF, generated_at_ms=5)
        assert alone.surfaces == [each for each in together.surfaces if each.surface == name]
        assert alone.find(name) == together.find(name)
    assert len({each.list_id for each in together.surfaces}) == len(declared)
    assert together.find("nothing") is None


def test_what_is_declared_is_a_part_of_their_world(shop: Shop):
    """Other settings, other rules: either way they are made anew."""
    plain = shop.catalog.world()
    surfaces = [Surface(base="new", n=5, push=True), Surface(base="new", n=6, push=True)]
    worlds = [pushed_by(shop, {"a": surface}).world(plain) for surface in surfaces]
    worlds.append(pushed_by(shop, {}).world(plain))
    shop.catalog.put_rule(Rule("b", "ban", "ann", "no", Target(item_ids=["red-cup"])))
    worlds.append(pushed_by(shop, {"a": surfaces[0]}).world(shop.catalog.world()))

    assert len({world.rules for world in worlds}) == 4
    assert pushed_by(shop, {"a": surfaces[0]}).world(plain) == worlds[0]


@pytest.mark.parametrize("letter", ["a", '"', "\x01"])
def test_the_longest_record_is_taken_by_every_broker(letter: str):
    """As many items as can be, with all ids as long as can be, of letters that JSON must escape."""
    longest = 256 * letter
    reason = Reason("successors", longest, longest, "purchase", 10**9, 10**13, longest)
    kinds = ("similar", "successors", "neighbours", "category", "trending", "fresh", "repeat", "asked")
    sources = dict.fromkeys(kinds, -12.3456789)
    item = SlateItem(longest, 0.1234567, 0.123456, sources, reason)
    as_of = AsOf("impressions", 10**5, 10**15, longest, 10**13)
    lists = [(100 * str(n), MOST_PUSHED_ITEMS * [item]) for n in range(MOST_PUSHED)]
    seen = dict.fromkeys(("views", "clicks", "purchases", "searches", "impressions"), 10**15)
    record = record_of(longest, lists, policy="softmax-00000000", generated_at_ms=10**13, as_of=as_of, seen=seen)

    assert len(msgspec.json.encode(record)) + len(longest.encode()) < min(MESSAGE_BYTES, 1 << 20) - 10_000
    assert msgspec.json.decode(msgspec.json.encode(record), type=Surfaces) == record


@pytest.mark.parametrize("base", MOST_ABOUT)
def test_what_is_about_an_item_cannot_be_pushed(base: str):
    """Of which item nobody has said; the message says what can be."""
    declared = {"x": {"base": base, "n": 5, "push": True}}
    with pytest.raises(SettingsError, match=f"{base} is about items .* pushed can be home, discover, buy_again, new"):
        override(Settings(), {"surfaces.declared": declared})


@pytest.mark.parametrize(("n", "came"), [(None, "none"), (31, "31")])
def test_a_pushed_surface_says_its_length(n: int | None, came: str):
    """Bounded, for all of them are one record."""
    with pytest.raises(SettingsError, match=f"say its length, n = 1 to 30; came {came}"):
        override(Settings(), {"surfaces.declared": {"x": {"base": "new", "n": n, "push": True}}})


def test_at_most_four_are_pushed():
    """Each costs about a list's time, with each list of each user."""
    declared = {f"x{n}": {"base": "new", "n": 30, "push": n < 4} for n in range(9)}
    assert list(override(Settings(), {"surfaces.declared": declared}).surfaces.pushed) == ["x0", "x1", "x2", "x3"]
    declared["x8"]["push"] = True
    with pytest.raises(SettingsError, match="5 surfaces with push = true, x0, x1, x2, x3, x8; 4 at most"):
        override(Settings(), {"surfaces.declared": declared})
