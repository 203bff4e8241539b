"""Whether probabilities are right: of the things said to be chosen in 5 % of cases, how many were.

A head says of each candidate how likely it is the next choice. Each event is one choice; what an order has besides is
no choice of that event. The list's probabilities are those of its items, as they stand in ``SlateItem.score``.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import find_sorted

EDGES = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of the bins that probabilities are sorted into, each from its edge to below the next: most are small."""
N_BINS = len(EDGES) - 1
Numbers = NDArray[np.float64]


class ProbabilityWatch:
    """Sums up what probabilities were said and what was chosen."""

    def __init__(self) -> None:
        self.bins: Numbers = np.zeros((N_BINS, 3))
        """Of what lay in each bin: how many, the sum of the probabilities, how many were chosen."""
        self._aucs, self._briers = array("f"), array("f")

    def watch(self, chosen: NDArray[np.int64], rows: NDArray[np.int64], p: Numbers, shown: NDArray[np.int64]) -> None:
        """Take one list and the events that are scored by it.

        Args:
            chosen: (e,) items of the events.
            rows: (k,) items of the candidates, ascending, and ``p``: (k,) their probabilities.
            shown: (m,) items of the list; what fills it up and was no candidate has no probability, and is left out.
        """
        self._aucs.extend(measure_auc(chosen, rows, p).tolist())
        places, is_candidate = find_sorted(rows, shown)
        shown = shown[is_candidate]
        if not len(shown):
            self._briers.extend([float("nan")] * len(chosen))
            return
        p_shown = p[places[is_candidate]]
        is_chosen = shown == chosen[:, None]
        # (p - y)^2 over the list is the sum of p^2, and 1 - 2 p more where one was chosen.
        gains = np.where(is_chosen, 1.0 - 2.0 * p_shown, 0.0).sum(axis=1)
        self._briers.extend(((np.square(p_shown).sum() + gains) / len(shown)).tolist())
        of = find_bins(p_shown)
        self.bins[:, 0] += len(chosen) * np.bincount(of, minlength=N_BINS)
        self.bins[:, 1] += len(chosen) * np.bincount(of, p_shown, N_BINS)
        self.bins[:, 2] += np.bincount(of, is_chosen.sum(axis=0), N_BINS)

    def aucs(self) -> NDArray[np.float32]:
        """Return (events,) as ``measure_auc`` gives them."""
        return np.array(self._aucs, np.float32)

    def briers(self) -> NDArray[np.float32]:
        """Return (events,) mean square of p less what came of it, over the list; NaN of an empty one."""
        return np.array(self._briers, np.float32)


def measure_auc(chosen: NDArray[np.int64], rows: NDArray[np.int64], p: Numbers) -> Numbers:
    """Return (e,) which share of the candidates that were not chosen each chosen one is likelier than; ties count half.

    Their mean is the ROC-AUC of one choice. NaN where the item was no candidate, or all candidates were chosen.

    Args:
        chosen: (e,) items of the events of one list.
        rows: (k,) items of the candidates, ascending, and ``p``: (k,) their probabilities.

    Example:
        The second likeliest of four: above two of three.

        >>> measure_auc(np.array([7]), np.array([2, 5, 7, 9]), np.array([0.1, 0.4, 0.3, 0.2])).round(4).tolist()
        [0.6667]

    Source:
        Fawcett. An introduction to ROC analysis. Pattern Recognition Letters 27, 2006 (AUC as the Wilcoxon statistic).
    """
    aucs: Numbers = np.full(len(chosen), np.nan)
    if not len(rows):
        return aucs
    places, is_candidate = find_sorted(rows, chosen)
    is_other = np.ones(len(rows), bool)
    is_other[places[is_candidate]] = False
    others = np.sort(p[is_other])
    if len(others):
        own = p[places[is_candidate]]
        below, not_above = np.searchsorted(others, own, "left"), np.searchsorted(others, own, "right")
        aucs[is_candidate] = (below + not_above) / (2 * len(others))
    return aucs


def find_bins(p: Numbers) -> NDArray[np.int64]:
    """Return (m,) the bin of each probability."""
    return np.clip(np.searchsorted(EDGES, p, "right") - 1, 0, N_BINS - 1)


def describe_bins(bins: Numbers) -> list[dict[str, Any]]:
    """Return what was said and what was chosen, bin by bin; those that nothing lay in are left out.

    Args:
        bins: (bins, 3) as of ``ProbabilityWatch``.
    """
    return [
        {"from": low, "to": high, "n": int(n), "predicted": p / n, "chosen": y / n}
        for low, high, (n, p, y) in zip(EDGES, EDGES[1:], bins.tolist())
        if n
    ]


def calibration_error(described: Sequence[dict[str, Any]]) -> float | None:
    """Return the expected calibration error: the mean over all |said - chosen| of their bins; None of nothing.

    Example:
        Of 3 said to be .1 likely none was chosen, of one said to be .5 likely that one.

        >>> bins = [{"n": 3, "predicted": 0.1, "chosen": 0.0}, {"n": 1, "predicted": 0.5, "chosen": 1.0}]
        >>> round(calibration_error(bins), 6)
        0.2

    Source:
        Naeini, Cooper, Hauskrecht. Obtaining well calibrated probabilities using Bayesian binning. AAAI 2015.
    """
    n = sum(one["n"] for one in described)
    return sum(one["n"] * abs(one["predicted"] - one["chosen"]) for one in described) / n if n else None
