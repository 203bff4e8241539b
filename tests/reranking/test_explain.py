"""Reasons: what speaks for an item most, as far as it can be shown."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.slate import Reason, SlateItem
from stream_rec.ranking.features import GROUPS
from stream_rec.ranking.head import MixtureHead
from stream_rec.recommend.rank import rank
from stream_rec.recommend.ranked import Ranked
from stream_rec.reranking.explain import explain
from stream_rec.reranking.explore import Explored
from stream_rec.retrieval.candidates import Workspace
from stream_rec.user.bounds import UserConfig
from stream_rec.user.state import COLD, UserState
from tests.catalog.stock import embedded, stocked, taught
from tests.ranking.heads import preferring
from tests.user.histories import arrivals, folded, happened

NOW_MS = 1_700_000_000_000
MANY = [NOW_MS] * 6


def viewer(*item_ids: str) -> UserState:
    """Return a user who clicked these items, the last one newest."""
    events = [happened(NOW_MS + at, i, Kind.CLICK, event_id=f"e{at}") for at, i in enumerate(item_ids)]
    return folded(arrivals(events), UserConfig(recent_events=64, weekly_counts=512))


def ranked_for(user: UserState, catalog: Catalog, head: MixtureHead) -> Ranked:
    return rank("u", user, catalog, head, Workspace(), now_ms=NOW_MS)


def items_for(user: UserState, catalog: Catalog, head: MixtureHead) -> dict[str, SlateItem]:
    """Return all candidates as items of a list, nothing explored."""
    ranked = ranked_for(user, catalog, head)
    n = len(ranked.candidates)
    shown = Explored(ranked.best, np.ones(n), np.zeros(n, dtype=bool))
    items = explain(ranked.request.history, ranked.candidates, ranked.scored, head, catalog, shown)
    return {item.item_id: item for item in items}


def test_the_group_that_speaks_most_is_the_reason():
    """b follows a and is popular: the weights decide which is said."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("b", taught(*MANY, predecessors={"a": 5}))
    catalog.put_knowledge("c", taught(*MANY[:5]))
    by_successors = items_for(viewer("a"), catalog, preferring(follows_last=2, popularity=1))["b"]
    by_popularity = items_for(viewer("a"), catalog, preferring(follows_last=0.1, popularity=1))["b"]

    assert by_successors.reason == Reason("successors", "a", "e0", "click")
    assert by_popularity.reason == Reason("trending")
    assert by_successors.sources["successors"] == pytest.approx(2 * (1 - 1 / 3), abs=1e-4)


def test_sources_are_what_speaks_for_it_over_the_average():
    """Popularity 6 against 3 and 0: the first is 0.5 over the mean, the others have nothing to say."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("a", taught(*MANY))
    catalog.put_knowledge("b", taught(*MANY[:3]))
    catalog.put_embedding("c", embedded([1, 0]))
    items = items_for(viewer("?", "b"), catalog, preferring(popularity=1, text1_last=-1))

    assert items["a"].sources == {"trending": 0.5}
    assert items["b"].sources == {}
    assert items["a"].score > items["b"].score > 0
    assert sum(item.score for item in items.values()) == pytest.approx(1, abs=1e-4)


def test_repeat_is_said_of_own_items_alone():
    """Also where the weights of repeating speak for another: b has a high repeat rate of everybody's."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(*MANY, repeats=1))
    catalog.put_knowledge("b", taught(*MANY, repeats=5))
    items = items_for(viewer("a"), catalog, preferring(own=3, own_place=1))

    assert items["a"].reason == Reason("repeat", "a", "e0", "click", 1, NOW_MS)
    assert items["b"].reason == Reason("trending")


def test_a_repeat_of_long_ago_has_no_event():
    """a left the recent events with its event; the weekly counts still knows it."""
    before = [happened(NOW_MS, "a"), happened(NOW_MS + 1, "a", Kind.PURCHASE)]
    user = folded(arrivals([*before, *(happened(NOW_MS + at, "b") for at in range(2, 20))]))
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("c", taught(*MANY))

    reason = items_for(user, catalog, preferring(own=3))["a"].reason

    assert reason == Reason("repeat", "a", times=2, last_ms=NOW_MS + 1)


