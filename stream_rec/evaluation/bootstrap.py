"""Confidence intervals by drawing users with replacement: events of one user are alike, so events would be too sure.

Source:
    Efron, Tibshirani. An Introduction to the Bootstrap. 1993 (percentile interval, chapter 13; pairs, chapter 8).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

RESAMPLES = 500
LEVEL = 0.95
DRAWS_AT_ONCE = 5_000_000


class Interval(Struct, frozen=True):
    """The mean over events, and the bounds between which it lies in 95 of 100 resamples of the users."""

    mean: float
    low: float
    high: float


def estimate_intervals(
    users: NDArray[np.integer], values: NDArray[np.float64], *, seed: int, resamples: int = RESAMPLES
) -> list[Interval] | None:
    """Return the interval of the mean of each row of ``values``; None of a single user, who says nothing of others.

    All rows are resampled alike, so that the interval of a difference is that of the row of differences.

    Args:
        users: (events,) user number of each event.
        values: (m, events) float.

    Example:
        Three users of two events each: of the one who always hits, and of two who never do.

        >>> users, hits = np.array([0, 0, 1, 1, 2, 2]), np.array([[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
        >>> [interval] = estimate_intervals(users, hits, seed=0)
        >>> round(interval.mean, 4), interval.low, round(interval.high, 4)
        (0.3333, 0.0, 0.8417)
    """
    _, of_event = np.unique(users, return_inverse=True)
    counts = np.bincount(of_event).astype(np.float64)
    n_users = len(counts)
    if n_users < 2:
        return None
    sums = np.stack([np.bincount(of_event, row, n_users) for row in values])
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, len(values)))
    at_once = max(1, DRAWS_AT_ONCE // n_users)
    for start in range(0, resamples, at_once):
        n = min(at_once, resamples - start)
        drawn = rng.integers(n_users, size=(n, n_users)) + n_users * np.arange(n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n * n_users).reshape(n, n_users).astype(np.float64)
        means[start : start + n] = (times @ sums.T) / (times @ counts)[:, None]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [Interval(*map(float, one)) for one in zip(values.mean(axis=1), low, high)]
