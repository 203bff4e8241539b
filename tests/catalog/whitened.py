"""Whitening as its page defines it, by singular values, and nothing shared with the program."""

from __future__ import annotations

import numpy as np


def whitened(vectors, others=None) -> np.ndarray:
    """Return ``others``, (m, d), whitened as ``vectors``, (n, d), are together, unit rows; without others, themselves.

    Both are taken as float16, in which they are kept.
    """
    fitted = np.asarray(vectors, dtype=np.float16).astype(np.float64)
    others = fitted if others is None else np.asarray(others, dtype=np.float16).astype(np.float64)
    n, d = fitted.shape
    mean = fitted.sum(axis=0) / (n + 8)
    _, lengths, directions = np.linalg.svd(fitted - mean, full_matrices=True)
    variances = np.zeros(d)
    variances[: len(lengths)] = lengths**2 / n
    variances = (n * variances + 64 * variances.sum() / d) / (n + 64)
    factors = np.maximum(variances / variances.max(), 1e-4) ** -0.25
    moved = ((others - mean) @ directions.T * factors)[:, :256]
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.divide(moved, norms, out=np.zeros_like(moved), where=norms > 1e-3)


def texts(n: int, d: int = 200, seed: int = 0) -> np.ndarray:
    """Return vectors as models of texts give them, (n, d) unit rows: in a cone, of few topics, a little of all."""
    rng = np.random.default_rng(seed)
    topics = rng.standard_normal((20, d)) * 2.0 ** -np.arange(20)[:, None].clip(max=3)
    cone = 2.0 * rng.standard_normal(d)
    vectors = cone + rng.standard_normal((n, 20)) @ topics + 0.1 * rng.standard_normal((n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
