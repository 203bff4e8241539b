"""What a list gives up of the order of scores: for fresh items, the unseen, exploration and variety."""

from __future__ import annotations

import msgspec
import numpy as np

from stream_rec.events.item import Item
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.make_list import recommend
from stream_rec.reranking import fresh_slots
from stream_rec.user.state import COLD
from tests.catalog.stock import embedded
from tests.ranking.heads import giving_fresh_slots, preferring
from tests.recommend.lists import PLAIN, POPULAR, USUAL, crowd, listed, made, ranked_for


def test_without_exploring_nothing_is_left_to_chance():
    """Every item is certain, whatever would be drawn."""
    lists = [made(COLD, crowd(), request=str(request)) for request in range(20)]

    assert [item.item_id for item in lists[0]] == [f"p{n}" for n in range(20)]
    assert {item.propensity for item in lists[0]} == {1.0}
    assert lists == lists[:1] * 20


def test_exploring_shows_fresh_items_with_their_propensities():
    """Half of ten slots show fresh items, of which chance chose these; the best ranked fill the rest."""
    config = msgspec.structs.replace(PLAIN, n=10, explore_share=0.5)
    for request in range(20):
        items = made(COLD, crowd(), config, POPULAR, request=str(request))
        exploring = [item for item in items if item.reason.kind == "explore"]
        rest = [item.item_id for item in items if item.reason.kind != "explore"]
        assert len(exploring) == 5
        assert all(item.item_id.startswith("f") and 0 < item.propensity < 1 for item in exploring)
        assert rest == ["p0", "p1", "p2", "p3", "p4"]


def test_a_request_draws_the_same_whenever_it_is_asked():
    """Whatever came before; another request, or another seed, draws others."""
    config = RankingConfig(n=10, explore_share=0.5)
    first = [made(COLD, crowd(), config, request=str(request)) for request in range(5)]
    again = [made(COLD, crowd(), config, request=str(request)) for request in reversed(range(5))]
    other = [made(COLD, crowd(), msgspec.structs.replace(config, seed=1), request=str(n)) for n in range(5)]

    assert again[::-1] == first
    assert len({str(items) for items in first}) > 1
    assert other != first


def test_what_was_shown_often_is_explored_less():
    """Ten thousand lists without an event: the others are tried."""
    catalog, config = crowd(), msgspec.structs.replace(PLAIN, n=10, explore_share=0.5)
    exposures = Exposures()
    shown = np.array([catalog.find(f"f{n}") for n in range(10)])
    for _ in range(1000):
        exposures.add(shown)
    ranked = ranked_for(COLD, catalog)
    found = {
        item.item_id
        for request in range(20)
        for item in recommend(ranked, catalog, USUAL, config, exposures, str(request))
        if item.reason.kind == "explore"
    }

    assert found == {f"f{n}" for n in range(10, 15)}


def test_fresh_slots_stand_at_the_end_when_they_pay():
    """The best fresh items, as the head of fresh items ranks them: here the newest first. They are certain."""
    head = msgspec.structs.replace(preferring(popularity=9), of_fresh=preferring(age_6h=1).of_fresh)
    config = msgspec.structs.replace(PLAIN, n=10, fresh_worth=3)
    items = made(COLD, crowd(), config, giving_fresh_slots(head))
    m = sum(item.item_id.startswith("f") for item in items)

    assert 1 < m <= fresh_slots.SLOTS
    assert [item.item_id for item in items] == [f"p{n}" for n in range(10 - m)] + [f"f{14 - n}" for n in range(m)]
    assert {item.propensity for item in items} == {1.0}
    assert [item.reason.kind for item in items[10 - m :]] == ["fresh"] * m
    plain = [f"p{n}" for n in range(10)]
    assert listed(COLD, crowd(), config, giving_fresh_slots(head, share=0.0)) == plain
    assert listed(COLD, crowd(), msgspec.structs.replace(config, fresh_worth=0), giving_fresh_slots(head)) == plain


def test_exploring_leaves_fresh_slots_alone():
    """All others explore; the last ones are still the fresh ones, and nobody stands there twice."""
    config = msgspec.structs.replace(PLAIN, n=10, fresh_worth=3)
    head = giving_fresh_slots(preferring(popularity=9))
    kept_back = [item_id for item_id in listed(COLD, crowd(), config, head) if item_id.startswith("f")]
    m = len(kept_back)
    items = made(COLD, crowd(), msgspec.structs.replace(config, explore_share=1.0), head)

    assert [item.item_id for item in items[10 - m :]] == kept_back
    assert [item.reason.kind for item in items[: 10 - m]] == ["explore"] * (10 - m)
    assert [item.propensity for item in items[10 - m :]] == [1.0] * m
    assert len({item.item_id for item in items}) == 10


def test_now_and_then_the_last_slot_is_for_an_item_that_was_in_no_list():
    """Of the likeliest such candidate, in every third list, until there is none; the rest of the list stays."""
    catalog, exposures = crowd(), Exposures()
    config = msgspec.structs.replace(PLAIN, n=3, tail_every=3)
    lasts = []
    for _ in range(9):
        ranked = ranked_for(COLD, catalog, POPULAR)
        items = recommend(ranked, catalog, POPULAR, config, exposures, "1")
        exposures.add(np.array([catalog.find(item.item_id) for item in items]))
        assert [item.item_id for item in items[:2]] == ["p0", "p1"] and items[2].propensity == 1
        lasts.append(items[2].item_id)
    assert lasts == ["p3", "p2", "p2", "p4", "p2", "p2", "p5", "p2", "p2"]

    exposures.add(np.arange(len(catalog)))
    exposures.add(np.array([]))
    exposures.add(np.array([]))
    assert exposures.n_lists % 3 == 0
    assert [i.item_id for i in recommend(ranked, catalog, POPULAR, config, exposures, "1")][2] == "p2"


def test_exploring_leaves_the_slot_for_the_unseen_alone():
    """Also where the unseen one had made way for a fresh item before."""
    config = msgspec.structs.replace(PLAIN, n=10, tail_every=1)
    head = giving_fresh_slots(preferring(popularity=9))
    for fresh_worth, unseen in ((0.0, "p10"), (3.0, "p4")):
        shown = msgspec.structs.replace(config, fresh_worth=fresh_worth)
        before = listed(COLD, crowd(), shown, head)
        assert before[-1] == unseen
        kept_back = [item_id for item_id in before if item_id.startswith("f")] + [unseen]
        items = made(COLD, crowd(), msgspec.structs.replace(shown, explore_share=1.0), head)
        ends = items[10 - len(kept_back) :]
        assert [(item.item_id, item.propensity) for item in ends] == [(item_id, 1.0) for item_id in kept_back]
        assert {item.reason.kind for item in items[: 10 - len(kept_back)]} == {"explore"}


def test_diversity_brings_in_what_is_different():
    """p0 to p4 have one category and one text; with diversity the next list has others among the first."""
    catalog = crowd()
    for n in range(30):
        alike = n < 5
        catalog.put_item(Item(f"p{n}", category="same" if alike else f"c{n}"))
        vector = np.eye(32)[0 if alike else n]
        catalog.put_embedding(f"p{n}", embedded(vector))
    config = msgspec.structs.replace(PLAIN, n=5)
    varied = listed(COLD, catalog, msgspec.structs.replace(config, diversity=0.8), POPULAR)

    assert listed(COLD, catalog, config, POPULAR) == [f"p{n}" for n in range(5)]
    assert len({"p0", "p1", "p2", "p3", "p4"} & set(varied)) == 1
