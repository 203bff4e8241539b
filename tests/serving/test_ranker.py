"""What is ranked on the spot: the list that a worker would make, of what is wanted, and by the owner's rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.catalog.facets import Filter
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.slate import Reason
from stream_rec.serving import cursor as cursors
from stream_rec.serving.ranker import Ranker
from stream_rec.serving.wanted import Wanted
from tests.serving.shop import ITEMS, Shop

TEA = Filter(categories=("tea",))


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def ranker(shop: Shop) -> Ranker:
    return shop.ranker()


def listed(ranker: Ranker, user_id: str = "u1", n: int = 20, **wanted: object) -> list[str]:
    return [item.item_id for item in ranker.recommend(user_id, Wanted(n, **wanted), generated_at_ms=0).items]


def test_of_everything_it_is_the_list_that_goes_out(shop: Shop, ranker: Ranker):
    """The same items with the same scores, sources and reasons, for the same state; and nothing is counted as shown."""
    kind, event = shop.see("u1", "red-cup", at_ms=500_000, kind=Kind.CLICK)
    pushed = shop.list_for(kind, event, shop.users["u1"])
    made = ranker.recommend("u1", Wanted(20), generated_at_ms=7)

    assert len(made.items) == 20
    assert (made.items, made.seen, made.policy) == (pushed.items, pushed.seen, pushed.policy)
    assert shop.recommender._exposures.n_lists == 1


def test_of_nobody_it_is_the_default_list(shop: Shop, ranker: Ranker):
    """Reading makes no state."""
    default = shop.recommender.default_list(generated_at_ms=0)
    known = set(shop.users)

    assert listed(ranker, "nobody") == [item.item_id for item in default.items]
    assert set(shop.users) == known


@pytest.mark.parametrize(
    ("filter", "is_wanted"),
    [
        (TEA, lambda item: item.category == "tea"),
        (Filter(tags=("red",)), lambda item: "red" in item.tags),
        (Filter(price_min=12, price_max=21), lambda item: 12 <= item.attributes["price"] <= 21),
        (
            Filter(attributes=(("brand", "Acme"),), categories=("home",)),
            lambda item: item.attributes["brand"] == "Acme" and item.category == "home",
        ),
    ],
)
def test_a_filter_leaves_all_that_is_wanted_and_nothing_else(ranker, filter, is_wanted):
    """However few of them stand in the list of everything."""
    wanted = {item.item_id for item in ITEMS if is_wanted(item)}

    assert set(listed(ranker, "nobody", filter=filter)) == wanted
    assert set(listed(ranker, filter=filter, exclude=frozenset(["red-cup"]))) <= wanted - {"red-cup"}


def test_pages_show_every_item_once(shop: Shop, ranker: Ranker):
    """Also where what is popular changes between two pages."""
    shown: list[str] = []
    signs: tuple[int, ...] = ()
    while True:
        page = listed(ranker, "nobody", n=5, filter=TEA, shown=signs)
        if not page:
            break
        shown += page
        signs = tuple(cursors.decode(cursors.encode((*signs, *map(cursors.sign_of, page)))).tolist())
        for number in range(9):
            shop.see(f"v{number}", "white-cup", at_ms=900_000 + number + 100 * len(shown))

    assert sorted(shown) == sorted(item.item_id for item in ITEMS if item.category == "tea")


def test_pins_are_on_the_first_page(shop: Shop, ranker: Ranker):
    """Slots are counted from the beginning: the second of two pinned items does not open the next page."""
    pin = Rule("p", "pin", "ann", "ad", Target(item_ids=["white-hose", "white-lamp"]), slot=1)
    shop.catalog.put_rule(pin)
    page = listed(ranker, "nobody", n=3)
    behind = ranker.recommend("nobody", Wanted(3, shown=tuple(map(cursors.sign_of, page))), generated_at_ms=0).items

    assert page[0] == "white-hose"
    assert "white-hose" not in {item.item_id for item in behind}
    assert all(item.reason.rule is None for item in behind)


def test_given_items_are_ranked_and_none_is_lost(shop: Shop, ranker: Ranker):
    """Unknown ones, and those that may not be shown, are named apart; scores fall."""
    shop.catalog.put_item(Item("off", available=False))
    shop.catalog.put_rule(Rule("r", "exclude", "ann", "has it", Target(item_ids=["red-cup"]), relation="seen"))
    shop.see("u1", "red-cup", at_ms=500_000)
    given = ["blue-lamp", "nothing", "off", "red-cup", "green-hose", "white-chair"]
    found = ranker.rank("u1", given, 1000)

    assert {item.item_id for item in found.items} == {"blue-lamp", "green-hose", "white-chair"}
    assert (found.unknown, sorted(found.left_out)) == (["nothing"], ["off", "red-cup"])
    scores = [item.score for item in found.items]
    assert scores == sorted(scores, reverse=True) and all(item.reason.kind for item in found.items)
    assert found.is_known and found.seen == {"views": shop.users["u1"].offsets[0], **found.seen}
    assert [item.item_id for item in ranker.rank("u1", given, 2).items] == [i.item_id for i in found.items[:2]]
    assert not ranker.rank("nobody", given, 5).is_known
    assert ranker.rank("u1", ["nothing"], 5).items == ranker.rank("u1", ["off"], 5).items == []


def test_given_items_stand_as_in_the_list_of_all(ranker: Ranker):
    """The order is the head's, over the same features: of all items it is that of a list that is not varied."""
    everything = [item.item_id for item in ITEMS]

    assert [i.item_id for i in ranker.rank("nobody", everything, 1000).items] == [
        i.item_id for i in ranker.rank("nobody", everything[::-1], 1000).items
    ]


