"""Candidates for re-ranking tests: unit vectors, categories, and what hypothesis draws them from."""

import numpy as np
from hypothesis import strategies as st

from stream_rec.reranking.calibrate import Categories


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
    weights = np.array([[0.0, 0.0], [1.0, 0.0], [0.3, 0.7]])[rng.integers(0, 3, k)]
    target = rng.integers(0, 3, n_categories) / 7.0
    return rng.integers(-3, 4, k) / 2.0, vectors, Categories(ids, weights), target
