"""Diversity of a list by one knob: items that differ from each other, in the user's own mix of categories.

    f(Y) = (1 - diversity) * sum of r over Y + diversity * (log det S_Y - |Y| KL(p || q~))

The next item is always the one that adds most to f. The relevance r is measured in standard deviations among the
candidates, so the knob means the same whatever the scores' unit and zero; the other two are log-likelihoods in nats
that grow with the list as the sum of r does, so they need no weights of their own, and the knob means the same at
every length. One loop adds all gains, because one after the other would let the second undo the first: calibrating a
diverse list may bring the near-duplicates back, and spreading a calibrated one leaves its mix to chance.

**Difference.** A list is as likely as the volume that its items span, under a determinantal point process with the
kernel diag(exp(a r)) S diag(exp(a r)), a = (1 - diversity) / (2 diversity). S holds the similarities. Item i adds
log d_i², where d_i² is the part of its vector that the chosen items do not explain, kept up to date by an incremental
Cholesky factor. An opposite vector is explained as well as an equal one. An item without a vector is as similar to
each other item as the average candidate is: S stays positive definite (its vector is their mean, the rest of its
length its own), and such an item is neither favoured nor shut out.

**Mix.** p is the mix of categories that the user's taste asks for, q that of the list, q~ = (1 - a) q + a p. A list of
t items is charged t KL: the first choices do not have to mirror the whole taste at once, and for a finished list it is
Steck's objective with the mean relevance for its sum. An item in categories that nobody asked for gains nothing. One
without categories gains what the average candidate would and leaves the mix as it is.

Source:
    Chen, Zhang, Zhou. Fast Greedy MAP Inference for Determinantal Point Process to Improve Recommendation Diversity.
    NeurIPS 2018.
    Steck. Calibrated Recommendations. RecSys 2018.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.categories import Categories
from stream_rec.kernel import kernel

OWN = 0.01
"""Part of each item that its text does not tell: duplicates have similarity 0.99. It bounds d² from below, hence
what a duplicate loses (4 nats), and keeps the factor well-conditioned."""
SMOOTHING = 0.01
"""Steck's a: how much of the target is mixed into the list, so that a category not yet in it costs a finite amount."""
TIE_BREAK = 1e-6
"""Least weight of either side: at diversity 1 relevance still decides between items that the rest finds equal."""


def diversify(
    relevance: NDArray[np.float64],
    vectors: NDArray[np.float32],
    categories: Categories,
    target: NDArray[np.float64],
    n: int,
    diversity: float,
) -> NDArray[np.int64]:
    """Return the indices of at most ``n`` candidates, in order.

    About 30 µs for 60 candidates of 384 dimensions with 3 categories each and n = 20. Vectors reduced to 64 components
    would save 10, and keep only three quarters of the squared length: the rest would count as each item's own.

    Args:
        relevance: (k,) finite, higher is better, on any scale: the knob counts in its standard deviations.
        vectors: (k, d) unit rows, zero where an item has none.
        target: (c,) the user's mix of categories, at least 0; all 0 where it is not known.
        diversity: 0 for the ranking by relevance, with ties by index, to 1 for diversity and mix alone.

    Example:
        The second best says the same as the best: the third takes its slot.

        >>> relevance = np.array([3.0, 2.9, 1.0])
        >>> vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
        >>> uncategorized = Categories(np.zeros((3, 1), dtype=np.int64), np.zeros((3, 1)))
        >>> diversify(relevance, vectors, uncategorized, np.zeros(1), n=2, diversity=0.0).tolist()
        [0, 1]
        >>> diversify(relevance, vectors, uncategorized, np.zeros(1), n=2, diversity=0.5).tolist()
        [0, 2]
    """
    if diversity <= 0.0:
        return np.argsort(-relevance, kind="stable")[:n]
    worth = max(1.0 - diversity, TIE_BREAK) / max(diversity, TIE_BREAK)
    return _choose(relevance, worth, vectors, categories.ids, categories.weights, target, min(n, len(relevance)))