TAKEN = {"FR": "red-cup", "JP": "blue-lamp"}
"""By country, what its users take."""


def test_the_context_of_a_request_counts(shop: Shop, ranker: Ranker):
    """Given items stand as users of that country choose, whatever the user's own events say; so do lists of all."""
    for number in range(120):
        country = ("FR", "JP")[number % 2]
        shop.see(f"v{number}", TAKEN[country], at_ms=500_000 + number, country=country, note="x")
    shop.see("u1", "red-pot", at_ms=600_000, country="JP")

    for country, other in (("FR", "JP"), ("JP", "FR")):
        context = {"country": country, "note": "y"}
        for user_id in ("u1", "nobody"):
            ranking = ranker.rank(user_id, list(TAKEN.values()), 2, context=context)
            assert [item.item_id for item in ranking.items] == [TAKEN[country], TAKEN[other]]
        made = ranker.recommend("nobody", Wanted(20), generated_at_ms=0, context=context).items
        scores = {item.item_id: item.score for item in made}
        assert scores[TAKEN[country]] > scores.get(TAKEN[other], 0.0)
    own = ranker.rank("u1", list(TAKEN.values()), 2)
    assert own == ranker.rank("u1", list(TAKEN.values()), 2, context={"country": "JP"})
    assert own != ranker.rank("u1", list(TAKEN.values()), 2, context={})


@pytest.mark.parametrize("filter", [Filter(), TEA])
def test_rules_hold_on_the_spot(shop: Shop, ranker: Ranker, filter: Filter):
    """What is banned is nowhere; what is pinned is where it is pinned, as far as it is wanted."""
    shop.catalog.put_rule(Rule("b", "ban", "ann", "recalled", Target(item_ids=["red-cup"])))
    shop.catalog.put_rule(Rule("p", "pin", "ann", "ad", Target(item_ids=["white-kettle"]), slot=2))
    shop.catalog.put_rule(Rule("q", "pin", "ann", "ad", Target(item_ids=["white-hose"]), slot=1))
    found = listed(ranker, filter=filter)

    assert "red-cup" not in found and found[1] == "white-kettle"
    assert ("white-hose" in found) == (filter != TEA)
    assert "red-cup" not in {i.item_id for i in ranker.search("red cup", None, None, Wanted(50))}
    assert "red-cup" not in {i.item_id for i in ranker.find_similar("red-kettle", Wanted(50))}
    assert ranker.rank("u1", ["red-cup"], 1).left_out == ["red-cup"]


def test_similar_items_share_words_or_users(ranker: Ranker):
    """The item itself is none of them; a filter holds; nobody's event is named as evidence."""
    found = ranker.find_similar("red-cup", Wanted(6))

    assert len(found) == 6 and "red-cup" not in {item.item_id for item in found}
    assert all(item.reason.event_id is None and item.reason.event_kind is None for item in found)
    assert {i.item_id for i in ranker.find_similar("red-cup", Wanted(50, TEA))} <= {
        item.item_id for item in ITEMS if item.category == "tea"
    }
    assert ranker.find_similar("nothing", Wanted(6)) is None


def test_an_item_without_users_has_similar_ones_by_text(shop: Shop, ranker: Ranker):
    """Its text alone says what is like it; the most popular of what is not stays out."""
    for item_id, title in (("red-sofa", "red velvet sofa"), ("old-sofa", "velvet sofa"), ("bin", "steel bin")):
        shop.catalog.put_item(Item(item_id, title=title))
        shop.embed(shop.catalog.item(shop.catalog.find(item_id)))

    assert [item.item_id for item in ranker.find_similar("red-sofa", Wanted(5))] == ["old-sofa"]


def test_a_search_finds_what_is_asked_for_and_nothing_else(ranker: Ranker):
    """By words; what has nothing to do with the query is not filled in. Filters hold."""
    found = ranker.search("kettle", None, None, Wanted(20))

    assert {item.item_id for item in found[:4]} == {f"{c}-kettle" for c in ("red", "blue", "green", "white")}
    assert found[0].reason == Reason("asked")
    assert ranker.search("zyzzyva", None, None, Wanted(20)) == []
    assert [i.item_id for i in ranker.search("kettle", None, None, Wanted(20, Filter(tags=("blue",))))] == [
        "blue-kettle"
    ]


