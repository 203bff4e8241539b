"""From state to list: what may be in it, in which order, and why."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.slate import AsOf, Reason
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend import recommend, slate
from stream_rec.user import state as user_state
from stream_rec.user.state import COLD, UserState
from tests.catalog.stock import NEW, OLD, contents, embedded, stocked, taught
from tests.user.histories import arrivals, event_sets, folded, happened

NOW_MS = 5 * 7 * 86_400_000
DEFAULT = RankingConfig()
ITEMS = [f"i{n}" for n in range(10)]


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Return a catalog after any changes: items with and without text, record, knowledge; some deleted."""
    catalog = Catalog()
    item = st.sampled_from(ITEMS)
    for item_id, change, number in draw(st.lists(st.tuples(item, st.integers(0, 6), st.integers(1, 50)), max_size=40)):
        match change:
            case 0 | 1:
                catalog.put_item(Item(item_id, available=number > 5))
            case 2:
                catalog.delete_item(item_id)
            case 3:
                catalog.put_embedding(item_id, embedded([1, number], OLD if number < 40 else NEW))
            case 4:
                catalog.delete_embedding(item_id)
            case _:
                before = draw(st.dictionaries(st.sampled_from([*ITEMS, "gone"]), st.integers(-2, 12), max_size=4))
                catalog.put_knowledge(item_id, taught(*range(NOW_MS - number, NOW_MS), predecessors=before))
    return catalog


@settings(max_examples=150, deadline=None)
@given(catalog=catalogs(), events=event_sets(max_size=25, items=14), n=st.integers(1, 8))
def test_every_list_keeps_the_rules(catalog, events, n):
    """Any user, any catalog: at most n items, none twice, all listed, best first, each with a reason that holds.

    And the same arguments give the same list again, because making it changed nothing.
    """
    user = folded(arrivals(events))
    config = RankingConfig(n=n)
    user_before, catalog_before = user_state.encode(user), contents(catalog)

    items = recommend(user, catalog, config, now_ms=NOW_MS)

    ids = [item.item_id for item in items]
    assert len(items) <= n
    assert len(set(ids)) == len(ids)
    assert all(catalog.is_listed[catalog.find(item_id)] for item_id in ids)
    assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
    by_event_id = {entry.event_id: entry for entry in user.ring}
    for item in items:
        assert item.score == pytest.approx(sum(item.sources.values()), abs=1e-5)
        assert item.sources[item.reason.kind] == max(item.sources.values())
        assert item.propensity == 1.0
        if item.reason.event_id is not None:
            evidence = by_event_id[item.reason.event_id]
            assert (evidence.item_id, Kind(evidence.kind).label) == (item.reason.item_id, item.reason.event_kind)
    assert (user_state.encode(user), contents(catalog)) == (user_before, catalog_before)
    assert recommend(user, catalog, config, now_ms=NOW_MS) == items


def viewer(*item_ids: str) -> UserState:
    return folded(arrivals([happened(NOW_MS + at, item_id) for at, item_id in enumerate(item_ids)]))


def listed(user: UserState, catalog: Catalog, config: RankingConfig = DEFAULT) -> list[str]:
    return [item.item_id for item in recommend(user, catalog, config, now_ms=NOW_MS)]


def test_a_user_without_history_gets_what_is_trending():
    """The most popular first, each with that reason."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("a", taught(NOW_MS))
    catalog.put_knowledge("b", taught(NOW_MS, NOW_MS))
    items = recommend(COLD, catalog, DEFAULT, now_ms=NOW_MS)

    assert [item.item_id for item in items] == ["b", "a"]
    assert [item.reason for item in items] == [Reason("trending")] * 2


def test_what_is_sold_out_does_not_crowd_out_the_rest():
    """100 items are more popular than a and b, and none of them can be had; then the last of them returns."""
    catalog = stocked("a", "b")
    for n in range(100):
        catalog.put_knowledge(f"gone{n}", taught(NOW_MS, NOW_MS))
    for item_id in "ab":
        catalog.put_knowledge(item_id, taught(NOW_MS))
    assert listed(COLD, catalog) == ["a", "b"]

    catalog.put_item(Item("gone99"))
    assert listed(COLD, catalog) == ["gone99", "a", "b"]
    catalog.put_item(Item("a", available=False))
    assert listed(COLD, catalog) == ["gone99", "b"]


def test_an_empty_catalog_gives_an_empty_list():
    """For everybody."""
    assert listed(COLD, Catalog()) == []
    assert listed(viewer("a", "b"), Catalog()) == []


def test_an_item_of_the_history_that_the_catalog_does_not_know_does_no_harm():
    """Facts come first, the item may arrive later; what else is known still counts."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 5}))

    assert listed(viewer("?"), catalog) == ["b"]
    assert listed(viewer("a", "?"), catalog) == ["b", "a"]


