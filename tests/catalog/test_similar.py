"""Text neighbours: always what a look at all vectors would find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.similar import MOST_INTRODUCED, K
from tests.catalog.stock import NEW, OLD, embedded, neighbours
from tests.catalog.whitened import whitened


def by_brute_force(catalog: Catalog, row: int) -> list[float]:
    """Return the K largest similarities, from all vectors there are."""
    vectors = catalog.spaces.vectors()[:, 0]
    others = [other for other in range(len(catalog)) if other != row and catalog.spaces.find(other) is not None]
    if catalog.spaces.find(row) is None:
        return []
    return sorted((float(vectors[other] @ vectors[row]) for other in others), reverse=True)[:K]


def assert_exact(catalog: Catalog) -> None:
    """Recall 1.0: the same similarities at every place, each that of the row which stands there, none twice."""
    vectors, similar = catalog.spaces.vectors()[:, 0], catalog.spaces.similar()[0]
    for row in range(len(catalog)):
        rows, similarities = similar.of(row)
        expected = by_brute_force(catalog, row)
        assert len(set(rows.tolist())) == len(rows) == len(expected)
        assert similarities.tolist() == pytest.approx(expected, abs=1e-5)
        assert (vectors[rows] @ vectors[row]).tolist() == pytest.approx(similarities.tolist(), abs=1e-5)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.sampled_from([4, 30, 70]))
def test_any_sequence_of_changes_gives_the_exact_neighbours(seed, n):
    """Vectors come, change, go and come back in any order, while lists are asked for between; K is 50."""
    rng = np.random.default_rng(seed)
    catalog = Catalog()
    for step in range(2 * n):
        item_id = f"i{rng.integers(n)}"
        if rng.random() < 0.25:
            catalog.delete_embedding(item_id)
        else:
            catalog.put_embedding(item_id, embedded(rng.normal(size=4)))
        if step % 3 == 0 and len(catalog):
            catalog.spaces.similar()[0].of(int(rng.integers(len(catalog))))
    assert_exact(catalog)
    for _ in range(5):  # now every list is computed, and each change has to reach it
        item_id = f"i{rng.integers(n)}"
        catalog.delete_embedding(item_id)
        assert_exact(catalog)
        catalog.put_embedding(item_id, embedded(rng.normal(size=4)))
        assert_exact(catalog)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_two_encoders_in_any_sequence_are_exact_within_the_one_in_use(seed):
    """Their lengths differ here, so a comparison across them could not even be made."""
    rng = np.random.default_rng(seed)
    catalog = Catalog()
    for _ in range(60):
        item_id = f"i{rng.integers(12)}"
        if rng.random() < 0.15:
            catalog.delete_embedding(item_id)
        else:
            encoder, d = (OLD, 4) if rng.random() < 0.5 else (NEW, 5)
            catalog.put_embedding(item_id, embedded(rng.normal(size=d), encoder))
        if len(catalog) and rng.random() < 0.3:
            assert_exact(catalog)
    assert_exact(catalog)


def angles(**degrees: float) -> Catalog:
    """Return a catalog with vectors in the plane."""
    catalog = Catalog()
    for item_id, angle in degrees.items():
        catalog.put_embedding(item_id, embedded([np.cos(np.radians(angle)), np.sin(np.radians(angle))]))
    return catalog


def test_the_nearest_come_first_with_their_cosines():
    """Of whitened vectors: a and b are farther apart than they were by less than a right angle."""
    catalog = angles(a=0, b=90, c=60)
    expected = whitened([[1, 0], [0, 1], [0.5, np.sqrt(0.75)]])

    rows, similarities = catalog.spaces.similar()[0].of(0)
    assert [catalog.item_ids[row] for row in rows] == ["c", "b"]
    assert similarities.tolist() == pytest.approx([expected[0] @ expected[2], expected[0] @ expected[1]], abs=1e-3)
    assert similarities[1] < 0


def test_a_burst_of_newcomers_finds_its_place():
    """More at once than are looked through lists one by one: those are computed anew when asked for."""
    catalog = angles(**{f"i{n}": n for n in range(100)})
    assert_exact(catalog)
    for n in range(MOST_INTRODUCED + 1):
        catalog.put_embedding(f"new{n}", embedded([np.cos(n), np.sin(n)]))
    catalog.delete_embedding("i3")

    assert_exact(catalog)


def test_lists_of_several_items_are_those_of_each():
    """Computed where they were not, taken as they are where they were; without a vector there is none."""
    catalog = angles(a=0, b=90, c=60, d=10)
    catalog.delete_embedding("d")
    similar = catalog.spaces.similar()[0]
    similar.of(1)
    asked = np.array([0, 1, 3])
    rows, similarities, n = similar.lists(asked)

    assert n[asked].tolist() == [2, 2, -1]
    for row in (0, 1):
        expected_rows, expected = similar.of(row)
        assert rows[row, : n[row]].tolist() == expected_rows.tolist()
        assert similarities[row, : n[row]].tolist() == expected.tolist()


def test_an_item_alone_has_no_neighbours():
    """More neighbours asked for than there are items; and no item at all."""
    catalog = angles(a=0)
    assert neighbours(catalog, "a") == []

    catalog.put_embedding("b", embedded([1, 1]))
    assert neighbours(catalog, "a") == ["b"]


def test_an_item_without_vector_has_no_neighbours():
    """It is in the catalog because something else is known of it."""
    catalog = angles(a=0, b=10)
    catalog.delete_embedding("a")
    catalog.delete_embedding("never heard of")

    assert neighbours(catalog, "a") == []
    assert neighbours(catalog, "b") == []


def test_a_deleted_item_never_returns():
    """Not in lists computed before, nor later, until it has a vector again."""
    catalog = angles(a=0, b=10, c=20)
    assert neighbours(catalog, "a") == ["b", "c"]

    catalog.delete_embedding("b")
    assert neighbours(catalog, "a") == ["c"]
    catalog.put_embedding("d", embedded([1, 0.1]))
    assert neighbours(catalog, "a") == ["d", "c"]
    catalog.put_embedding("b", embedded([1, 0]))
    assert neighbours(catalog, "a") == ["b", "d", "c"]


def test_a_changed_vector_moves_its_item():
    """Its old place in a list is not kept."""
    catalog = angles(a=0, b=10, c=20)
    assert neighbours(catalog, "a") == ["b", "c"]

    catalog.put_embedding("b", embedded([0, 1]))
    assert neighbours(catalog, "a") == ["c", "b"]
    assert neighbours(catalog, "b") == ["c", "a"]


def test_another_encoder_changes_every_list_at_once():
    """What was nearest for the old one says nothing about the new one."""
    catalog = angles(a=0, b=10, c=90)
    assert neighbours(catalog, "a") == ["b", "c"]

    for item_id, vector in {"a": [1, 0, 0], "b": [0, 0, 1], "c": [1, 1, 0]}.items():
        catalog.put_embedding(item_id, embedded(vector, NEW))
    assert neighbours(catalog, "a") == ["c", "b"]