def test_a_repeat_says_how_often_and_when_last():
    """Of the kind of the newest event: bought twice, and viewed between that."""
    kinds = (Kind.PURCHASE, Kind.VIEW, Kind.PURCHASE)
    events = [happened(NOW_MS + at, "a", kind, event_id=f"e{at}") for at, kind in enumerate(kinds)]
    catalog = stocked("a", "b")
    items = items_for(folded(arrivals(events)), catalog, preferring(own=3))

    assert items["a"].reason == Reason("repeat", "a", "e2", "purchase", 2, NOW_MS + 2)


def test_successors_name_the_item_that_led_there_most_often():
    """c followed a in all of a's pairs, and b in a tenth of b's, though b is newer."""
    catalog = stocked("a", "b", "c", "d")
    catalog.put_knowledge("c", taught(*MANY, predecessors={"a": 5, "b": 1}))
    catalog.put_knowledge("d", taught(*MANY, predecessors={"b": 9}))
    items = items_for(viewer("a", "b"), catalog, preferring(follows_recent=1))

    assert items["c"].reason == Reason("successors", "a", "e0", "click")
    assert items["d"].reason == Reason("successors", "b", "e1", "click")


def test_neighbours_are_said_where_users_alike_came():
    """v shares a; the evidence is the item that leads there, else the last item."""
    catalog = stocked("a", "b", "c", "x")
    catalog.put_knowledge("a", taught(*MANY, users={"v": NOW_MS}))
    catalog.put_knowledge("b", taught(*MANY, users={"v": NOW_MS + 5}))
    catalog.put_knowledge("c", taught(*MANY))
    items = items_for(viewer("a", "x"), catalog, preferring(stan_after=2))

    assert items["b"].reason == Reason("neighbours", "x", "e1", "click")
    assert items["c"].reason == Reason("trending")


def test_similar_names_the_nearest_text():
    """c reads like a; d reads like nothing the user had, whatever the weights say; a is not similar to itself."""
    catalog = stocked("a", "b", "c", "d")
    for item_id, vector in {"a": [1, 0, 0], "b": [0, 1, 0], "c": [1, 0.5, 0], "d": [0.1, 0.1, 1]}.items():
        catalog.put_embedding(item_id, embedded(vector))
        catalog.put_knowledge(item_id, taught(*MANY))
    items = items_for(viewer("a", "b"), catalog, preferring(text1_taste=5))

    assert items["c"].reason == Reason("similar", "a", "e0", "click")
    assert items["d"].reason == Reason("trending")
    assert items["a"].reason.item_id != "a" or items["a"].reason.kind == "repeat"


def test_fresh_is_said_of_items_that_hardly_anybody_saw():
    """Not of one with five events, however young."""
    catalog = stocked("none", "few", "many", "old")
    catalog.put_knowledge("few", taught(NOW_MS))
    catalog.put_knowledge("many", taught(*MANY))
    catalog.put_knowledge("old", taught(*MANY))
    catalog.put_embedding("none", embedded([1, 0]))
    items = items_for(viewer("many"), catalog, preferring(age_6h=3, unseen=1, few_events=1))

    assert {i: item.reason.kind for i, item in items.items() if i not in ("many", "old")} == {
        "none": "fresh",
        "few": "fresh",
    }
    assert items["many"].reason.kind != "fresh"


