"""How good lists are while they are served: a choice is looked up in three lists of before it, and only then learned.

The head's ranking, and two simple rules beside it, each as ``evaluation/`` judges it: what is popular, decayed with one
half-life, and what the user had before, filled up with that. Functions of values: nothing is kept, and no list differs
by it. What differs from an evaluation: docs/guides/observability.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.status import JUDGED_ITEMS
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.ranking.exposures import Exposures, coverage, gini
from stream_rec.recommend.ranked import Ranked

POPULARITY_MS = 7 * 24 * HOUR_MS
OWN_MS = 30 * 24 * HOUR_MS
"""Half-lives: those with which the evaluation's baselines begin."""
_POPULARITY = HALF_LIVES_MS.index(POPULARITY_MS)


class Positions(NamedTuple):
    """Where choices stood in the list of each method: of each choice its position from 1; 0 where it is not in it."""

    lists: list[int]
    popularity: list[int]
    own_items: list[int]


def find_positions(ranked: Ranked, chosen: Sequence[int | None], catalog: Catalog, now_ms: int) -> Positions:
    """Return where choices stood among the ``JUDGED_ITEMS`` best of each method, just before they were made.

    Args:
        ranked: What could have been shown then.
        chosen: Rows of the items; None of one that is in no catalog.
        now_ms: Event time of the choice.
    """
    popular = catalog.knowledge.trending(catalog.is_listed)[_POPULARITY]
    return Positions(
        _find(ranked.candidates.rows[ranked.best[:JUDGED_ITEMS]].tolist(), chosen),
        _find(popular[:JUDGED_ITEMS].tolist(), chosen),
        _find(list_own_items(ranked, popular.tolist(), catalog, now_ms), chosen),
    )


def list_own_items(ranked: Ranked, popular: Sequence[int], catalog: Catalog, now_ms: int) -> list[int]:
    """Return the rows of the user's own items, as far as they may be shown, and of the most popular, best first.

        score(i) = sum over weeks w of count(w, i) * 2 ** -((now - last(w, i)) / half-life) + share(i)

    share(i) is the item's popularity as a share of the highest.

    Args:
        popular: The most popular rows, best first.
    """
    is_listed, levels = catalog.is_listed, catalog.knowledge.levels
    own: dict[int, float] = {}
    for count in ranked.request.history.weekly_counts:
        row = catalog.find(count.item_id)
        if row is not None and is_listed[row]:
            own[row] = own.get(row, 0.0) + sum(count.counts) * 2.0 ** min(0.0, (count.last_ms - now_ms) / OWN_MS)
    if not own:
        return list(popular[:JUDGED_ITEMS])
    highest = levels[popular[0], _POPULARITY] if popular else 0.0
    # Of others' items no more are needed than there is room for, and they come in their order.
    others = [row for row in popular if row not in own][:JUDGED_ITEMS]
    rows = [*own, *others]
    shares = np.exp2(levels[rows, _POPULARITY] - highest).tolist()
    scored = sorted((-own.get(row, 0.0) - share, row) for row, share in zip(rows, shares))
    return [row for _, row in scored[:JUDGED_ITEMS]]


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


def _find(rows: list[int], chosen: Sequence[int | None]) -> list[int]:
    return [rows.index(row) + 1 if row in rows else 0 for row in chosen]
