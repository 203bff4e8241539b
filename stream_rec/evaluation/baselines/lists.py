"""From scores to a list: the best items, and what fills a list that is too short."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEVER = -np.inf
"""The score of an item that may not be shown."""


def select_best(scores: NDArray[np.floating], n: int) -> NDArray[np.int64]:
    """Return the numbers of the ``n`` items with the highest scores, best first, equal ones by their number.

    Args:
        scores: By item number, (n_items,); ``NEVER`` where an item may not be shown, so the list may be shorter.

    Example:
        >>> select_best(np.array([0.1, 0.7, NEVER, 0.7]), n=3)
        array([1, 3, 0])
    """
    threshold = np.partition(scores, -n)[-n] if n < len(scores) else NEVER
    items = np.flatnonzero(scores >= threshold)
    items = items[np.argsort(-scores[items], kind="stable")[:n]]
    return items[scores[items] > NEVER]


def fill(scores: NDArray[np.floating], fallback: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Return the best of the items with a score above 0, then the best of the others by ``fallback``.

    Args:
        fallback: By item number, as ``scores``; ``NEVER`` keeps an item out of the list whatever its score.
    """
    items = select_best(np.where((scores > 0) & (fallback > NEVER), scores, NEVER), n)
    if len(items) == n:
        return items
    others = fallback.copy()
    others[items] = NEVER
    return np.concatenate([items, select_best(others, n - len(items))])
