"""Examination: how often users look at a position, told apart from how good the items are that stand there.

Position-based model: an item shown in slot k is chosen with probability examination_k * appeal_i, and slot 0 has
examination 1. Choices are few, so that their number is Poisson with mean shown_ik * examination_k * appeal_i.

Why not click-through by slot: a policy puts good items on top, and what they are chosen for is then taken for what
the position does. Here an item is compared with itself in other slots. What could bring the bias back is drawing
appeals to the mean, which says that good items on top are not so good: it is done by ``DOUBT`` alone, a fraction of a
choice. Not at all is no better: an item that was chosen by luck low in a list, and moved up for it, is then taken for
one that does better below, and with few choices that is not quite mended. Error of log examination (mean, RMS) for
2,000 simulated items, log-normal appeal of sigma 1, five seeds, true examination position**-c:

    policy                 c    choices    doubt 0        0.2            1              3
    best on top            0.5  3,000       0.04, 0.07    0.00, 0.07    -0.09, 0.16    -0.21, 0.29
                           1    1,500       0.11, 0.13    0.03, 0.12    -0.09, 0.22    -0.23, 0.35
    learned from choices   0.5  5,000       0.07, 0.11    0.00, 0.06    -0.13, 0.16    -0.29, 0.34
                           1    2,000       0.20, 0.24    0.10, 0.14    -0.07, 0.13    -0.26, 0.32
                           1      250       0.46, 0.54    0.29, 0.37     0.13, 0.28     0.01, 0.29

On real lists with less than two choices an item (``tests/evaluation/test_open_bandit.py``) 3 left most of the bias.

Source:
    Richardson, Dominowska, Ragno. Predicting Clicks. WWW 2007 (examination and relevance).
    Hausman, Hall, Griliches. Econometric Models for Count Data. Econometrica 52, 1984 (each item against itself, and
    the gamma prior: what is maximized here is the likelihood with appeals integrated out).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stream_rec.knowledge.slots import N_SLOTS, SLOTS, usual_examination

Counts = NDArray[np.integer]
Numbers = NDArray[np.float64]

PRIOR: Numbers = np.array([usual_examination(position) for position in SLOTS])
"""(N_SLOTS,) examination as long as nothing is known."""
PRIOR.setflags(write=False)

TRUST = 5.0
"""How many expected choices in a slot the prior of its examination counts as."""
DOUBT = 0.2
"""How many expected choices of an item the mean appeal counts as while examination is estimated."""
SHRINKAGE = 1.0
"""The same where appeal itself is wanted: the fit to appeal that is log-normal with a sigma of 0.8."""

_FARTHEST = 2.0
"""A step changes a logarithm by at most this: far from the maximum the curvature is no guide."""
_CLOSE = 1e-6
"""A step that changes every logarithm by less is the last one."""
_LEAST = 1e-9
"""Examination below this is none: where it is read, not where it is estimated."""


def estimate(
    shown: Counts,
    chosen: Counts,
    before: Numbers = PRIOR,
    *,
    steps: int = 10,
    trust: float = TRUST,
    doubt: float = DOUBT,
) -> Numbers:
    """Return the examination of each slot, (N_SLOTS,) float64, that of slot 0 is 1; others may lie above it.

    The maximum is where all of these hold, m being the mean appeal of items:

        appeal_i = (chosen_i + doubt) / (sum_k shown_ik examination_k + doubt / m)
        examination_k = (chosen_k + trust) / (sum_i shown_ik appeal_i + trust / PRIOR_k)

    Setting one after the other would take 20 steps, and hundreds where choices are few. In the logarithms of
    examination and of 1/m the likelihood is concave, so that Newton's method takes 5 from anywhere. A step over
    1,000,000 items that were all shown takes 0.1 s on one core, beside 0.15 s for the call; those that were never
    shown cost nearly nothing: with 50,000 shown a whole call takes 0.04 s.

    Args:
        shown: (n, N_SLOTS) how often each item was shown in each slot.
        chosen: (n, N_SLOTS) how often it was chosen from there; below 0 counts as 0, above ``shown`` as ``shown``.
        before: (N_SLOTS,) where to start, above 0, which does not change where the maximum is. From the last estimate
            two steps are enough.
        steps: At most so many.
        trust: Expected choices that ``PRIOR`` counts as, above 0.
        doubt: Expected choices that the mean appeal counts as, above 0.
    """
    kept, picked = _select(shown, chosen)
    if not picked.any():
        return PRIOR.copy()
    start = np.maximum(before, _LEAST)
    start = start / start[0]
    rate = picked.sum() / (kept @ start).sum()
    point = np.log(np.concatenate((start[1:], [doubt / rate])))
    *_, best = [point, *_climb(_Likelihood(kept, picked, trust, doubt), point, steps)]
    return np.concatenate(([1.0], np.exp(best[:-1])))


def appeal(shown: Counts, chosen: Counts, examination: Numbers, mean: float) -> Numbers:
    """Return the log of how much more than the average item each is chosen where it is examined, (n,) float64.

    Drawn to 0 where little is known: ``SHRINKAGE`` expected choices count as much as its own. An item that was never
    shown has exactly 0.

    Args:
        shown: (n, N_SLOTS) as in ``estimate``, and so is ``chosen``.
        examination: (N_SLOTS,) what ``estimate`` returns.
        mean: What ``find_mean`` returns.
    """
    kept = np.maximum(shown, 0).astype(np.float64)
    picked = np.clip(chosen, 0.0, kept)
    examined = kept @ np.maximum(examination, _LEAST)
    logs: Numbers = np.log((picked.sum(axis=1) + SHRINKAGE) / (examined * mean + SHRINKAGE))
    return logs


def find_mean(shown: Counts, chosen: Counts, examination: Numbers) -> float:
    """Return how likely the average item is chosen where it is examined; 0 where none was ever chosen.

    The average is over items that were shown, not over what was shown, most of which is better than that.
    """
    kept, picked = _select(shown, chosen)
    if not picked.any():
        return 0.0
    return _find_mean(kept @ np.maximum(examination, _LEAST), picked.sum(axis=1))


def _select(shown: Counts, chosen: Counts) -> tuple[Numbers, Numbers]:
    """Return the counts of items that were shown, as floats, within their bounds."""
    rows = np.flatnonzero((np.asarray(shown) > 0).any(axis=1))
    kept = np.maximum(shown[rows], 0).astype(np.float64)
    return kept, np.clip(chosen[rows], 0.0, kept)


def _find_mean(examined: Numbers, times: Numbers) -> float:
    """Return the mean appeal of items under a gamma prior of shape ``SHRINKAGE``, by the same likelihood."""
    log_rate = np.log(SHRINKAGE * examined.sum() / times.sum())
    for _ in range(20):
        share = np.exp(log_rate) / (examined + np.exp(log_rate))
        expected = (times + SHRINKAGE) * share
        slope, curvature = len(times) * SHRINKAGE - expected.sum(), (expected * (1 - share)).sum()
        step = np.clip(slope / curvature, -_FARTHEST, _FARTHEST)
        log_rate += step
        if abs(step) < _CLOSE:
            break
    return float(SHRINKAGE / np.exp(log_rate))


def _climb(model: _Likelihood, point: Numbers, steps: int) -> Iterator[Numbers]:
    """Yield the points of Newton's method, at most ``steps``, none of them less likely than the one before."""
    value = model.value(point)
    for _ in range(steps):
        step = model.step(point)
        while (better := model.value(point + step)) < value:
            step = step / 2
            if np.abs(step).max() < _CLOSE:
                return
        point, value = point + step, better
        yield point
        if np.abs(step).max() < _CLOSE:
            return


