"""Confidence intervals by drawing users with replacement: events of one user are alike, so events would be too sure.

Source:
    Efron, Tibshirani. An Introduction to the Bootstrap. 1993 (percentile interval, chapter 13; pairs, chapter 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

RESAMPLES = 500
LEVEL = 0.95
ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
"""Quantiles between which an interval lies."""
DRAWS_AT_ONCE = 5_000_000
Numbers = NDArray[np.float64]


class Interval(Struct, frozen=True):
    """The mean over events, and the bounds between which it lies in 95 of 100 resamples of the users."""

    mean: float
    low: float
    high: float


class Change(Struct, frozen=True):
    """How a mean over events differs from that of another run over the same events."""

    base: float
    """The mean of the other run."""
    value: float
    difference: Interval | None = None
    """``value`` less ``base``; None of a single user."""
    relative: Interval | None = None
    """The same as a share of ``base``; None where that is 0, or nearly so that resamples have none."""


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
    sums = _resample_sums(users, [np.ones(len(users)), *values], seed=seed, resamples=resamples)
    if sums is None:
        return None
    low, high = np.quantile(sums[:, 1:] / sums[:, :1], ENDS, axis=0)
    return [Interval(*map(float, one)) for one in zip(values.mean(axis=1), low, high)]


def estimate_changes(
    users: NDArray[np.integer],
    base: NDArray[np.float64],
    value: NDArray[np.float64],
    masks: Mapping[str, NDArray[np.bool_]],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, list[Change]]:
    """Return how the mean of each row of ``value`` differs from that of ``base``, over the events of each part.

    All rows and parts are resampled alike. A part without events is left out.

    Args:
        users: (events,) user number of each event.
        base: (m, events) float.
        value: (m, events) float, of the same events.
        masks: (events,) bool by the part's name.

    Example:
        Of four users two hit with the base, and three later.

        >>> base, value = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 1.0, 0.0]])
        >>> [change] = estimate_changes(np.arange(4), base, value, {"all": np.ones(4, bool)}, seed=0)["all"]
        >>> change.base, change.value, change.difference.mean
        (0.5, 0.75, 0.25)
        >>> change.relative is None  # a resample may well draw nobody who hit with the base
        True
    """
    masks = {name: mask for name, mask in masks.items() if mask.any()}
    m = len(base)
    rows = (row for mask in masks.values() for row in (mask, *(mask * base), *(mask * value)))
    sums = _resample_sums(users, rows, seed=seed, resamples=resamples)
    changes: dict[str, list[Change]] = {}
    for place, (name, mask) in enumerate(masks.items()):
        means = zip(base[:, mask].mean(axis=1), value[:, mask].mean(axis=1))
        if sums is None or len(np.unique(users[mask])) < 2:
            changes[name] = [Change(float(before), float(after)) for before, after in means]
            continue
        counts, *of_part = sums[:, place * (1 + 2 * m) : (place + 1) * (1 + 2 * m)].T
        changes[name] = [
            _change(float(before), float(after), counts, sums_before, sums_after)
            for (before, after), sums_before, sums_after in zip(means, of_part[:m], of_part[m:])
        ]
    return changes


def _change(base: float, value: float, counts: Numbers, sums_before: Numbers, sums_after: Numbers) -> Change:
    """Return a change with the intervals that resampled sums make; a resample without events of the part says nothing.

    A resample in which the base is 0 has no relative change. It would be infinite, or a gain of nothing over nothing:
    where that is so of more than the least bound leaves out, there is no interval.
    """
    drawn = counts > 0
    gains = (sums_after - sums_before)[drawn]
    difference = Interval(value - base, *map(float, np.quantile(gains / counts[drawn], ENDS)))
    has_base = sums_before[drawn] > 0
    if base == 0 or np.mean(~has_base) > ENDS[0]:
        return Change(base, value, difference)
    low, high = np.quantile(gains[has_base] / sums_before[drawn][has_base], ENDS)
    return Change(base, value, difference, Interval(value / base - 1, float(low), float(high)))


def _resample_sums(
    users: NDArray[np.integer], rows: Iterable[NDArray[Any]], *, seed: int, resamples: int
) -> Numbers | None:
    """Return (resamples, rows) the sum of each row over the events of the users drawn; None of a single user.

    Args:
        rows: (events,) each. They may be made one by one: only their sums by user are kept.
    """
    _, of_event = np.unique(users, return_inverse=True)
    n_users = int(of_event.max()) + 1
    if n_users < 2:
        return None
    by_user = np.stack([np.bincount(of_event, row, n_users) for row in rows]).T
    rng = np.random.default_rng(seed)
    sums = np.empty((resamples, by_user.shape[1]))
    at_once = max(1, DRAWS_AT_ONCE // n_users)
    for start in range(0, resamples, at_once):
        n = min(at_once, resamples - start)
        drawn = rng.integers(n_users, size=(n, n_users)) + n_users * np.arange(n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n * n_users).reshape(n, n_users).astype(np.float64)
        sums[start : start + n] = times @ by_user
    return sums
