"""Whitening: what texts share is gone, what differs counts more evenly, and nothing is ever infinite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import whitening
from stream_rec.catalog.whitening import COMPONENTS, LEAST_SAMPLE, LEAST_VARIANCE, PRIOR, SAMPLE
from tests.catalog.whitened import texts, whitened

shapes = st.tuples(st.integers(1, 60), st.integers(1, 40))


def drawn(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return unit rows of a random covariance, as exact as they are kept."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal(shape) @ rng.standard_normal((shape[1], shape[1])) + rng.standard_normal(shape[1])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def cosines(vectors: np.ndarray) -> np.ndarray:
    return vectors @ vectors.T


def unscaled(vectors: np.ndarray) -> np.ndarray:
    """Return vectors whitened, (n, c), before they are brought to unit length."""
    found = whitening.fit(vectors)
    return (vectors - found.mean) @ found.components


@settings(max_examples=80, deadline=None)
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_cosines_are_those_of_the_formula(shape, seed):
    """By singular values instead of products: fewer vectors than numbers, as many, more."""
    vectors = drawn(shape, seed)

    found = whitening.apply(whitening.fit(vectors), vectors)

    np.testing.assert_allclose(cosines(found), cosines(whitened(vectors)), atol=2e-3)


@pytest.mark.parametrize(("n", "d"), [(500, 200), (150, 200), (700, 300), (40, 300), (290, 300)])
def test_newcomers_are_whitened_as_the_others(n, d):
    """On either side of as many vectors as numbers, and of as many numbers as are kept."""
    vectors = texts(n + 30, d)
    found = whitening.apply(whitening.fit(vectors[:n].astype(np.float16)), vectors.astype(np.float16))
    expected = whitened(vectors[:n], vectors)

    assert found.shape == (n + 30, min(d, COMPONENTS))
    np.testing.assert_allclose(cosines(found[:n]), cosines(expected[:n]), atol=2e-3)
    if d <= COMPONENTS:  # else which of the directions without variance are kept is arbitrary
        np.testing.assert_allclose(cosines(found), cosines(expected), atol=2e-3)


def test_of_many_vectors_the_mean_is_gone():
    """They lie in a narrow cone before; afterwards they look everywhere."""
    vectors = texts(4000).astype(np.float32)
    assert np.linalg.norm(vectors.mean(axis=0)) > 0.8

    assert np.linalg.norm(unscaled(vectors).mean(axis=0)) < 0.01
    assert np.linalg.norm(whitening.apply(whitening.fit(vectors), vectors).mean(axis=0)) < 0.05


def test_variances_become_their_square_roots():
    """A power of 0.5 halves their logarithms, but for what a few assumed vectors add."""
    rng = np.random.default_rng(1)
    deviations = np.geomspace(1, 0.15, 12)
    vectors = rng.standard_normal((20_000, 12)) * deviations
    variances = np.sort(unscaled(vectors).var(axis=0))[::-1]

    np.testing.assert_allclose(np.log(variances / variances[0]), np.log(deviations**2) / 2, atol=0.05)


def test_of_few_vectors_all_directions_count_nearly_alike():
    """Two texts say little of what texts vary by: one that is farther out in that direction is not drawn in much."""
    factors = np.linalg.norm(whitening.fit(np.array([[1.0, 0.0], [0.6, 0.8]])).components, axis=0)

    assert 1.0 < factors[1] / factors[0] < (1 + 2 * 2 / PRIOR) ** 0.25 + 0.01


def test_noise_is_not_raised():
    """A direction in which nothing varies is not divided by nothing."""
    vectors = np.random.default_rng(2).standard_normal((5000, 6)) * [1, 1, 1, 1, 1, 1e-9]
    factors = np.linalg.norm(whitening.fit(vectors).components, axis=0)

    assert factors.max() / factors.min() <= LEAST_VARIANCE**-0.25 + 1e-3


@settings(max_examples=50, deadline=None)
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_turning_all_vectors_changes_no_cosine(shape, seed):
    """Nor does their order."""
    vectors = drawn(shape, seed).astype(np.float64)
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))
    order = rng.permutation(shape[0])
    found = whitening.apply(whitening.fit(vectors), vectors)
    turned = whitening.apply(whitening.fit(vectors[order] @ turn), vectors @ turn)

    np.testing.assert_allclose(cosines(found), cosines(turned), atol=2e-3)


@pytest.mark.parametrize(
    "vectors",
    [
        np.ones((1, 1)),
        np.eye(1, 300),
        np.eye(3, 300),
        np.full((1000, 4), 0.5),
        np.full((5, 400), 0.05),
        np.repeat(np.eye(2, 5), 50, axis=0),
        np.zeros((4, 7)),
    ],
    ids=["a number", "one", "few", "the same", "the same few", "two kinds", "nothing"],
)
def test_rows_are_of_unit_length_or_zero(vectors):
    """One vector, the same ones, no variance at all: finite, and those that are alike stay so."""
    found = whitening.apply(whitening.fit(vectors), np.concatenate((vectors, -vectors, np.ones_like(vectors))))
    lengths = np.linalg.norm(found, axis=1)

    assert np.isfinite(found).all()
    assert (np.isclose(lengths, 1, atol=1e-5) | (lengths == 0)).all()
    same = (vectors == vectors[0]).all(axis=1)
    assert (found[: len(vectors)][same] == found[0]).all()


def test_the_mean_itself_points_nowhere():
    """Of a thousand texts that are all the same nothing is left."""
    found = whitening.fit(np.eye(3)[[0, 1, 2] * 400])

    assert not whitening.apply(found, found.mean[None]).any()


def test_of_many_vectors_evenly_spread_ones_are_looked_at(monkeypatch):
    """A bound on the time: the first ones only would miss what came later."""
    monkeypatch.setattr(whitening, "SAMPLE", 6 * 100)
    monkeypatch.setattr(whitening, "LEAST_SAMPLE", 10)
    vectors = drawn((1000, 6), 3)
    chosen = vectors[np.linspace(0, 999, 100).astype(int)]

    for found, expected in zip(whitening.fit(vectors), whitening.fit(chosen)):
        np.testing.assert_array_equal(found, expected)
    assert SAMPLE // 384 > 10_000 and LEAST_SAMPLE > COMPONENTS


def test_what_is_given_is_not_changed():
    """Vectors are kept as they came."""
    vectors = drawn((30, 5), 4)
    before = vectors.copy()
    whitening.apply(whitening.fit(vectors), vectors)

    np.testing.assert_array_equal(vectors, before)
