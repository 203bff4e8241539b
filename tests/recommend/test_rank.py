"""From state to list: what may be in it, in which order, and why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.slate import SlateItem
from stream_rec.ranking.features import GROUPS, NAMES
from stream_rec.ranking.head import cold
from stream_rec.ranking.policy import RankingConfig
from stream_rec.reranking.explain import LEAST_SIMILARITY
from stream_rec.retrieval.fresh import find_without_events
from stream_rec.user import state as user_state
from stream_rec.user.state import COLD, UserState
from tests.catalog.stock import contents, embedded, stocked, taught
from tests.ranking.heads import SMALL, giving_fresh_slots, preferring
from tests.recommend.lists import (
    NOW_MS,
    PLAIN,
    POPULAR,
    SHARED,
    USUAL,
    catalogs,
    configs,
    heads,
    listed,
    made,
    ranked_for,
    viewer,
)
from tests.user.histories import arrivals, event_sets, folded


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(catalog=catalogs(), events=event_sets(max_size=25, items=14), config=configs, head=heads)
def test_every_list_keeps_the_rules(catalog, events, config, head):
    """Any user, catalog, head and settings: at most n items, none twice, all listed, each with a reason that holds.

    And the same arguments give the same list again, in a workspace that many users shared: nothing was changed.
    """
    user = folded(arrivals(events))
    user_before, catalog_before = user_state.encode(user), contents(catalog)

    items = made(user, catalog, config, head)

    ids = [item.item_id for item in items]
    ranked = ranked_for(user, catalog, head)
    own_rows = {*ranked.request.history.own_rows}
    able = {*ranked.candidates.rows.tolist(), *(set(find_without_events(catalog, 99)) - own_rows)}
    assert len(items) == min(config.n, len(able)) or config.explore_share > 0
    assert len(items) <= config.n
    assert len(set(ids)) == len(ids)
    assert all(catalog.is_listed[catalog.find(item_id)] for item_id in ids)
    for item in items:
        assert 0 < item.score <= 1 and 0 < item.propensity <= 1
        assert config.explore_share > 0 or item.propensity == 1
        assert item.reason.kind in {*GROUPS, "explore", "category", "catalog"}
        assert set(item.sources) <= set(GROUPS) and min(item.sources.values(), default=1) >= 0
    if config.explore_share == config.diversity == config.fresh_worth == config.tail_every == 0:
        assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
    assert_reasons_hold(items, user, catalog)
    assert (user_state.encode(user), contents(catalog)) == (user_before, catalog_before)
    assert made(user, catalog, config, head, workspace=SHARED) == items


def assert_reasons_hold(items: list[SlateItem], user: UserState, catalog: Catalog) -> None:
    """Evidence is an event of this user, and it has to do with the item as the reason says."""
    by_event_id = {entry.event_id: entry for entry in user.recent_events}
    own = {count.item_id for count in user.weekly_counts}
    unknown = {entry.item_id for entry in user.recent_events if catalog.find(entry.item_id) is None}
    for item in items:
        reason, row = item.reason, catalog.find(item.item_id)
        assert reason.item_id != item.item_id or reason.kind == "repeat"
        assert (reason.times is not None) == (reason.last_ms is not None) == (reason.kind == "repeat")
        if reason.event_id is not None:
            evidence = by_event_id[reason.event_id]
            assert (evidence.item_id, Kind(evidence.kind).label) == (reason.item_id, reason.event_kind)
        match reason.kind:
            case "repeat":
                assert item.item_id in own and reason.item_id == item.item_id
                assert 1 <= reason.times <= sum(sum(t.counts) for t in user.weekly_counts if t.item_id == item.item_id)
                assert reason.last_ms <= max(t.last_ms for t in user.weekly_counts if t.item_id == item.item_id)
            case "successors":
                assert row in catalog.knowledge.successors.of(catalog.find(reason.item_id))[0]
            case "similar":
                one, other = catalog.spaces.vectors()[[row, catalog.find(reason.item_id)]]
                cosines = (one * other).sum(axis=1)  # in each space
                assert cosines.max() >= LEAST_SIMILARITY - 1e-6 and reason.item_id != item.item_id
            case "neighbours":
                assert (reason.event_id is None) == (
                    not {e.item_id for e in user.recent_events} - {item.item_id, *unknown}
                )
            case "category":
                category = catalog.item(row).category
                assert (
                    category and np.ptp(catalog.categories.first_of(np.array([row, catalog.find(reason.item_id)]))) == 0
                )
            case "fresh":
                assert reason.item_id is None and catalog.knowledge.n_events_of(row) < 5 and item.item_id not in own
                assert len(catalog.fresh) <= catalog.n_listed / 2
            case "explore":
                assert reason.item_id is None and catalog.knowledge.n_events_of(row) < 5
            case "catalog":
                assert reason.item_id is None
            case _:
                assert reason.item_id is None and catalog.knowledge.n_events_of(row) > 0


def test_a_user_without_history_gets_what_is_popular():
    """The most popular first, each with that reason, then what nobody came to; so says a cold head, too."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("a", taught(*[NOW_MS] * 5))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 6))
    items = made(COLD, catalog, head=POPULAR)

    assert [item.item_id for item in items] == ["b", "a", "c"]
    assert [(item.reason.kind, item.reason.item_id) for item in items] == [*[("trending", None)] * 2, ("fresh", None)]
    *popular, last = listed(COLD, catalog, head=cold(SMALL, 0))
    assert (set(popular), last) == ({"a", "b"}, "c")


