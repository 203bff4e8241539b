"""Reduced vectors: nearly as near as the whole ones, and always as new."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.reduced import COMPONENTS
from stream_rec.events.item import Item
from tests.catalog.stock import NEW, embedded

D = 200


def texts(n: int) -> np.ndarray:
    """Return vectors as texts have them: of few topics, and a little of everything."""
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((20, D)) * 2.0 ** -np.arange(20)[:, None].clip(max=3)
    vectors = rng.standard_normal((n, 20)) @ topics + 0.1 * rng.standard_normal((n, D))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def embedding(vectors: np.ndarray) -> Catalog:
    catalog = Catalog()
    for n, vector in enumerate(vectors):
        catalog.put_embedding(f"i{n}", embedded(vector))
    return catalog


def test_the_nearest_are_nearly_those_of_whole_vectors():
    """Recall@20 is at least 0.95 on average, also for items that came after the components were found."""
    vectors, wanted = np.split(texts(950), [900])
    catalog = embedding(vectors[:500])
    catalog.reduced_vectors()
    for n in range(500, 900):
        catalog.put_embedding(f"i{n}", embedded(vectors[n]))
    reduced, components = catalog.reduced_vectors()
    assert components.shape == (D, COMPONENTS)

    recall = []
    for one in wanted:
        exact = np.argsort(-(vectors @ one))[:20]
        rough = np.argsort(-(reduced[:900] @ (one.astype(np.float32) @ components)))[:20]
        recall.append(len(set(exact) & set(rough)) / 20)
    assert np.mean(recall) >= 0.95


def test_products_are_those_of_whole_vectors_where_nothing_is_cut():
    """Three dimensions need no reduction: the components only turn them."""
    vectors = np.eye(3)[[0, 1, 2, 0]] + 0.1
    catalog = embedding(vectors)
    reduced, components = catalog.reduced_vectors()
    whole = catalog.embeddings.of(np.arange(4))

    np.testing.assert_allclose(reduced[:4] @ reduced[:4].T, whole @ whole.T, atol=1e-6)
    np.testing.assert_allclose(whole @ components, reduced[:4], atol=1e-6)


def test_components_are_found_anew_when_the_catalog_has_doubled():
    """Not before: until then new vectors are reduced as the others are."""
    vectors = texts(40)
    catalog = embedding(vectors[:20])
    first = catalog.reduced_vectors()[1]
    for n in range(20, 39):
        catalog.put_embedding(f"i{n}", embedded(vectors[n]))
    assert catalog.reduced_vectors()[1] is first

    catalog.put_embedding("i39", embedded(vectors[39]))
    reduced, second = catalog.reduced_vectors()
    assert second is not first
    np.testing.assert_allclose(reduced[:40], vectors.astype(np.float32) @ second, atol=1e-5)


def test_a_changed_vector_is_reduced_anew_and_a_deleted_one_is_zero():
    """When it is asked for the next time."""
    catalog = embedding(texts(10))
    catalog.reduced_vectors()
    catalog.put_embedding("i3", embedded(np.eye(D)[0]))
    catalog.delete_embedding("i4")
    reduced, components = catalog.reduced_vectors()

    np.testing.assert_allclose(reduced[3], components[0], atol=1e-6)
    assert not reduced[4].any()
    assert reduced[5].any()


def test_every_item_has_a_row():
    """Also one without a vector, and where there are no vectors at all."""
    catalog = Catalog()
    assert len(catalog.reduced_vectors()[0]) == 0
    catalog = embedding(texts(3))
    for n in range(3, 2000):
        catalog.put_item(Item(f"i{n}"))
    reduced, _ = catalog.reduced_vectors()

    assert len(reduced) >= 2000
    assert not reduced[3:].any()


def test_another_encoder_has_components_of_its_own():
    """Its vectors may have another length."""
    catalog = embedding(texts(4))
    catalog.reduced_vectors()
    for n in range(4):
        catalog.put_embedding(f"i{n}", embedded(np.eye(5)[n], NEW))
    reduced, components = catalog.reduced_vectors()

    assert components.shape == (5, 5)
    np.testing.assert_allclose(reduced[:4] @ reduced[:4].T, np.eye(4), atol=1e-6)