def test_exploring_items_say_so():
    """With the propensity with which they were drawn; nothing is claimed of them."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(*MANY))
    catalog.put_knowledge("b", taught(*MANY))
    head = preferring(popularity=1)
    ranked = ranked_for(COLD, catalog, head)
    shown = Explored(np.array([1, 0]), np.array([1.0, 0.12345678]), np.array([False, True]))
    first, second = explain(ranked.request.history, ranked.candidates, ranked.scored, head, catalog, shown)

    assert (first.item_id, first.reason, first.propensity) == ("b", Reason("trending"), 1.0)
    assert (second.item_id, second.reason, second.propensity) == ("a", Reason("explore"), 0.123457)


@pytest.mark.parametrize("group", GROUPS)
def test_a_cold_user_is_told_nothing_of_a_history(group):
    """Whatever the head learned of others."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(*MANY, predecessors={"b": 3}, users={"v": NOW_MS}))
    catalog.put_knowledge("b", taught(NOW_MS))
    items = items_for(COLD, catalog, preferring(**dict.fromkeys(GROUPS[group], 1.0)))

    assert {i: item.reason for i, item in items.items()} == {"a": Reason("trending"), "b": items["b"].reason}
    assert items["b"].reason in (Reason("trending"), Reason("fresh"))


def test_an_empty_list_has_no_reasons():
    """Nothing was shown."""
    catalog, head = stocked("a"), preferring()
    ranked = ranked_for(COLD, catalog, head)
    nothing = Explored(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, dtype=bool))

    assert explain(ranked.request.history, ranked.candidates, ranked.scored, head, catalog, nothing) == []


def shop(n_fresh: int, n_known: int) -> Catalog:
    """Return a catalog of fresh items f0, f1, ... and others o0, o1, ... that are alike in all but that."""
    catalog = stocked(*(f"f{n}" for n in range(n_fresh)), *(f"o{n}" for n in range(n_known)))
    for n in range(n_fresh):
        catalog.put_embedding(f"f{n}", embedded([1, 0]))
    for n in range(n_known):
        catalog.put_knowledge(f"o{n}", taught(*MANY))
    return catalog


def test_few_events_are_not_popular():
    """Two events where others have six: no more is said than where it is from. Six where one has seven will do."""
    catalog = stocked("few", "many", "most", "none", "nothing")
    for item_id, n in {"few": 2, "many": 6, "most": 7}.items():
        catalog.put_knowledge(item_id, taught(*[NOW_MS] * n))
    items = items_for(COLD, catalog, preferring(popularity=1))

    assert {i: item.reason.kind for i, item in items.items()} == {
        "few": "catalog", "many": "trending", "most": "trending",
    }  # fmt: skip


NEWNESS = preferring(age_6h=3, unseen=9, few_events=9)


@pytest.mark.parametrize(("n_fresh", "kind"), [(5, "fresh"), (6, "catalog"), (9, "catalog")])
def test_being_new_is_no_reason_where_most_is_new(n_fresh, kind):
    """Of ten items five may be called new. Where more are, that says nothing, and nothing else is true of them."""
    catalog = shop(n_fresh, 10 - n_fresh)
    catalog.put_embedding("o0", embedded([0, 1]))  # like none of them
    items = items_for(viewer("o0"), catalog, NEWNESS)

    assert {items[i].reason.kind for i in items if i.startswith("f")} == {kind}


def test_what_is_new_among_the_new_has_the_next_true_reason():
    """A text like that of an item of the user's, else its category, else nothing; numbers of `sources` stay."""
    catalog = shop(n_fresh=4, n_known=1)
    for item_id, vector in {"f0": [1, 0.1], "f1": [0, 1], "f2": [0, 1], "o0": [1, 0]}.items():
        catalog.put_embedding(item_id, embedded(vector))
    catalog.put_item(Item("o0", category="kitchen", tags=["blue"]))
    catalog.put_item(Item("f1", category="kitchen"))
    catalog.put_item(Item("f2", category="garden"))
    items = items_for(viewer("o0"), catalog, NEWNESS)

    assert items["f0"].reason == Reason("similar", "o0", "e0", "click")
    assert items["f1"].reason == Reason("category", "o0", "e0", "click")
    assert items["f2"].reason == Reason("catalog")
    assert all(items[i].sources["fresh"] > 0 for i in ("f0", "f1", "f2"))


