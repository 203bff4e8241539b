"""Calibration: the list's mix of categories should be that of the user's taste.

    KL(p || q~) = sum over c of p_c log(p_c / q~_c),    q~ = (1 - a) q + a p

with p the target and q the mix of the list. A list of t items is charged t * KL: as extensive as its relevance, so the
first choices do not have to mirror the whole taste at once, and for a finished list of n items it is Steck's
objective with the mean relevance for its sum.

Source: Steck. Calibrated Recommendations. RecSys 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_rec.reranking.greedy import greedy

SMOOTHING = 0.01
"""Steck's a: how much of the target is mixed into the list, so that a category not yet in it costs a finite amount."""


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of some items: m at most for each. The arrays run parallel."""

    ids: np.ndarray
    """(k, m) int, from 0 to below the number of categories."""
    weights: np.ndarray
    """(k, m) a row sums to 1, or is all 0 for an item without categories; 0 where ``ids`` is only padded."""


def calibrate(relevance: np.ndarray, categories: Categories, target: np.ndarray, n: int, strength: float) -> np.ndarray:
    """Return the places of at most ``n`` candidates, in order: relevant ones whose mix approaches ``target``.

    About 155 µs for 100 candidates with 3 categories each and n = 20.

    Args:
        relevance: (k,) finite, higher is better, on any scale.
        target: (c,) at least 0; all 0 where nothing is known of the user, and then the ranking stays as it is.
        strength: 0 for the ranking by relevance, with ties by place, to 1 for the mix alone.
    """
    return greedy(relevance, [Balance(categories, target)] if target.any() else [], n, strength)


class Balance:
    """How close the chosen items' mix of categories is to the target: -t KL(p || q~) of t items.

    An item in categories that nobody asked for gains nothing. An item without categories gains what the average
    candidate would and leaves the mix as it is.
    """

    def __init__(self, categories: Categories, target: np.ndarray) -> None:
        """Take a target that is not all 0."""
        share = target / target.sum()
        self._ids = np.ascontiguousarray(categories.ids.T)
        self._weights = (1.0 - SMOOTHING) * np.ascontiguousarray(categories.weights.T)
        self._wanted = share[self._ids]
        self._smoothing = SMOOTHING * share
        self._mix = np.where(share > 0, self._smoothing, 1.0)
        """(c,) (t + 1) q~ if the next item added nothing; any number above 0 where the target is 0."""
        self._has_category = categories.weights.any(axis=1)
        self._lacks_category = np.flatnonzero(~self._has_category)
        self._n_with_category = max(len(self._has_category) - len(self._lacks_category), 1)
        self._work = np.empty(self._ids.shape)
        self._n_chosen = 0

    def gains(self) -> np.ndarray:
        """Return (t + 1) times how much less KL would be than with an item that adds nothing, (k,), at least 0."""
        work = self._mix.take(self._ids, out=self._work, mode="clip")  # in one buffer: 3.7 µs, not 6.5
        np.divide(self._weights, work, out=work)
        np.log1p(work, out=work)
        work *= self._wanted
        gains = np.add.reduce(work, axis=0)
        gains *= self._n_chosen + 1
        if len(self._lacks_category):
            gains[self._lacks_category] = gains.sum() / self._n_with_category
        return gains

    def choose(self, place: int) -> None:
        """Take a candidate: its categories' share of the mix grows."""
        if self._has_category[place]:
            self._mix += self._smoothing
            np.add.at(self._mix, self._ids[:, place], self._weights[:, place])  # padding may repeat an id
            self._n_chosen += 1
