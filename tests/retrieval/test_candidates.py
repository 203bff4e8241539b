"""The union of all sources."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.knowledge.queries import numbers_of
from stream_rec.knowledge.visits import visitor_of
from stream_rec.retrieval import candidates as module
from stream_rec.retrieval.asked import find_asked
from stream_rec.retrieval.candidates import (
    ASKED,
    FRESH,
    INTEREST,
    MOST_TRENDING,
    NEIGHBOURS,
    RELATED_ITEMS,
    REPEAT,
    RULES,
    SIMILAR,
    SOURCES,
    SUCCESSORS,
    TASTE_DECAY,
    TRENDING,
    Candidates,
    Workspace,
    compute_tastes,
    retrieve,
)
from stream_rec.retrieval.interests import find_interests
from stream_rec.retrieval.ruled import Exclusions
from stream_rec.retrieval.scratch import AFTER, COLUMNS, LAST, RECENT, STAN, TEXT, WIDE
from stream_rec.user.bounds import UserConfig
from stream_rec.user.history import read_history
from stream_rec.user.searches import fold_search
from stream_rec.user.state import COLD
from tests.catalog.stock import embedded, stocked, taught
from tests.user.histories import arrivals, folded, happened

NOW_MS = 1_700_000_000_000
FIVE = range(NOW_MS, NOW_MS + 5)
"""Times of five events: no item is fresh with them."""


def found(
    catalog: Catalog,
    *item_ids: str,
    user_id: str = "me",
    workspace: Workspace | None = None,
    query: str = "",
    interests: tuple[str, ...] = (),
) -> Candidates:
    """Return the candidates of a user with these items, the last one newest, who searched for something."""
    user = folded(arrivals([happened(NOW_MS + at, item_id) for at, item_id in enumerate(item_ids)]))
    if query:
        user = fold_search(user, Search("q", user_id, query, NOW_MS), 0, UserConfig())
    history = replace(read_history(user, catalog.find, recent_items=30), interests=interests)
    own_slot = catalog.knowledge.neighbour_index.slot(visitor_of(user_id))
    rules = catalog.rules.active(NOW_MS)
    exclusions = Exclusions(rules, history, catalog, NOW_MS) if rules.number else None
    return retrieve(
        *(history, catalog, workspace or Workspace()),
        **{"own_slot": own_slot, "now_ms": NOW_MS, "rules": rules, "exclusions": exclusions},
        asked=find_asked(history, catalog, None, event_ms=NOW_MS, now_ms=NOW_MS),
        interests=find_interests(history, catalog, None),
    )


def by_source(candidates: Candidates, catalog: Catalog) -> dict[str, set[str]]:
    return {
        catalog.item_ids[row]: {source for bit, source in enumerate(SOURCES) if bits >> bit & 1}
        for row, bits in zip(candidates.rows.tolist(), candidates.sources.tolist())
    }


def one_of_each() -> Catalog:
    """Return a catalog in which each source finds an item of its own for a user whose last item is a."""
    catalog = stocked("fresh", "a", "successor", "similar", "neighbour", "off")
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_embedding("similar", embedded([1, 1]))
    catalog.put_item(Item("a", category="rare"))
    catalog.put_item(Item("related", category="rare"))
    catalog.put_knowledge("related", taught(*FIVE))
    catalog.put_knowledge("a", taught(*FIVE, users={"v": NOW_MS, "me": NOW_MS}))
    catalog.put_knowledge("successor", taught(*FIVE, predecessors={"a": 4}))
    catalog.put_knowledge("similar", taught(*FIVE))
    catalog.put_knowledge("neighbour", taught(*FIVE, users={"v": NOW_MS + 5}))
    catalog.put_knowledge("off", taught(*FIVE, predecessors={"a": 4}, users={"v": NOW_MS + 5}))
    catalog.put_embedding("off", embedded([1, 1]))
    catalog.put_item(Item("off", available=False))
    for item in (Item("pinned"), Item("asked", title="Blue kettle"), Item("chosen"), Item("liked", title="Zither")):
        catalog.put_item(item)
        catalog.put_knowledge(item.item_id, taught(*FIVE))
    after_kettles = {number: (8, 8.0, NOW_MS) for number in numbers_of("kettle", None)}
    catalog.put_knowledge("chosen", msgspec.structs.replace(taught(*FIVE), queries=after_kettles))
    for n in range(40):  # more popular, and newer
        catalog.put_item(Item(f"p{n}"))
        catalog.put_knowledge(f"p{n}", taught(*FIVE, NOW_MS + 9))
    catalog.put_embedding("fresh", embedded([-1, 0]))
    catalog.put_rule(Rule("r", "pin", "ann", "a test", Target(item_ids=["off", "pinned"]), slot=1))
    return catalog


def test_every_source_proposes_its_own():
    """And each candidate says which ones did; what is not listed is proposed by none."""
    catalog = one_of_each()
    sources = by_source(found(catalog, "a", query="KETTLE", interests=("zither",)), catalog)

    assert sources["successor"] == {"successors"}
    assert sources["neighbour"] == {"neighbours"}
    assert sources["similar"] == {"similar"}
    assert sources["a"] == {"repeat"}  # v came to it too, but what the user had takes no place of others
    assert sources["fresh"] == {"fresh", "similar"}  # the only fresh text, whatever it says
    assert sources["p0"] == {"trending"}
    assert sources["p39"] == {"fresh"}  # a newcomer
    assert sources["pinned"] == {"rules"}
    assert sources["asked"] == {"asked"} == sources["chosen"]
    assert sources["liked"] == {"interest"}
    assert sources["related"] == {"related"}
    assert "off" not in sources
    numbers = SUCCESSORS, NEIGHBOURS, SIMILAR, TRENDING, REPEAT, FRESH, RULES, ASKED, INTEREST, RELATED_ITEMS
    assert [SOURCES[n] for n in numbers] == list(SOURCES)


@pytest.mark.parametrize(("searched", "n_others"), [(500, 30), (10, 30), (10, 200)])
def test_fresh_items_near_the_taste_are_candidates_few_or_most_of_the_catalog(monkeypatch, searched, n_others):
    """Of 60 unseen ones and 60 with an event the nearest, however they are found."""
    monkeypatch.setattr(module, "SEARCHED", searched)
    catalog = stocked("a")
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_knowledge("a", taught(*FIVE))
    for n in range(60):
        for name, events in ((f"unseen{n}", ()), (f"seen{n}", (NOW_MS,))):
            catalog.put_item(Item(name))
            catalog.put_embedding(name, embedded([1, 0.3 + n / 30]))
            catalog.put_knowledge(name, taught(*events))
    for n in range(n_others):
        catalog.put_item(Item(f"other{n}"))
        catalog.put_embedding(f"other{n}", embedded([-1, n / 30]))
        catalog.put_knowledge(f"other{n}", taught(*FIVE))
    sources = by_source(found(catalog, "a"), catalog)

    for n in range(10):
        assert {"fresh"} <= sources[f"unseen{n}"] & sources[f"seen{n}"]


def test_rows_ascend_and_are_listed():
    """So that a row's place is found by bisection."""
    catalog = one_of_each()
    candidates = found(catalog, "a")

    assert (np.diff(candidates.rows) > 0).all()
    assert catalog.is_listed[candidates.rows].all()
    assert (candidates.sources > 0).all()
    assert candidates.values.shape == (len(candidates), COLUMNS)