def test_an_own_item_is_not_new():
    """Few have seen it, but the user has."""
    items = items_for(viewer("f0"), shop(n_fresh=2, n_known=8), NEWNESS)

    assert items["f0"].reason == Reason("repeat", "f0", "e0", "click", 1, NOW_MS)
    assert items["f1"].reason == Reason("fresh")


@pytest.mark.parametrize("group", ["successors", "neighbours", "similar"])
def test_no_item_is_the_evidence_for_itself(group):
    """a follows itself, users alike came back to it, and its text is its own: b is named, or that it is a repeat."""
    catalog = stocked("a", "b")
    for item_id in ("a", "b"):
        catalog.put_embedding(item_id, embedded([1, 0]))
    catalog.put_knowledge("a", taught(*MANY, predecessors={"a": 9, "b": 1}, users={"v": NOW_MS, "w": NOW_MS}))
    catalog.put_knowledge("b", taught(*MANY, predecessors={"a": 1}, users={"v": NOW_MS, "w": NOW_MS}))
    for user in (viewer("a"), viewer("b", "a"), viewer("a", "b")):
        for item_id, item in items_for(user, catalog, preferring(**dict.fromkeys(GROUPS[group], 1.0))).items():
            assert item.reason.item_id != item_id or item.reason.kind == "repeat"


def test_neighbours_name_the_newest_other_item():
    """Users alike went from x to a; the user had a last: x is what led there, not a."""
    catalog = stocked("a", "x")
    catalog.put_knowledge("x", taught(*MANY, users={"v": NOW_MS}))
    catalog.put_knowledge("a", taught(*MANY, users={"v": NOW_MS + 5}))
    items = items_for(viewer("x", "a"), catalog, preferring(stan_after=2, stan=2))

    assert items["a"].reason == Reason("neighbours", "x", "e0", "click")


def test_what_is_in_common_is_said_with_whose_it_is():
    """The rarest of it: a brand of two before a tag of four; of relations by which kind one names the other."""
    catalog = Catalog()
    said = {"brand": "Acme"}
    for item in (
        Item("seen", tags=["x"], attributes=said, relations={"goes_with": ["lid"]}),
        *(Item("pot", tags=["x"], attributes=said), Item("y", tags=["x"]), Item("z", tags=["x"]), Item("lid")),
        *(Item("alone"), Item("seen 2", "Rocky"), Item("r3", "Rocky III")),
    ):
        catalog.put_item(item)
    head = preferring(shared=1, relation=1, family=1)
    items = items_for(viewer("seen 2", "seen"), catalog, head)

    assert items["pot"].reason == Reason("related", "seen", "e1", "click", relation="brand", value="Acme")
    assert items["y"].reason == Reason("related", "seen", "e1", "click", relation="tag", value="x")
    assert items["lid"].reason == Reason("related", "seen", "e1", "click", relation="goes_with", value="lid")
    assert items["r3"].reason == Reason("related", "seen 2", "e0", "click", relation="family", value="rocky")
    assert items["pot"].sources["related"] > 0
    assert "alone" not in items or items["alone"].reason.kind != "related"


def test_a_similar_image_is_said_to_be_one():
    """Where texts are nearer, or there is no image, nothing is said of it."""
    catalog = Catalog(("image",))
    for item_id, image in {"seen": [1, 0], "alike": [1, 0.1], "other": [-1, 0.2], "far": [-1, -0.5]}.items():
        catalog.put_item(Item(item_id, vectors={"image": image}))
    catalog.put_item(Item("text"))
    for item_id, text in {"seen": [1, 0], "text": [1, 0.1], "far": [-1, 0], "other": [-1, 0.2]}.items():
        catalog.put_embedding(item_id, embedded(text))
    items = items_for(viewer("seen"), catalog, preferring(vector1_last=1, text1_last=1))

    assert items["alike"].reason == Reason("similar", "seen", "e0", "click", modality="image")
    assert items["text"].reason == Reason("similar", "seen", "e0", "click")
