"""Candidates for re-ranking tests, what hypothesis draws them from, and the objective of diversity word for word."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from stream_rec.catalog.categories import Categories
from stream_rec.reranking.diversify import OWN, SMOOTHING, TIE_BREAK


def unit(vectors) -> np.ndarray:
    """Return the rows at length 1, zero rows as they are."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def single(*ids: int) -> Categories:
    """Return items with one category each, none where it is -1."""
    column = np.array(ids, dtype=np.int64).reshape(-1, 1)
    return Categories(np.maximum(column, 0), (column >= 0).astype(float))


@st.composite
def candidates(draw, max_k: int = 12, n_categories: int = 4):
    """Draw (relevance, vectors, categories, target): with ties, duplicates, items without text or category."""
    k = draw(st.integers(0, max_k))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = unit(rng.integers(-1, 2, (k, draw(st.integers(1, 5)))))
    ids = rng.integers(0, n_categories, (k, 2))
    ids[:, 1] = (ids[:, 0] + rng.integers(1, n_categories, k)) % n_categories
    weights = np.array([[0.0, 0.0], [1.0, 0.0], [0.3, 0.7], [0.5, 0.5]])[rng.integers(0, 4, k)]
    target = rng.integers(0, 3, n_categories) / 7.0
    return rng.integers(-3, 4, k) / 2.0, vectors, Categories(ids, weights), target


def similarities(vectors: np.ndarray) -> np.ndarray:
    """Return S as the page of ``diversify`` defines it, (k, k)."""
    has_vector = vectors.any(axis=1)
    filled = vectors.copy()
    if has_vector.any():
        filled[~has_vector] = vectors[has_vector].mean(axis=0)
    kernel = (1 - OWN) * filled @ filled.T
    np.fill_diagonal(kernel, 1.0)
    return kernel


def volume(vectors: np.ndarray, places) -> float:
    """Return log det S_Y."""
    places = np.asarray(places, dtype=np.int64)
    return float(np.linalg.slogdet(similarities(vectors)[np.ix_(places, places)])[1])


def divergence(categories: Categories, target: np.ndarray, places, n: int | None = None) -> float:
    """Return KL(p || q~), q the mix of those among ``places`` that have categories, over ``n`` such items."""
    share = target / target.sum()
    mixed = [place for place in places if categories.weights[place].any()]
    mix = np.zeros(len(target))
    for place in mixed:
        np.add.at(mix, categories.ids[place], categories.weights[place] / (n or len(mixed)))
    smoothed = (1 - SMOOTHING) * mix + SMOOTHING * share
    asked = share > 0
    return float((share[asked] * np.log(share[asked] / smoothed[asked])).sum())


def gains(relevance, vectors, categories: Categories, target, places: list[int], diversity: float) -> np.ndarray:
    """Return what each candidate would add to the objective, over the weight of diversity: from determinants and
    divergences, nothing kept from slot to slot. Those in ``places`` add nothing any more: -inf."""
    spread = relevance.std()
    worth = max(1 - diversity, TIE_BREAK) / max(diversity, TIE_BREAK)
    made = np.array([volume(vectors, [*places, i]) if i not in places else -np.inf for i in range(len(relevance))])
    made += worth * (relevance - relevance.max()) / spread if spread > 1e-12 else 0.0
    if target.any():
        has_category = categories.weights.any(axis=1)
        t = 1 + np.count_nonzero(has_category[places])
        nothing_added = divergence(categories, target, places, t)
        of_mix = [t * (nothing_added - divergence(categories, target, [*places, i], t)) for i in range(len(relevance))]
        made += np.where(has_category, of_mix, np.mean(np.array(of_mix)[has_category]) if has_category.any() else 0.0)
    return made