def test_a_candidate_of_one_source_has_the_values_of_all():
    """p3 is proposed as popular only, as 40 others are nearer; that it is a little like a stands there all the same."""
    catalog = one_of_each()
    for n in range(40):
        catalog.put_item(Item(f"near{n}"))
        catalog.put_embedding(f"near{n}", embedded([1, 0.01]))
        catalog.put_knowledge(f"near{n}", taught(*FIVE))
    catalog.put_embedding("p3", embedded([1, 0.2]))
    candidates = found(catalog, "a")
    a, p3 = catalog.spaces.vectors()[[catalog.find("a"), catalog.find("p3")], 0]
    place = candidates.rows.tolist().index(catalog.find("p3"))

    assert by_source(candidates, catalog)["p3"] == {"trending"}
    assert candidates.values[place, TEXT] == pytest.approx(a @ p3) and a @ p3 > 0.5
    assert candidates.values[place, [LAST, RECENT, WIDE, STAN, AFTER]].tolist() == [0] * 5
    successor = candidates.rows.tolist().index(catalog.find("successor"))
    assert candidates.values[successor, [LAST, RECENT, WIDE, TEXT]].tolist() == [
        0.5,
        0.5,
        0.5,
        0,
    ]  # "off" has the other half


def test_a_stranger_gets_the_popular_and_the_new():
    """Nothing is known of them; no source asks for their items."""
    catalog = one_of_each()
    history = read_history(COLD, catalog.find, recent_items=30)
    candidates = retrieve(history, catalog, Workspace(), own_slot=-1, now_ms=NOW_MS)
    sources = by_source(candidates, catalog)

    assert set().union(*sources.values()) == {"trending", "fresh"}
    assert {item_id for item_id, by in sources.items() if "trending" in by} == {f"p{n}" for n in range(MOST_TRENDING)}
    assert not candidates.values.any() and not candidates.taste.any()


