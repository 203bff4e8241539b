"""Source `fresh`: by text, by first popularity, and by when items appeared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.fresh import (
    NEAR_LAST,
    NEAR_TASTE,
    NEWCOMERS,
    _most_similar,
    find_nearest,
    find_newcomers,
)
from tests.catalog.stock import embedded, stocked, taught
from tests.catalog.whitened import texts

FIVE = (1, 2, 3, 4, 5)
"""Times of so many events that an item is not fresh."""
DAY_MS = 24 * 3_600_000


def with_texts(n: int, d: int = 200) -> Catalog:
    """Return items with texts in two spaces."""
    catalog = stocked(*(f"i{number}" for number in range(n)))
    for number, (first, second) in enumerate(zip(texts(n, d), texts(n, 100, seed=1))):
        catalog.put_embedding(f"i{number}", embedded(first, second=second))
    return catalog


def wanted(catalog: Catalog, row: int) -> np.ndarray:
    return catalog.spaces.vectors()[row].copy()


def by_text(catalog: Catalog, taste: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return what is found among all fresh items, those without events first."""
    fresh = catalog.fresh
    return np.concatenate([find_nearest(pool.rows(), catalog, taste, last) for pool in (fresh.unseen, fresh.seen)])


def nearest(catalog: Catalog, pool: np.ndarray, vectors: np.ndarray, k: int) -> list[int]:
    """Return the exact ``k`` rows of ``pool`` nearest in both spaces together."""
    similarities = np.einsum("rsd,sd->r", catalog.spaces.vectors()[pool], vectors)
    return pool[np.argsort(-similarities, kind="stable")][:k].tolist()


def test_the_nearest_to_the_taste_come_first_then_those_to_the_last_item():
    """Of the pool that is asked about alone; what has five events is in none."""
    catalog = with_texts(300)
    for number in range(120, 240):
        catalog.put_knowledge(f"i{number}", taught(7))
    for number in range(240, 300):
        catalog.put_knowledge(f"i{number}", taught(*FIVE))
    taste, last = wanted(catalog, 250), wanted(catalog, 251)
    for pool, rows in ((catalog.fresh.unseen, np.arange(120)), (catalog.fresh.seen, np.arange(120, 240))):
        found = find_nearest(pool.rows(), catalog, taste, last).tolist()

        assert found[:NEAR_TASTE] == nearest(catalog, rows, taste, NEAR_TASTE)
        assert found[NEAR_TASTE:] == nearest(catalog, rows, last, NEAR_LAST)


@settings(max_examples=200, deadline=None)
@given(similarities=st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0]), max_size=40), k=st.sampled_from([1, 4, 60]))
def test_the_roughly_nearest_are_those_of_a_sort(similarities, k):
    """Of equals those that stand first, however many are asked for."""
    found = _most_similar(np.array(similarities, dtype=np.float32), k)

    assert found.tolist() == sorted(np.argsort(-np.array(similarities), kind="stable")[:k].tolist())


def test_searching_roughly_first_finds_nearly_all():
    """Recall is at least 0.95 on average, of 4,000 texts, whichever space says more."""
    catalog = with_texts(4060)
    for number in range(4000, 4060):
        catalog.put_knowledge(f"i{number}", taught(*FIVE))
    nothing = np.zeros_like(wanted(catalog, 0))
    recall = []
    for row in range(4000, 4060):
        taste = wanted(catalog, row)
        rows = find_nearest(catalog.fresh.unseen.rows(), catalog, taste, nothing)[:NEAR_TASTE].tolist()
        recall.append(len(set(rows) & set(nearest(catalog, np.arange(4000), taste, NEAR_TASTE))) / NEAR_TASTE)

    assert np.mean(recall) >= 0.95


def test_the_nearest_come_first():
    """By all components, not by the leading ones alone."""
    catalog = with_texts(50)
    taste = wanted(catalog, 7)
    rows = by_text(catalog, taste, taste).tolist()

    assert rows[:NEAR_TASTE] == nearest(catalog, np.arange(50), taste, NEAR_TASTE)
    assert rows[NEAR_TASTE:] == rows[:NEAR_LAST]
    assert rows[0] == 7


def test_fewer_fresh_items_than_asked_for_are_all_of_them():
    """For the taste and for the last item."""
    catalog = with_texts(3)
    rows = by_text(catalog, wanted(catalog, 2), wanted(catalog, 0)).tolist()

    assert [sorted(rows[:3]), sorted(rows[3:])] == [[0, 1, 2]] * 2
    assert (rows[0], rows[3]) == (2, 0)


def test_without_fresh_items_there_are_none():
    """None listed; none with few events; no text at all."""
    catalog = with_texts(1)
    taste = wanted(catalog, 0)
    catalog.put_knowledge("i0", taught(*FIVE))
    assert by_text(catalog, taste, taste).tolist() == []

    catalog = with_texts(1)
    catalog.delete_embedding("i0")
    assert by_text(catalog, taste, taste).tolist() == []


@pytest.mark.parametrize("delisted", ["i0", "i29"])
def test_what_is_not_listed_is_not_found(delisted):
    """By text."""
    catalog = with_texts(30)
    taste = wanted(catalog, catalog.find(delisted))
    catalog.delete_item(delisted)
    rows = by_text(catalog, taste, taste).tolist()
    assert rows and catalog.find(delisted) not in rows


def test_newcomers_are_those_whose_first_event_came_last():
    """However often they were seen since."""
    catalog = stocked(*(f"i{n}" for n in range(30)))
    for n in range(30):
        catalog.put_knowledge(f"i{n}", taught(100 - n))
    catalog.put_knowledge("i0", taught(100, 200))

    assert find_newcomers(catalog).tolist() == list(range(30 - NEWCOMERS, 30))
    assert find_newcomers(Catalog()).tolist() == []
