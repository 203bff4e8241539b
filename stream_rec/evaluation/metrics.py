"""What is measured of lists: whether they hold what the user did next, and what they are like.

Accuracy is by event, whose one relevant item stands at some rank of the list (0: it is not in it). What the lists are
like is by list: rows of item numbers, best first, filled up with -1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.ranking.exposures import coverage as coverage
from stream_rec.ranking.exposures import gini as gini

Numbers = NDArray[np.integer]
"""Of items, or counts of them."""
CHUNK = 20_000
"""Lists that are looked at together: bounds the memory."""
MIXED_IN = 0.01
"""Share of the user's own distribution that is mixed into the list's, so that the divergence is finite (Steck)."""


def ranks(lists: Numbers, items: Numbers) -> NDArray[np.int64]:
    """Return (events,) the rank of each event's item in its list, counted from 1; 0 where it is not in it.

    Args:
        lists: (events, n) the list of each event.
        items: (events,) item numbers.

    Example:
        >>> ranks(np.array([[7, 3, 5], [7, 3, 5]]), np.array([3, 9]))
        array([2, 0])
    """
    is_item = lists == items[:, None]
    return np.where(is_item.any(axis=1), is_item.argmax(axis=1) + 1, 0)


def hit_rate(ranks: Numbers, k: int) -> NDArray[np.float64]:
    """Return 1.0 where the item is among the first ``k``, else 0.0; their mean is the hit rate at k.

    Example:
        Items at ranks 1, 3 and 30, and one that is not in its list: two of four are among the first 20.

        >>> float(hit_rate(np.array([1, 3, 30, 0]), k=20).mean())
        0.5
    """
    return ((ranks > 0) & (ranks <= k)).astype(np.float64)


def ndcg(ranks: Numbers, k: int) -> NDArray[np.float64]:
    """Return 1 / log2(rank + 1) where the item is among the first ``k``, else 0.0; their mean is the NDCG at k.

    With one relevant item the ideal list has gain 1, so that nothing is left to be normalized.

    Example:
        (1 / log2(2) + 1 / log2(4)) / 4.

        >>> float(ndcg(np.array([1, 3, 30, 0]), k=20).mean())
        0.375

    Source:
        Järvelin, Kekäläinen. Cumulated gain-based evaluation of IR techniques. TOIS 20, 2002.
    """
    gains: NDArray[np.float64] = hit_rate(ranks, k) / np.log2(np.maximum(ranks, 1) + 1.0)
    return gains


def mrr(ranks: Numbers, k: int) -> NDArray[np.float64]:
    """Return 1 / rank where the item is among the first ``k``, else 0.0; their mean is the MRR at k.

    Example:
        (1 / 1 + 1 / 4) / 4.

        >>> float(mrr(np.array([1, 4, 30, 0]), k=20).mean())
        0.3125
    """
    reciprocals: NDArray[np.float64] = hit_rate(ranks, k) / np.maximum(ranks, 1)
    return reciprocals


def precision_recall(ranks: Numbers, items: Numbers, list_of: Numbers, k: int) -> NDArray[np.float64]:
    """Return (3, lists) precision, recall and their harmonic mean F1, at k, of each list.

    Relevant to a list are the different items of the events that are scored by it, as many as an order has, whether
    they may be shown or not. Precision: relevant ones among the first ``k``, / k, however short the list is. Recall:
    the same / all relevant ones. F1: 0 where none is found.

    Args:
        ranks: (events,) rank of each event's item in its list, from 1; 0 where it is not in it.
        items: (events,) item numbers.
        list_of: (events,) number of each event's list, from 0 on, without gaps.

    Example:
        An order of two items of which one has rank 2, and a single event whose item is not in the list.

        >>> precision_recall(np.array([2, 0, 0]), np.array([7, 8, 7]), np.array([0, 0, 1]), k=4).tolist()
        [[0.25, 0.0], [0.5, 0.0], [0.3333333333333333, 0.0]]

    Source:
        van Rijsbergen. Information Retrieval. 1979 (chapter 7).
    """
    _, first = np.unique(list_of.astype(np.int64) * (int(items.max()) + 1) + items, return_index=True)
    n_relevant = np.bincount(list_of[first])
    n_found = np.bincount(list_of[first], hit_rate(ranks[first], k))
    return np.stack([n_found / k, n_found / n_relevant, 2 * n_found / (k + n_relevant)])


def exposures(lists: Numbers, n_items: int) -> NDArray[np.int64]:
    """Return (n_items,) in how many lists each item was shown.

    Example:
        >>> exposures(np.array([[0, 1], [1, -1]]), n_items=3)
        array([1, 2, 0])
    """
    shown = np.zeros(n_items, np.int64)
    for start in range(0, len(lists), CHUNK):
        part = lists[start : start + CHUNK]
        shown += np.bincount(part[part >= 0], minlength=n_items)
    return shown


def intra_list_similarity(lists: Numbers, vectors: NDArray[np.floating]) -> float | None:
    """Return the mean over lists of the mean cosine of two different items of one; None where no list has two.

    For unit rows the sum over all pairs is (|sum of rows|^2 - number of rows) / 2. Items without a vector are left out.

    Args:
        vectors: (n_items, d) unit rows, or zero.

    Example:
        Two items at an angle of 60 degrees, and two that are the same.

        >>> vectors = np.array([[1.0, 0.0], [0.5, 0.75**0.5], [1.0, 0.0]])
        >>> round(intra_list_similarity(np.array([[0, 1], [0, 2]]), vectors), 6)
        0.75

    Source:
        Ziegler et al. Improving recommendation lists through topic diversification. WWW 2005.
    """
    if not vectors.size:
        return None
    has_vector = np.append(vectors.any(axis=1), False)  # -1 is the last
    total, n_lists = 0.0, 0
    for row in lists:
        known = row[has_vector[row]]
        if len(known) > 1:
            summed = vectors[known].sum(axis=0, dtype=np.float64)
            total += (summed @ summed - len(known)) / (len(known) * (len(known) - 1))
            n_lists += 1
    return float(total / n_lists) if n_lists else None


def novelty(lists: Numbers, starts: Numbers, items: Numbers, n_items: int) -> float | None:
    """Return the mean -log2 p over everything shown, p being the item's share of all events before the list.

    p = (count + 1) / (events + n_items), so that an item without events has a share too.

    Args:
        starts: (lists,) how many events came before each list.
        items: (events,) item number of each event of the log.

    Example:
        Before the list item 0 had three of four events, item 1 had one: -log2(4 / 8) and -log2(2 / 8), on average.

        >>> novelty(np.array([[0, 1]]), starts=np.array([4]), items=np.array([0, 0, 1, 0]), n_items=4)
        1.5

    Source:
        Zhou et al. Solving the apparent diversity-accuracy dilemma of recommender systems. PNAS 107, 2010.
    """
    n_events = len(items)
    # One sorted number for each event: how often an item came before a place is then a difference of two searches.
    keys = np.sort(np.asarray(items, np.int64) * n_events + np.arange(n_events))
    total, n_shown = 0.0, 0
    for start in range(0, len(lists), CHUNK):
        part = lists[start : start + CHUNK].astype(np.int64)
        before = np.broadcast_to(np.asarray(starts[start : start + CHUNK], np.int64)[:, None], part.shape)[part >= 0]
        shown = part[part >= 0]
        counts = np.searchsorted(keys, shown * n_events + before) - np.searchsorted(keys, shown * n_events)
        total += -np.log2((counts + 1) / (before + n_items)).sum()
        n_shown += len(shown)
    return float(total / n_shown) if n_shown else None


def calibration(
    lists: Numbers,
    histories: Sequence[Numbers],
    genres: Sequence[Numbers],
    n_genres: int,
) -> float | None:
    """Return the mean divergence KL(p || q') of a user's history from the list: 0 where both have the same mix.

    p(g) is the mean of p(g | item) over the history, q(g) the same over the list, q' = (1 - a) q + a p with a = 0.01;
    p(g | item) is equal for all genres of the item. Lists, and histories, of which no item has a genre are left out.

    Args:
        histories: Item numbers of what each list's user did before it.
        genres: Genre numbers of each item, may be empty.

    Example:
        A user of whose history half is of genre 0 and half of genre 1. A list of the same mixture, and one of genre 0
        only: ln(0.5 / 0.995) / 2 + ln(0.5 / 0.005) / 2.

        >>> genres, history = [np.array([0]), np.array([1]), np.array([0])], np.array([0, 1])
        >>> calibration(np.array([[0, 1]]), [history], genres, n_genres=2)
        0.0
        >>> round(calibration(np.array([[0, 2]]), [history], genres, n_genres=2), 4)
        1.9585

    Source:
        Steck. Calibrated recommendations. RecSys 2018 (formulas 2, 3, 5 and 7, without weights by time or rank).
    """
    total, n_lists = 0.0, 0
    for row, history in zip(lists, histories):
        p = _distribution(history, genres, n_genres)
        q = _distribution(row[row >= 0], genres, n_genres)
        if p is None or q is None:
            continue
        mixed = (1 - MIXED_IN) * q + MIXED_IN * p
        known = p > 0
        total += float((p[known] * np.log(p[known] / mixed[known])).sum())
        n_lists += 1
    return max(0.0, total / n_lists) if n_lists else None


def _distribution(items: Numbers, genres: Sequence[Numbers], n_genres: int) -> NDArray[np.float64] | None:
    """Return (n_genres,) probabilities, or None where no item has a genre."""
    of_items = [genres[item] for item in items.tolist() if len(genres[item])]
    if not of_items:
        return None
    weights = np.repeat([1 / len(one) for one in of_items], [len(one) for one in of_items])
    return np.bincount(np.concatenate(of_items), weights, n_genres) / len(of_items)