@kernel()
def _choose(
    relevance: NDArray[np.float64],
    worth: float,
    vectors: NDArray[np.float32],
    ids: NDArray[np.int64],
    weights: NDArray[np.float64],
    target: NDArray[np.float64],
    n: int,
) -> NDArray[np.int64]:
    """Return the indices of ``n`` candidates, in order; arguments as of ``diversify`` and ``Categories``.

    Lazy: log d² only falls, so its last value bounds a gain, and most candidates need no new one at most slots.

    Args:
        worth: Of a standard deviation of relevance, in nats.
    """
    k = len(relevance)
    worths = worth * _standardize(relevance)
    vectors = _fill_missing(vectors)
    rest, log_rest = np.ones(k), np.zeros(k)  # d² and its log, less what the first ``n_seen`` chosen items explain
    factor = np.empty((k, n))  # coordinates along those
    n_seen = np.zeros(k, dtype=np.int64)
    term_of, category_of, part_of, wanted = _list_terms(ids, weights, target)
    taken = np.zeros(len(target))  # how much of the chosen items is in each category
    has_category, n_with_category = np.zeros(k, dtype=np.bool_), 0
    for i in range(k):
        for j in range(weights.shape[1]):
            has_category[i] |= weights[i, j] != 0.0
        n_with_category += has_category[i]
    n_with_category = max(n_with_category, 1)
    terms, of_mix = np.empty(len(wanted)), np.empty(k)
    n_mixed = 0
    is_chosen = np.zeros(k, dtype=np.bool_)
    chosen = np.empty(n, dtype=np.int64)
    for slot in range(n):
        t = n_mixed + 1
        for term in range(len(terms)):
            before = taken[category_of[term]] + t * SMOOTHING * wanted[term]
            terms[term] = t * wanted[term] * np.log(1.0 + part_of[term] / before)
        average = 0.0
        for i in range(k):
            of_mix[i] = 0.0
            for j in range(ids.shape[1]):
                if term_of[i, j] >= 0:
                    of_mix[i] += terms[term_of[i, j]]
            average += of_mix[i]
        average /= n_with_category
        best, most = -1, -np.inf
        for i in range(k):
            gain = worths[i] + (of_mix[i] if has_category[i] else average)
            if is_chosen[i] or gain + log_rest[i] <= most:
                continue
            for s in range(n_seen[i], slot):
                other = chosen[s]
                similarity = (1.0 - OWN) * _dot(vectors[i], vectors[other])
                factor[i, s] = (similarity - _dot(factor[i, :s], factor[other, :s])) / np.sqrt(rest[other])
                rest[i] = max(rest[i] - factor[i, s] ** 2, OWN)  # unit rows never fall below; longer ones would
            n_seen[i], log_rest[i] = slot, np.log(rest[i])
            if gain + log_rest[i] > most:
                best, most = i, gain + log_rest[i]
        chosen[slot], is_chosen[best] = best, True
        if has_category[best]:
            n_mixed += 1
            for j in range(ids.shape[1]):
                if weights[best, j] > 0.0:
                    taken[ids[best, j]] += (1.0 - SMOOTHING) * weights[best, j]
    return chosen


@kernel()
def _standardize(relevance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many standard deviations each of (k,) lies below the best, at most 0; all 0 where all are equal."""
    k, best = len(relevance), -np.inf
    for i in range(k):
        best = max(best, relevance[i])
    mean = variance = 0.0
    for i in range(k):
        mean += relevance[i] - best
    mean /= max(k, 1)
    for i in range(k):
        variance += (relevance[i] - best - mean) ** 2
    spread = np.sqrt(variance / max(k, 1))
    standardized = np.zeros(k)
    if spread > 0.0:
        for i in range(k):
            standardized[i] = (relevance[i] - best) / spread
    return standardized


@kernel()
def _fill_missing(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors, (k, d), with the mean of the others for each zero row; the argument is left as it was."""
    lacks_vector, n_lacking = np.ones(len(vectors), dtype=np.bool_), len(vectors)
    for i in range(len(vectors)):
        for d in range(vectors.shape[1]):
            if vectors[i, d] != 0.0:
                lacks_vector[i] = False
                n_lacking -= 1
                break
    if n_lacking == 0 or n_lacking == len(vectors):
        return vectors
    filled = vectors.copy()
    for d in range(vectors.shape[1]):
        total = np.float32(0.0)
        for i in range(len(vectors)):
            total += vectors[i, d]
        for i in range(len(vectors)):
            if lacks_vector[i]:
                filled[i, d] = total / (len(vectors) - n_lacking)
    return filled


@kernel()
def _list_terms(
    ids: NDArray[np.int64], weights: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the distinct pairs of category and part: candidates share most, and their logarithms are what takes time.

    Args:
        ids: (k, m) as of ``Categories``, as ``weights``.
        target: (c,)

    Returns:
        Each candidate's terms, (k, m), -1 where it has none that the target asks for; and of each term its category,
        the part of an item in it, less the smoothing, and the share that the target asks for.
    """
    total = target.sum()
    term_of = np.full(ids.shape, -1)
    category_of = np.empty(ids.size, dtype=np.int64)
    part_of, wanted = np.empty(ids.size), np.empty(ids.size)
    earlier = np.empty(ids.size, dtype=np.int64)  # the term before with the same category
    latest = np.full(len(target), -1)
    n = 0
    for i in range(ids.shape[0]):
        for j in range(ids.shape[1]):
            if weights[i, j] <= 0.0 or target[ids[i, j]] <= 0.0:
                continue
            category, part = ids[i, j], (1.0 - SMOOTHING) * weights[i, j]
            term = latest[category]
            while term >= 0 and part_of[term] != part:
                term = earlier[term]
            if term < 0:
                term = n
                category_of[n], part_of[n], wanted[n] = category, part, target[category] / total
                earlier[n], latest[category] = latest[category], n
                n += 1
            term_of[i, j] = term
    return term_of, category_of[:n], part_of[:n], wanted[:n]


@kernel(fastmath=True)
def _dot(one: NDArray[np.floating], other: NDArray[np.floating]) -> np.float32:
    """Return the product of two vectors, (d,) each."""
    total = np.float32(0.0)
    for d in range(len(one)):
        total += one[d] * other[d]
    return total
