"""How good lists are while they are served: a choice is looked up in three lists of before it, and only then learned.

The head's ranking, and two simple rules beside it, each as ``evaluation/`` judges it: what is popular, decayed with one
half-life, and what the user had before, filled up with that. Functions of values: nothing is kept, and no list differs
by it. What differs from an evaluation: docs/guides/observability.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.status import JUDGED_ITEMS
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.ranking.exposures import Exposures, coverage, gini
from stream_rec.recommend import Ranked

POPULARITY_MS = 7 * 24 * HOUR_MS
OWN_MS = 30 * 24 * HOUR_MS
"""Half-lives: those with which the evaluation's baselines begin."""
_POPULARITY = HALF_LIVES_MS.index(POPULARITY_MS)


class Positions(NamedTuple):
    """Where choices stood in the list of each method: (c,) int64 positions from 1; 0 where it is not in it."""

    lists: NDArray[np.int64]
    popularity: NDArray[np.int64]
    own_items: NDArray[np.int64]


def find_positions(ranked: Ranked, chosen: NDArray[np.int64], catalog: Catalog, now_ms: int) -> Positions:
    """Return where choices stood among the ``JUDGED_ITEMS`` best of each method, just before they were made.

    Args:
        ranked: What could have been shown then.
        chosen: (c,) rows of the items.
        now_ms: Event time of the choice.
    """
    popular = catalog.knowledge.trending(catalog.is_listed)[_POPULARITY]
    return Positions(
        _find(ranked.candidates.rows[ranked.best[:JUDGED_ITEMS]], chosen),
        _find(popular[:JUDGED_ITEMS], chosen),
        _find(list_own_items(ranked, popular, catalog, now_ms), chosen),
    )


def list_own_items(ranked: Ranked, popular: NDArray[np.int64], catalog: Catalog, now_ms: int) -> NDArray[np.int64]:
    """Return the rows of the user's own items, as far as they may be shown, and of the most popular, best first.

        score(i) = sum over weeks w of count(w, i) * 2 ** -((now - last(w, i)) / half-life) + share(i)

    share(i) is the item's popularity as a share of the highest.

    Args:
        popular: (p,) the most popular rows, best first.
    """
    own: dict[int, float] = {}
    for count in ranked.history.weekly_counts:
        row = catalog.find(count.item_id)
        if row is not None and catalog.is_listed[row]:
            own[row] = own.get(row, 0.0) + sum(count.counts) * 2.0 ** -((now_ms - count.last_ms) / OWN_MS)
    rows = np.union1d(np.array(list(own), dtype=np.int64), popular)
    levels = catalog.knowledge.levels[rows, _POPULARITY]
    scores = np.exp2(levels - levels.max(initial=-np.inf)) if len(popular) else np.zeros(len(rows))
    scores[np.searchsorted(rows, list(own))] += list(own.values())
    best: NDArray[np.int64] = rows[np.argsort(-scores, kind="stable")[:JUDGED_ITEMS]]
    return best


class Exposure(NamedTuple):
    """What of the catalog lists have shown."""

    shown_items: int = 0
    coverage: float = 0.0
    gini: float = 0.0


def measure_exposure(times_shown: NDArray[np.int64]) -> Exposure:
    """Return how the lists were spread.

    Args:
        times_shown: (n,) of each item that may be shown.
    """
    n_shown = int(np.count_nonzero(times_shown))
    return Exposure(n_shown, coverage(times_shown) or 0.0, gini(times_shown) or 0.0)


def times_shown(exposures: Exposures, catalog: Catalog) -> NDArray[np.int64]:
    """Return in how many lists each item was that may be shown now, (n,)."""
    return exposures.of(np.flatnonzero(catalog.is_listed))


def fresh_share(exposures: Exposures, catalog: Catalog) -> float:
    """Return the share of the newest lists' slots that have items which are fresh now."""
    pools = (catalog.fresh.unseen, catalog.fresh.seen)
    return min(1.0, sum(exposures.share(np.flatnonzero(pool.is_in)) for pool in pools))


def _find(rows: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    is_chosen = rows == chosen[:, None]
    return np.where(is_chosen.any(axis=1), is_chosen.argmax(axis=1) + 1, 0) if len(rows) else np.zeros_like(chosen)