def test_an_empty_catalog_gives_an_empty_list():
    """For everybody, whatever the settings."""
    for config in (PLAIN, RankingConfig(diversity=0.5, explore_share=0.5)):
        for user in (COLD, viewer("a", "b")):
            assert listed(user, Catalog(), config, giving_fresh_slots(USUAL)) == []


def test_an_item_of_the_history_that_the_catalog_does_not_know_does_no_harm():
    """Facts come first, the item may arrive later; what else is known still counts."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 5}))

    assert listed(viewer("?"), catalog) == ["b", "a"]
    assert set(listed(viewer("a", "?"), catalog)) == {"a", "b"}


def test_all_vectors_may_be_gone():
    """Items that had text lost it: lists go on with what needs none, and nobody has seen b."""
    catalog = stocked("a", "b")
    catalog.put_embedding("a", embedded([1, 0, 0]))
    catalog.delete_embedding("a")

    assert listed(viewer("a"), catalog) == ["a", "b"]


def test_an_item_without_text_is_recommended_all_the_same():
    """Neither the item seen nor the one that follows it has a vector."""
    catalog = stocked("a", "b", "c")
    catalog.put_embedding("c", embedded([1, 0]))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 6, predecessors={"a": 5}))
    items = made(viewer("a"), catalog, head=preferring(follows_last=1))

    assert items[0].item_id == "b"
    assert (items[0].reason.kind, items[0].reason.item_id) == ("successors", "a")


def test_text_alone_is_enough_for_a_new_item():
    """Nobody has seen b; it reads like what the user saw."""
    catalog = stocked("a", "b")
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_embedding("b", embedded([1, 1]))

    assert listed(viewer("a"), catalog) == ["a", "b"]


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


def test_what_is_sold_out_does_not_crowd_out_the_rest():
    """100 items are more popular than a and b, and none of them can be had; then the last of them returns."""
    catalog = stocked("a", "b")
    for n in range(100):
        catalog.put_knowledge(f"gone{n}", taught(*[NOW_MS] * 7))
    for item_id in "ab":
        catalog.put_knowledge(item_id, taught(*[NOW_MS] * 6))
    assert listed(COLD, catalog, head=POPULAR) == ["b", "a"]

    catalog.put_item(Item("gone99"))
    assert listed(COLD, catalog, head=POPULAR) == ["gone99", "b", "a"]
    catalog.put_item(Item("a", available=False))
    assert listed(COLD, catalog, head=POPULAR) == ["gone99", "b"]


def test_equal_scores_have_one_order():
    """Whatever came first to this process, and however many it knows besides."""
    orders = []
    for item_ids in ("zma", "amz", "xyzabm"):
        catalog = stocked(*item_ids)
        for item_id in item_ids:
            catalog.put_knowledge(item_id, taught(NOW_MS))
        orders.append([item_id for item_id in listed(COLD, catalog, head=POPULAR) if item_id in "amz"])

    assert len(orders[0]) == 3
    assert orders[0] == orders[1] == orders[2]


def test_a_shop_that_opens_today_has_a_list_for_everybody():
    """The same in every process, but for the few who did something: nothing of it is learned from."""
    item_ids = [f"i{n}" for n in range(300)]
    catalog, other = stocked(*item_ids), stocked(*reversed(item_ids))
    other.put_item(Item("gone", available=False))
    first = listed(COLD, catalog)

    assert (len(first), len(set(first))) == (PLAIN.n, PLAIN.n)
    assert first == listed(COLD, other)
    assert len(ranked_for(COLD, catalog).candidates) == 0

    catalog.put_knowledge("i7", taught(NOW_MS))
    shown = listed(viewer("i8"), catalog)
    assert (set(shown[:2]), len(shown)) == ({"i7", "i8"}, PLAIN.n)
    assert shown[2:] == [item_id for item_id in first if item_id not in ("i7", "i8")][: PLAIN.n - 2]


def test_rules_hold_for_what_fills_a_list_up():
    """A ban of it, a cap, and the user's own wish to be kept from something."""
    catalog = stocked(*(f"i{n}" for n in range(40)))
    for n in range(20):
        catalog.put_item(Item(f"i{n}", category="few"))
    catalog.put_rule(Rule("r1", "cap", "ann", "a test", Target(category="few"), count=2))
    catalog.put_rule(Rule("r2", "ban", "ann", "a test", Target(item_ids=[f"i{n}" for n in range(20, 30)])))
    shown = listed(COLD, catalog)

    assert len(shown) == 12
    assert sum(int(item_id[1:]) < 20 for item_id in shown) == 2
    assert not {f"i{n}" for n in range(20, 30)} & set(shown)


def test_own_visits_make_nobody_his_own_neighbour():
    """b was seen by u alone, who asks; to v, who shares a with u, it is found."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(*[NOW_MS] * 5, users={"u": NOW_MS, "v": NOW_MS}))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 5, users={"u": NOW_MS}))
    stan = NAMES.index("stan")
    for user_id, is_found in (("u", False), ("v", True)):
        ranked = ranked_for(viewer("a"), catalog, user_id=user_id)
        place = ranked.candidates.rows.tolist().index(catalog.find("b"))
        assert (ranked.scored.inputs.items[place, stan] > 0) == is_found
