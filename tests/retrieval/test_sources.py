"""What each source proposes, on a catalog small enough to check by hand."""

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.retrieval.candidates import Found
from stream_rec.retrieval.followers import followers
from stream_rec.retrieval.repeat import HALF_LIFE_MS, repeat
from stream_rec.retrieval.similar import similar
from stream_rec.retrieval.trending import trending
from stream_rec.user.taste import recent_items
from tests.catalog.stock import embedded, stocked, taught
from tests.user.histories import arrivals, folded, happened

NOW_MS = 1_700_000_000_000


def recent(*item_ids: str):
    """Return recent items, the first one newest."""
    return recent_items(folded(arrivals([happened(at, i) for at, i in enumerate(reversed(item_ids))])), 12)


def scores(found: Found, catalog: Catalog) -> dict[str, float]:
    return {catalog.item_ids[row]: score for row, score in zip(found.rows, found.scores)}


def test_followers_count_by_their_share():
    """c came after a in three of four pairs; b counts a fifth less because it was seen before a."""
    catalog = stocked("a", "b", "c", "d")
    catalog.put_knowledge("c", taught(1, predecessors={"a": 3}))
    catalog.put_knowledge("d", taught(1, predecessors={"a": 1, "b": 7}))

    found = followers(recent("a", "b"), catalog, 0.8)
    assert scores(found, catalog) == pytest.approx({"c": 0.75, "d": 0.25 + 0.8})
    assert found.evidence.tolist() == [0, 1]


def test_text_neighbours_count_by_similarity():
    """The n-th last item counts 0.5 ** n; opposite directions count next to nothing, never less."""
    catalog = stocked()
    for item_id, vector in {"a": [1, 0], "b": [0, 1], "c": [1, 1], "d": [-1, 0]}.items():
        catalog.put_embedding(item_id, embedded(vector))

    found = similar(recent("a", "b"), catalog, 0.5)
    near = np.sqrt(0.5)
    assert scores(found, catalog)["c"] == pytest.approx(1.5 * near)
    assert all(score > 0 for score in found.scores)
    assert len(set(found.rows.tolist())) == len(found.rows) == 4


def test_items_nobody_heard_of_propose_nothing():
    """They keep their place, and the catalog gets no row for them."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("b", taught(1, predecessors={"a": 1}))
    for source in (followers, similar):
        assert len(source(recent("?", "!"), catalog, 0.8).rows) == 0

    assert followers(recent("?", "a"), catalog, 0.8).evidence.tolist() == [1]
    assert len(catalog) == 2


def test_trending_is_the_best_of_several_half_lives():
    """a was loved last month, b is looked at now: both are proposed, whatever is in between is not at k=1."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("a", taught(*range(NOW_MS - 600 * HOUR_MS, NOW_MS - 600 * HOUR_MS + 50)))
    catalog.put_knowledge("b", taught(NOW_MS))
    catalog.put_knowledge("c", taught(NOW_MS - HOUR_MS))

    assert set(scores(trending(catalog, 1), catalog)) == {"a", "b"}
    assert all(0 < score <= 1 for score in trending(catalog, 3).scores)


def test_nothing_trends_where_nothing_happened():
    """Items alone are not popular."""
    assert len(trending(stocked("a"), 5).rows) == 0
    assert len(trending(Catalog(), 5).rows) == 0


def test_own_items_count_by_how_often_and_how_lately():
    """A half-life ago counts half; what is too long ago for the recent items has no evidence."""
    catalog = stocked("a", "b")
    user = folded(
        arrivals([happened(NOW_MS - HALF_LIFE_MS, "a"), happened(NOW_MS, "b"), happened(NOW_MS, "b", Kind.CLICK)])
    )

    found = repeat(user, recent_items(user, 1), catalog, NOW_MS)
    assert scores(found, catalog) == pytest.approx({"a": np.log(2) / 2, "b": np.log(3)})
    assert found.evidence.tolist() == [-1, 0]


def test_own_items_from_the_future_count_as_now():
    """A device's clock may be ahead of the list's time."""
    catalog = stocked("a")
    user = folded(arrivals([happened(NOW_MS + HOUR_MS, "a")]))

    assert repeat(user, [], catalog, NOW_MS).scores.tolist() == pytest.approx([np.log(2)])


def test_own_items_that_the_catalog_does_not_know_are_left_out():
    """The item may arrive later."""
    user = folded(arrivals([happened(NOW_MS, "?")]))

    assert len(repeat(user, [], stocked("a"), NOW_MS).rows) == 0
