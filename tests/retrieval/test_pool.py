"""Candidates of a pool: what is asked for, whatever else is listed."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.rule import Rule, Target
from stream_rec.ranking.exposures import Exposures
from stream_rec.recommend.make_list import recommend
from stream_rec.recommend.rank import rank
from stream_rec.retrieval import pool as module
from stream_rec.retrieval.candidates import Workspace
from stream_rec.retrieval.pool import Pool, Take, find_popular
from stream_rec.user.state import COLD
from tests.catalog.stock import embedded, stocked, taught
from tests.recommend.lists import NOW_MS, PLAIN, USUAL, crowd, viewer


def of(catalog: Catalog, *item_ids: str, take: Take = Take.PROPOSED) -> Pool:
    is_in = np.zeros(len(catalog), dtype=bool)
    is_in[[catalog.find(item_id) for item_id in item_ids]] = True
    return Pool(is_in, take)


def shown(catalog: Catalog, pool: Pool | None, user=COLD) -> list[str]:
    ranked = rank("u", user, catalog, USUAL, Workspace(), now_ms=NOW_MS, pool=pool)
    return [item.item_id for item in recommend(ranked, catalog, USUAL, PLAIN, Exposures(), "1")]


@pytest.mark.parametrize("user", [COLD, viewer("p3", "p5")])
def test_a_pool_of_all_that_is_listed_ranks_as_no_pool_does(user):
    """Other candidates, as popular as those at the end of the list, move nobody before its end."""
    catalog = crowd()
    everything = Pool(catalog.is_listed.copy())

    assert shown(catalog, everything, user)[:10] == shown(catalog, None, user)[:10]


def test_a_pool_of_few_is_ranked_whole():
    """Also what nobody came to yet, and what no source would propose among the rest."""
    catalog = crowd()
    pool = of(catalog, "p29", "f3", "p2")

    assert shown(catalog, pool) == ["p2", "p29", "f3"]
    assert shown(catalog, pool, viewer("p0")) == ["p2", "p29", "f3"]


def test_given_items_are_ranked_also_if_the_user_had_them():
    """Of a pool by itself what the user had is left to the sources that say whether it is wanted again."""
    catalog = crowd()
    given = of(catalog, "p2", "p9", take=Take.ALL)
    is_own = np.zeros(len(catalog), dtype=bool)
    is_own[catalog.find("p2")] = True

    assert set(shown(catalog, given, viewer("p2"))) == {"p2", "p9"}
    assert find_popular(given, is_own, catalog).tolist() == [catalog.find("p9")]


def test_many_are_filled_up_with_the_most_popular(monkeypatch):
    """A bound on candidates, not on what may be found."""
    monkeypatch.setattr(module, "MOST_POPULAR", 4)
    catalog = crowd()
    pool = of(catalog, *(f"p{n}" for n in range(5, 30)))

    assert shown(catalog, pool)[:4] == ["p5", "p6", "p7", "p8"]


def test_related_items_are_those_that_history_leads_to():
    """By text or by who came next; no trend, and nothing new."""
    catalog = stocked("a", "near", "next", "popular", "off")
    for item_id, vector in (("a", [1, 0]), ("near", [1, 0.1]), ("off", [1, 0.1])):
        catalog.put_embedding(item_id, embedded(vector))
    catalog.put_knowledge("next", taught(NOW_MS, predecessors={"a": 3}))
    catalog.put_knowledge("popular", taught(*[NOW_MS] * 9))
    pool = of(catalog, "near", "next", "popular", take=Take.RELATED)

    assert set(shown(catalog, pool, viewer("a"))) == {"near", "next"}
    assert shown(catalog, pool) == []


def test_a_pin_outside_of_the_pool_is_not_shown():
    """Nor does it take the place of another, whichever row it has."""
    catalog = crowd()
    for number, item_id in enumerate(("p0", "f14", "p7")):
        catalog.put_rule(Rule(f"r{number}", "pin", "ann", "ad", Target(item_ids=[item_id]), slot=1 + number))

    assert shown(catalog, of(catalog, "p3", "p7", "p9")) == ["p3", "p9", "p7"]


def test_what_is_banned_is_out_of_a_pool():
    """Rules hold whoever asks."""
    catalog = crowd()
    catalog.put_rule(Rule("r", "exclude", "ann", "bought", Target(item_ids=["p3"]), relation="seen"))

    assert shown(catalog, of(catalog, "p3", "p4", take=Take.ALL), viewer("p3")) == ["p4"]