def test_a_search_is_somebodys(shop: Shop, ranker: Ranker):
    """The same items answer, as likely as the user's history makes them; the search leaves no trace in their state."""
    before = shop.users["u1"]

    def scores(user_id: str | None) -> dict[str, float]:
        return {item.item_id: item.score for item in ranker.search("kettle", None, user_id, Wanted(4))}

    assert scores("u1").keys() == scores("u2").keys() == scores(None).keys()
    assert len({tuple(sorted(scores(user_id).items())) for user_id in ("u1", "u2", None)}) == 3
    assert scores("stranger") == scores(None)
    assert shop.users["u1"] is before


def test_what_others_chose_after_a_query_is_found(shop: Shop, ranker: Ranker):
    """Though no word of it says so."""
    for number in range(6):
        user, at_ms = f"s{number}", 700_000 + 10_000 * number
        shop.search(Search(f"q{number}", user, "something for grandma", at_ms))
        shop.see(user, "white-lamp", at_ms=at_ms + 1_000, kind=Kind.PURCHASE)

    assert ranker.search("something for grandma", None, None, Wanted(3))[0].item_id == "white-lamp"


def test_like_this_but(ranker: Ranker):
    """A search about an item finds what is like it, too, and never the item."""
    found = [item.item_id for item in ranker.search("white", "red-kettle", None, Wanted(8))]

    assert "red-kettle" not in found and "white-kettle" in found
    assert ranker.search("white", "nothing", None, Wanted(8)) is None


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_a_cursor_says_what_was_shown(signs):
    """And nothing else: text that is no cursor is refused, never guessed at."""
    assert cursors.decode(cursors.encode(signs)).tolist() == signs


@pytest.mark.parametrize("text", ["", "x", "AA", "!!!!", "é", "AQAA", cursors.encode(range(5))[:-2]])
def test_what_is_no_cursor_is_refused(text):
    """By its version and length."""
    with pytest.raises(ValueError, match=r"no (cursor|base64)"):
        cursors.decode(text)


def test_a_cursor_ends_somewhere():
    """A bound on the length of an address."""
    assert cursors.encode(range(cursors.MOST)) is None
    assert len(cursors.encode(range(cursors.MOST - 1))) < 5_400


YEAR_MS = 31_556_952_000
REDS = {item.item_id for item in ITEMS if "red" in item.tags}


@pytest.mark.parametrize(
    "ask",
    [
        lambda ranker, age: listed(ranker, "ann", n=50, age=age),
        lambda ranker, age: listed(ranker, "ann", n=50, age=age, base="discover"),
        lambda ranker, age: listed(ranker, "ann", n=50, age=age, base="similar", about=("blue-cup",)),
        lambda ranker, age: [i.item_id for i in ranker.search("red", None, "ann", Wanted(50, age=age))],
        lambda ranker, age: [i.item_id for i in ranker.search("red", "blue-cup", "ann", Wanted(50, age=age))],
        lambda ranker, age: [i.item_id for i in ranker.rank("ann", list(REDS), 50, age=age).items],
    ],
    ids=["list", "discover", "similar", "search", "like this", "rank"],
)
def test_a_profile_says_the_age_that_a_request_does_not(shop: Shop, ranker: Ranker, ask: Callable[..., list[str]]):
    """However something is asked for; an age in the request is the one that counts."""
    shop.catalog.put_rule(Rule("r", "exclude", "ann", "the law", Target(tag="red"), relation="underage", min_age=18))
    now_ms = 50 * YEAR_MS
    shop.see("u1", "blue-cup", at_ms=now_ms)
    assert not REDS & set(ask(ranker, None))

    shop.declare(Profile("ann", now_ms, birth_year=1985))
    assert REDS & set(ask(ranker, None)) and not REDS & set(ask(ranker, 17))
    shop.declare(Profile("ann", now_ms, birth_year=2010))
    assert not REDS & set(ask(ranker, None)) and REDS & set(ask(ranker, 18))


def test_interests_answer_no_search(shop: Shop, ranker: Ranker):
    """What is like an item, or what answers, is found; what the user likes besides is not filled in."""
    queries = [("white", "red-kettle"), ("kettle", None)]

    def found() -> list[set[str]]:
        return [{i.item_id for i in ranker.search(q, item_id, "ann", Wanted(50))} for q, item_id in queries]

    kettles = [(f"kettle-{number}", f"red kettle {number}") for number in range(30)]  # more than an item has related
    for item_id, title in (("odd", "zither"), ("odder", "zither strings"), *kettles):
        shop.catalog.put_item(Item(item_id, title=title))
        shop.embed(shop.catalog.item(shop.catalog.find(item_id)))
    before = found()
    shop.declare(Profile("ann", 1_000, ["zither"]))

    assert found() == before
    listed_first = listed(ranker, "ann", n=50)
    assert max(map(listed_first.index, ("odd", "odder"))) < min(map(listed_first.index, ("kettle-26", "kettle-5")))