class _Likelihood:
    """Penalized log-likelihood of (log examination of slots from 1 on, log (doubt / m)), appeals integrated out.

    The prior of appeals is one more slot in which each item was shown once and chosen ``doubt`` times.
    """

    def __init__(self, shown: Numbers, chosen: Numbers, trust: float, doubt: float) -> None:
        self._shown = shown
        self._weights = chosen.sum(axis=1) + doubt
        self._gains = np.array([*(chosen.sum(axis=0)[1:] + trust), len(shown) * doubt])
        self._draws = np.array([*(trust / PRIOR[1:]), 0.0])

    def value(self, point: Numbers) -> float:
        """Return the log-likelihood, less what does not depend on ``point``."""
        factors = np.exp(point)
        return float(self._gains @ point - self._draws @ factors - self._weights @ np.log(self._expect(factors)))

    def step(self, point: Numbers) -> Numbers:
        """Return Newton's step, cut to ``_FARTHEST``."""
        factors = np.exp(point)
        expected = self._expect(factors)
        shares = np.empty((len(expected), N_SLOTS))
        np.multiply(self._shown[:, 1:], factors[:-1], out=shares[:, :-1])
        shares[:, -1] = factors[-1]
        shares /= expected[:, None]
        slope = self._weights @ shares
        pulls = self._draws * factors
        curvature = np.diag(slope + pulls) - (shares * self._weights[:, None]).T @ shares
        step = np.linalg.lstsq(curvature, self._gains - pulls - slope, rcond=None)[0]
        return np.asarray(step * min(1.0, _FARTHEST / max(np.abs(step).max(), _CLOSE)))

    def _expect(self, factors: Numbers) -> Numbers:
        """Return how often each item is examined, and the prior's share of that."""
        return np.asarray(self._shown @ np.concatenate(([1.0], factors[:-1])) + factors[-1])
