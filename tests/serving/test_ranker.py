"""What is ranked on the spot: the list that a worker would make, of what is wanted, and by the owner's rules."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.facets import Bounds, Filter
from stream_rec.config import override
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.slate import Reason, SlateItem
from stream_rec.retrieval.had import WHATEVER, HistoryFilter
from stream_rec.serving import cursor as cursors
from stream_rec.serving.ranker import Ranker
from stream_rec.serving.wanted import Wanted
from stream_rec.user.state import COLD
from tests.catalog.stock import is_wanted
from tests.serving import shop as shops
from tests.serving.shop import COLOURS, ITEMS, Shop

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
        (Filter(bounds=(Bounds("price", 12, 21),)), lambda item: 12 <= item.attributes["price"] <= 21),
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
    found = ranker.rank("u1", given, Wanted(1000))

    assert {item.item_id for item in found.items} == {"blue-lamp", "green-hose", "white-chair"}
    assert (found.unknown, sorted(found.left_out)) == (["nothing"], ["off", "red-cup"])
    scores = [item.score for item in found.items]
    assert scores == sorted(scores, reverse=True) and all(item.reason.kind for item in found.items)
    assert found.is_known and found.seen == {"views": shop.users["u1"].offsets[0], **found.seen}
    assert [item.item_id for item in ranker.rank("u1", given, Wanted(2)).items] == [i.item_id for i in found.items[:2]]
    assert not ranker.rank("nobody", given, Wanted(5)).is_known
    assert ranker.rank("u1", ["nothing"], Wanted(5)).items == ranker.rank("u1", ["off"], Wanted(5)).items == []


def test_given_items_stand_as_in_the_list_of_all(ranker: Ranker):
    """The order is the head's, over the same features: of all items it is that of a list that is not varied."""
    everything = [item.item_id for item in ITEMS]

    assert [i.item_id for i in ranker.rank("nobody", everything, Wanted(1000)).items] == [
        i.item_id for i in ranker.rank("nobody", everything[::-1], Wanted(1000)).items
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
            ranking = ranker.rank(user_id, list(TAKEN.values()), Wanted(2), context=context)
            assert [item.item_id for item in ranking.items] == [TAKEN[country], TAKEN[other]]
        made = ranker.recommend("nobody", Wanted(20), generated_at_ms=0, context=context).items
        scores = {item.item_id: item.score for item in made}
        assert scores[TAKEN[country]] > scores.get(TAKEN[other], 0.0)
    own = ranker.rank("u1", list(TAKEN.values()), Wanted(2))
    assert own == ranker.rank("u1", list(TAKEN.values()), Wanted(2), context={"country": "JP"})
    assert own != ranker.rank("u1", list(TAKEN.values()), Wanted(2), context={})


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
    assert ranker.rank("u1", ["red-cup"], Wanted(1)).left_out == ["red-cup"]


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


@pytest.mark.parametrize("seed", range(3))
def test_like_this_but(monkeypatch, seed: int):
    """A search about an item finds what is like it, too, and never the item, however the head began.

    Some have come to kettles: where a whole catalog's choices say that nobody does, a head may take that for the rule.
    """
    monkeypatch.setattr(shops, "SETTINGS", override(shops.SETTINGS, {"ranking.seed": seed}))
    shop = Shop()
    for number in range(8):
        shop.see(f"v{number}", f"{COLOURS[number % 4]}-kettle", at_ms=500_000 + number)
    ranker = shop.ranker()
    found = [item.item_id for item in ranker.search("white", "red-kettle", None, Wanted(8))]

    assert "red-kettle" not in found and "white-kettle" in found[:4]
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


HOUR_MS = 3_600_000


def test_what_the_user_had_is_wanted_or_not(shop: Shop, ranker: Ranker):
    """By kind of event and by how long ago; of who has nothing nothing is wanted, and nothing left out."""
    shop.see("u1", "white-hose", at_ms=500_000, kind=Kind.PURCHASE)
    counts = shop.users["u1"].weekly_counts
    had = {kind: {count.item_id for count in counts if count.counts[kind]} for kind in Kind}
    everything = {item.item_id for item in ITEMS}

    def kept(user_id: str = "u1", **said: object) -> set[str]:
        return set(listed(ranker, user_id, 50, history=HistoryFilter(**said)))

    assert kept(had=(Kind.PURCHASE,)) == had[Kind.PURCHASE] > {"white-hose"}
    assert kept(had=(Kind.VIEW, Kind.CLICK)) == had[Kind.VIEW] | had[Kind.CLICK]
    assert kept(not_had=(Kind.PURCHASE,)) == everything - had[Kind.PURCHASE] != everything
    assert kept(had=(Kind.VIEW,), not_had=(Kind.CLICK,)) == had[Kind.VIEW] - had[Kind.CLICK]
    assert kept(had=(Kind.PURCHASE,), within_ms=1_000) == {"white-hose"}
    assert kept(not_had=tuple(Kind), within_ms=1_000) == everything - {"white-hose"}
    assert (kept("nobody", had=(Kind.VIEW,)), kept("nobody", not_had=(Kind.VIEW,))) == (set(), everything)


def test_what_was_shown_lately_is_not_shown_again(shop: Shop, ranker: Ranker):
    """As impressions say, until it is long enough ago."""
    shown = [ShownItem("white-hose", 1), ShownItem("red-cup", 2)]
    shop.impress(Impression("i1", "u1", "l", shown, 500_000))
    everything = {item.item_id for item in ITEMS}

    def kept(hours: float) -> set[str]:
        return set(listed(ranker, n=50, history=HistoryFilter(not_shown_ms=hours * HOUR_MS)))

    assert kept(1) == everything - {"white-hose", "red-cup"}
    shop.see("u2", "blue-cup", at_ms=500_000 + HOUR_MS + 1)
    assert kept(1) == everything
    assert kept(2) == everything - {"white-hose", "red-cup"}


def test_a_least_score_ends_a_list(shop: Shop, ranker: Ranker):
    """It keeps what is shown with so much, and leaves out what a rule pins with less; boosts count."""
    shop.catalog.put_rule(Rule("p", "pin", "ann", "ad", Target(item_ids=["white-hose"]), slot=1))
    shop.catalog.put_rule(Rule("b", "boost", "ann", "ad", Target(tag="blue"), factor=50.0, ends_ms=2**53))
    asked: dict[str, Callable[[Wanted], list[SlateItem]]] = {
        "list": lambda wanted: ranker.recommend("u1", wanted, generated_at_ms=0).items,
        "rank": lambda wanted: ranker.rank("u1", [item.item_id for item in ITEMS], wanted).items,
        "similar": lambda wanted: ranker.find_similar("red-cup", wanted) or [],
        "search": lambda wanted: ranker.search("cup", None, "u1", wanted) or [],
    }
    for ask in asked.values():
        everything = {item.item_id: item.score for item in ask(Wanted(50))}
        least = sorted(everything.values())[len(everything) // 2]
        found = ask(Wanted(50, min_score=least))
        assert {item.item_id for item in found} == {each for each, score in everything.items() if score >= least}
        assert 0 < len(found) < len(everything)
        few = ask(Wanted(4, min_score=least))
        assert {item.item_id for item in few} <= {item.item_id for item in found} and len(few) == min(4, len(found))


said = st.lists(st.sampled_from(["tea", "home", "red", "blue"]), max_size=2).map(tuple)
texts = st.one_of(st.just(()), st.just(()), st.just(()), said)
pairs = st.lists(st.tuples(st.just("brand"), st.sampled_from(["Acme", "Bolt"])), max_size=2).map(tuple)
asked_for = st.builds(
    Wanted,
    st.just(50),
    st.builds(
        Filter,
        texts,
        texts,
        texts,
        texts,
        texts,
        pairs,
        pairs,
        st.lists(st.builds(Bounds, st.just("price"), st.integers(0, 30), st.integers(0, 40)), max_size=1).map(tuple),
    ),
    st.builds(
        HistoryFilter,
        st.lists(st.sampled_from(Kind), max_size=1).map(tuple),
        st.lists(st.sampled_from(Kind), max_size=2).map(tuple),
        st.sampled_from([None, 1_000.0, 1e9]),
        st.sampled_from([None, HOUR_MS]),
    ),
    st.sampled_from([0.0, 0.01, 0.3]),
    base=st.sampled_from(["home", "discover", "buy_again", "trending"]),
)
SEEN_SHOP = Shop()
SEEN_SHOP.impress(Impression("i1", "u1", "l", [ShownItem("red-cup", 1)], 400_000))


@settings(max_examples=100, deadline=None)
@given(wanted=asked_for, user_id=st.sampled_from(["u1", "u2", "nobody"]), at_surface=st.booleans())
def test_no_filter_is_ever_broken(wanted: Wanted, user_id: str, at_surface: bool):
    """Of a request or of a surface, in lists, rankings, answers and similar items."""
    shop, filter, history = SEEN_SHOP, wanted.filter, wanted.history
    if at_surface:
        wanted = msgspec.structs.replace(
            wanted, filter=Filter(), history=WHATEVER, of_surface=filter, history_of_surface=history
        )
    ranker, user, now_ms = shop.ranker(), shop.users.get(user_id, COLD), shop.catalog.now_ms
    every = [item.item_id for item in ITEMS]
    found = {
        "list": ranker.recommend(user_id, wanted, generated_at_ms=0).items,
        "rank": ranker.rank(user_id, every, wanted).items,
        "search": ranker.search("red cup", None, user_id, wanted),
    }
    since_ms = 0 if history.within_ms is None else now_ms - history.within_ms
    kinds = {item_id: set() for item_id in every}
    for count in user.weekly_counts:
        if count.last_ms >= since_ms:
            kinds[count.item_id] |= {kind for kind in Kind if count.counts[kind]}
    shown = {"red-cup"} if user_id == "u1" and history.not_shown_ms is not None else set()
    for where, items in found.items():
        for each in items:
            item = shop.catalog.item(shop.catalog.find(each.item_id))
            assert is_wanted(item, filter), where
            assert not history.had or kinds[each.item_id] & set(history.had), where
            assert not kinds[each.item_id] & set(history.not_had), where
            assert each.item_id not in shown and each.score >= wanted.min_score, where
    for each in ranker.find_similar("red-cup", wanted):
        assert is_wanted(shop.catalog.item(shop.catalog.find(each.item_id)), filter)


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
        lambda ranker, age: [i.item_id for i in ranker.rank("ann", list(REDS), Wanted(50, age=age)).items],
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