@pytest.mark.parametrize("item_ids", [(), ("a",), ("?", "!")])
def test_an_empty_catalog_has_no_candidates(item_ids):
    """Of the right shapes."""
    candidates = found(Catalog(), *item_ids)

    assert len(candidates) == 0
    assert (candidates.rows.dtype, candidates.values.shape) == (np.int64, (0, COLUMNS))


def test_users_one_after_the_other_are_as_each_alone():
    """In one workspace: nothing of the one is left for the other, in the catalog's growth too."""
    catalog = one_of_each()
    users = [("me", ("a",)), ("v", ("successor", "a")), ("w", ()), ("me", ("similar", "p3")), ("w", ("?",))]
    workspace = Workspace()
    for _ in range(2):
        for user_id, item_ids in users:
            shared = found(catalog, *item_ids, user_id=user_id, workspace=workspace)
            alone = found(catalog, *item_ids, user_id=user_id)
            for name in ("rows", "sources", "values", "taste", "last"):
                np.testing.assert_array_equal(getattr(shared, name), getattr(alone, name))
        for n in range(2000):
            catalog.put_item(Item(f"more{n}"))


def test_candidates_are_good_after_the_next_user():
    """What was returned is a copy: the head learns from it after others had their lists."""
    catalog, workspace = one_of_each(), Workspace()
    candidates = found(catalog, "a", workspace=workspace)
    before = candidates.values.copy(), candidates.sources.copy(), candidates.rows.copy()
    found(catalog, "similar", workspace=workspace)

    for array, expected in zip((candidates.values, candidates.sources, candidates.rows), before):
        np.testing.assert_array_equal(array, expected)


def test_taste_is_the_recent_texts_the_newer_the_heavier():
    """Of unit length in each space; an item without a vector keeps its place."""
    catalog = stocked("a", "b", "c")
    catalog.put_embedding("a", embedded([1, 0], second=[1, 0, 0]))
    catalog.put_embedding("c", embedded([0, 1]))
    vectors = catalog.spaces.vectors()
    taste, last = compute_tastes(np.array([0, 1, 2]), catalog)
    expected = vectors[0, 0] + TASTE_DECAY**2 * vectors[2, 0]

    np.testing.assert_allclose(taste[0], expected / np.linalg.norm(expected), rtol=1e-5)
    np.testing.assert_allclose(taste[1], vectors[0, 1], rtol=1e-5)
    np.testing.assert_array_equal(last, vectors[0])
    assert vectors[0].any(axis=1).all()
    assert not compute_tastes(np.array([1, 0]), catalog)[1].any()
    for rows, without in ((np.zeros(0, np.int64), catalog), (np.array([0]), stocked("a"))):
        taste, last = compute_tastes(rows, without)
        assert taste.shape == last.shape == without.spaces.vectors().shape[1:]
        assert not taste.any() and not last.any()


@pytest.mark.parametrize("n_repeats", [0, 9])
def test_what_the_user_had_long_ago_is_proposed_where_repeats_are_usual(n_repeats):
    """Of 150 own items the oldest follows the newest: too old to be among the latest, and not more frequent."""
    names = [f"i{n}" for n in range(150)]
    catalog = stocked(*names)
    for name in names:
        catalog.put_knowledge(name, taught(*FIVE, predecessors={"i149": 4} if name == "i0" else {}, repeats=0))
    catalog.put_knowledge("i5", taught(*FIVE, repeats=n_repeats))
    events = [happened(NOW_MS + at * 60_000, name) for at, name in enumerate(names)]
    history = read_history(folded(arrivals(events), UserConfig()), catalog.find, recent_items=30)
    candidates = retrieve(history, catalog, Workspace(), own_slot=-1, now_ms=NOW_MS)

    assert (by_source(candidates, catalog).get("i0") == {"repeat"}) == (n_repeats == 9)
    assert "i149" in by_source(candidates, catalog)
