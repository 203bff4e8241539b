"""Whitening: what all texts of a catalog share is taken out of their vectors, so that cosines tell items apart.

    y = (x - mean) U diag(variance ** -POWER / 2), of unit length        U: the principal components

Vectors of language models lie in a narrow cone, and most of what differs lies along a few directions that tell little
of what a user wants. POWER 0 centres only, 1 makes all directions equal; half way was best or near it for every encoder
and log (docs/experiments.md). Few vectors know little of their own spread: then directions are nearly equal.

Source:
    Mu, Viswanath. All-but-the-top: simple and effective postprocessing for word representations. ICLR 2018.
    Su, Cao, Liu, Ou. Whitening sentence representations for better semantics and faster retrieval. 2021.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 256
"""Most numbers of a whitened vector: the directions in which the texts differ most."""
POWER = 0.5
PRIOR = 64.0
"""Vectors as many as which the assumption counts that all directions vary alike."""
PRIOR_MEAN = 8.0
"""Vectors as many as which the assumption counts that the mean is 0."""
LEAST_VARIANCE = 1e-4
"""Of the largest: below it there is only noise, which no factor should raise."""
LEAST_LENGTH = 1e-3
"""A vector that has less left than this is the mean itself, and points nowhere."""
SAMPLE = 2**22
"""Most numbers that a whitening is found from: so many vectors that these are all of theirs, but `LEAST_SAMPLE`."""
LEAST_SAMPLE = 1024


class Whitening(NamedTuple):
    """An affine map, good for vectors like those that it was found from."""

    mean: NDArray[np.float32]
    """(d,)"""
    components: NDArray[np.float32]
    """(d, c) scaled, the direction of largest variance first."""


def fit(vectors: NDArray[np.floating]) -> Whitening:
    """Return the whitening of some vectors, (n, d), n at least 1; of many, that of evenly spread ones among them."""
    n, d = vectors.shape
    n_kept = max(LEAST_SAMPLE, SAMPLE // d)
    if n > n_kept:
        vectors, n = vectors[np.linspace(0, n - 1, n_kept).astype(np.int64)], n_kept
    sample: NDArray[np.float64] = vectors.astype(np.float64)
    mean: NDArray[np.float64] = sample.sum(axis=0) / (n + PRIOR_MEAN)
    sample = sample - mean
    variances, directions = _find_components(sample)
    usual = np.einsum("nd,nd->", sample, sample) / (n * d)
    variances = (n * variances + PRIOR * usual) / (n + PRIOR)
    largest = max(float(variances[0]), np.finfo(np.float64).tiny)
    scale = np.maximum(variances / largest, LEAST_VARIANCE) ** (-POWER / 2)
    return Whitening(mean.astype(np.float32), (directions * scale).astype(np.float32))


def apply(whitening: Whitening, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (n, c) float32 unit rows of vectors, (n, d); zero where nothing but the mean is left."""
    centred: NDArray[np.float32] = vectors.astype(np.float32)
    centred -= whitening.mean
    whitened = centred @ whitening.components
    lengths = np.linalg.norm(whitened, axis=1, keepdims=True)
    is_left = lengths > LEAST_LENGTH
    np.divide(whitened, lengths, out=whitened, where=is_left)
    whitened *= is_left
    return whitened


def _find_components(sample: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances, (c,), and orthonormal directions, (d, c), of centred vectors, (n, d), the largest first.

    Where there are fewer vectors than numbers in one, all is done in the space that they span, and directions beyond
    it, in which they do not vary, are any: the cost is that of the smaller of n and d cubed.
    """
    n, d = sample.shape
    basis = None
    if n < d:
        any_others = np.random.default_rng(0).standard_normal((max(COMPONENTS - n, 0), d))
        basis, _ = np.linalg.qr(np.concatenate((sample, any_others)).T)
        sample = sample @ basis
    variances, directions = np.linalg.eigh(sample.T @ sample / n)
    variances, directions = variances[::-1][:COMPONENTS], directions[:, ::-1][:, :COMPONENTS]
    return variances, directions if basis is None else basis @ directions