def test_an_item_without_text_is_recommended_all_the_same():
    """Neither the item seen nor the one that follows it has a vector."""
    catalog = stocked("a", "b", "c")
    catalog.put_embedding("c", embedded([1, 0]))
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 5}))
    items = recommend(viewer("a"), catalog, DEFAULT, now_ms=NOW_MS)

    assert items[0].item_id == "b"
    assert items[0].reason == Reason("followers", "a", f"{NOW_MS}-a-0", "view")
    assert set(items[0].sources) == {"followers", "trending"}


def test_text_alone_is_enough_for_a_new_item():
    """Nobody has seen b; it reads like what the user saw."""
    catalog = stocked("a", "b")
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_embedding("b", embedded([1, 1]))
    items = recommend(viewer("a"), catalog, DEFAULT, now_ms=NOW_MS)

    assert items[-1].item_id == "b"
    assert items[-1].reason == Reason("similar", "a", f"{NOW_MS}-a-0", "view")


def test_the_reason_names_the_item_that_led_there():
    """Not just any of the history: c followed the first item seen, d reads like the second, e is the last itself."""
    catalog = stocked("a", "b", "c", "d", "e")
    catalog.put_knowledge("c", taught(NOW_MS, predecessors={"a": 5}))
    catalog.put_embedding("b", embedded([1, 0]))
    catalog.put_embedding("d", embedded([1, 1]))
    reasons = {item.item_id: item.reason for item in recommend(viewer("a", "b", "e"), catalog, DEFAULT, now_ms=NOW_MS)}

    assert (reasons["c"].kind, reasons["c"].item_id) == ("followers", "a")
    assert (reasons["d"].kind, reasons["d"].item_id) == ("similar", "b")
    assert (reasons["e"].kind, reasons["e"].item_id) == ("repeat", "e")


def test_a_deleted_item_leaves_every_list():
    """Whatever proposed it: it trends, follows, reads alike and was seen before."""
    catalog = stocked("a", "b")
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_embedding("b", embedded([1, 1]))
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 5}))
    user = viewer("b", "a")
    assert "b" in listed(user, catalog)

    catalog.delete_item("b")
    assert listed(user, catalog) == ["a"]


def test_equal_scores_stand_in_the_order_of_rows():
    """Ties have one order."""
    catalog = stocked("z", "m", "a")
    for item_id in "amz":
        catalog.put_knowledge(item_id, taught(NOW_MS))

    assert listed(COLD, catalog) == ["z", "m", "a"]


def test_a_source_of_weight_zero_is_off():
    """It lists nothing, and is nobody's reason."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 5}))

    assert listed(COLD, catalog, RankingConfig(trending_weight=0)) == []
    assert listed(viewer("a"), catalog, RankingConfig(trending_weight=0, repeat_weight=0)) == ["b"]


def test_a_list_is_named_by_its_contents():
    """Equal ids mean equal lists; any difference makes another id."""
    catalog = stocked("a")
    catalog.put_knowledge("a", taught(NOW_MS))
    items = recommend(COLD, catalog, DEFAULT, now_ms=NOW_MS)
    made = slate("u", items, policy="p", generated_at_ms=5)

    assert made == slate("u", items, policy="p", generated_at_ms=5)
    assert msgspec.structs.replace(made, list_id="").seen == {}
    others = [
        slate("v", items, policy="p", generated_at_ms=5),
        slate("u", [], policy="p", generated_at_ms=5),
        slate("u", items, policy="q", generated_at_ms=5),
        slate("u", items, policy="p", generated_at_ms=6),
        slate("u", items, policy="p", generated_at_ms=5, seen={"views": 1}),
        slate("u", items, policy="p", generated_at_ms=5, as_of=AsOf("views", 0, 1, "e", 5)),
    ]
    assert len({made.list_id, *(other.list_id for other in others)}) == 7
