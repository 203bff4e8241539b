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
SAMPLE = 16_384
"""Most vectors that a whitening is found from."""


class Whitening(NamedTuple):
    """An affine map, good for vectors like those that it was found from."""

    mean: NDArray[np.float32]
    """(d,)"""
    components: NDArray[np.float32]
    """(d, c) scaled, the direction of largest variance first."""


def fit(vectors: NDArray[np.floating]) -> Whitening:
    """Return the whitening of some vectors, (n, d), n at least 1; of many, that of ``SAMPLE`` evenly spread ones."""
    if len(vectors) > SAMPLE:
        vectors = vectors[np.linspace(0, len(vectors) - 1, SAMPLE).astype(np.int64)]
    sample: NDArray[np.float64] = vectors.astype(np.float64)
    n, d = sample.shape
    mean: NDArray[np.float64] = sample.sum(axis=0) / (n + PRIOR_MEAN)
    sample -= mean
    covariance = sample.T @ sample / n
    usual = np.trace(covariance) / d
    variances, directions = np.linalg.eigh((n * covariance + PRIOR * usual * np.eye(d)) / (n + PRIOR))
    variances, directions = variances[::-1][:COMPONENTS], directions[:, ::-1][:, :COMPONENTS]
    largest = max(float(variances[0]), np.finfo(np.float64).tiny)
    scale = np.maximum(variances / largest, LEAST_VARIANCE) ** (-POWER / 2)
    return Whitening(mean.astype(np.float32), (directions * scale).astype(np.float32))


def apply(whitening: Whitening, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (n, c) float32 unit rows of vectors, (n, d); zero where nothing but the mean is left."""
    whitened: NDArray[np.float32] = (vectors.astype(np.float32) - whitening.mean) @ whitening.components
    lengths = np.linalg.norm(whitened, axis=1, keepdims=True)
    whitened /= np.maximum(lengths, LEAST_LENGTH)
    whitened[lengths[:, 0] <= LEAST_LENGTH] = 0.0
    return whitened
