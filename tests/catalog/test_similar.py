"""Text neighbours: always what a look at all vectors would find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.similar import K
from tests.catalog.stock import NEW, OLD, embedded, neighbours


def by_brute_force(catalog: Catalog, row: int) -> list[tuple[int, float]]:
    """Return the K nearest rows and their similarities from all vectors in use."""
    space = catalog.embeddings.active
    if not catalog.embeddings.has(row):
        return []
    others = [(other, float(space.vectors[other] @ space.vectors[row])) for other in np.flatnonzero(space.is_present)]
    return sorted((pair for pair in others if pair[0] != row), key=lambda pair: -pair[1])[:K]


def assert_exact(catalog: Catalog) -> None:
    """Recall 1.0: the same similarities at every place, each that of the row which stands there, none twice."""
    for row in range(len(catalog)):
        rows, similarities = catalog.similar.of(row)
        expected = by_brute_force(catalog, row)
        assert len(set(rows.tolist())) == len(rows) == len(expected)
        assert similarities.tolist() == pytest.approx([similarity for _, similarity in expected], abs=1e-5)
        vectors = catalog.embeddings.active.vectors if len(rows) else np.zeros((len(catalog), 1))
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
            catalog.similar.of(int(rng.integers(len(catalog))))
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
    """60 degrees are a similarity of one half, 90 of none."""
    catalog = angles(a=0, b=90, c=60)

    rows, similarities = catalog.similar.of(0)
    assert [catalog.item_ids[row] for row in rows] == ["c", "b"]
    assert similarities.tolist() == pytest.approx([0.5, 0.0], abs=1e-6)


def test_lists_of_several_items_are_those_of_each():
    """Computed where they were not, taken as they are where they were; without a vector there is none."""
    catalog = angles(a=0, b=90, c=60, d=10)
    catalog.delete_embedding("d")
    catalog.similar.of(1)
    asked = np.array([0, 1, 3])
    rows, similarities, n = catalog.similar.lists(asked)

    assert n[asked].tolist() == [2, 2, -1]
    for row in (0, 1):
        expected_rows, expected = catalog.similar.of(row)
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
