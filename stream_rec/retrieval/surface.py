"""What a surface offers: which items may be in its list, and by what they are ordered where that is not the head.

A surface narrows what may be shown to a pool; the one ``Recommender`` ranks it, by the owner's rules. What its settings
say of items is read here, for lists that are ranked on the spot and for those that are pushed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.facets import PRICE, Filter, bounds_of
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.retrieval.due import compute_due
from stream_rec.retrieval.had import WHATEVER, Had, HistoryFilter, history_of, keep_wanted
from stream_rec.retrieval.pool import Pool, Take
from stream_rec.retrieval.together import compute_together
from stream_rec.surface_settings import Base, Surface
from stream_rec.user.state import UserState

MOST = 800
"""Candidates that stand in the order of a surface, the first of them: a page of the longest list, 200, and all that a
rule may keep from a user who has as many items as weekly counts have room for, 512."""
DAY = HALF_LIVES_MS.index(24 * HOUR_MS)


class Offer(NamedTuple):
    """What a list of a surface is made of."""

    pool: Pool
    worths: NDArray[np.float64] | None = None
    """(n,) by row, 0 or more: what they are ordered by; None where it is how likely the user chooses each."""


def filter_of(surface: Surface) -> Filter:
    """Return which items a surface may hold at all."""
    return Filter(
        categories=surface.categories,
        not_categories=surface.not_categories,
        tags=surface.tags,
        any_tags=surface.any_tags,
        not_tags=surface.not_tags,
        attributes=tuple(surface.attributes.items()),
        not_attributes=tuple(surface.not_attributes.items()),
        bounds=bounds_of(
            [*surface.attribute_min.items(), (PRICE, surface.price_min)],
            [*surface.attribute_max.items(), (PRICE, surface.price_max)],
        ),
    )


def history_filter_of(surface: Surface) -> HistoryFilter:
    """Return which of them, by what the user did with them and saw of them."""
    return history_of(surface.had, surface.not_had, surface.within_days, surface.not_shown_hours)


def find_wanted(
    wanted: Filter, history: HistoryFilter, is_in: NDArray[np.bool_], user: UserState, catalog: Catalog, now_ms: int
) -> NDArray[np.bool_]:
    """Return which items are wanted for a user, (n,) by row, an array of its own.

    Args:
        is_in: (n,) by row, of these.
    """
    is_wanted = catalog.facets.find(wanted, is_in)
    return is_wanted if history == WHATEVER else keep_wanted(is_wanted, history, user, catalog, now_ms)


def find_offer(
    base: Base, is_in: NDArray[np.bool_], user: UserState, about: Sequence[int], catalog: Catalog, now_ms: int
) -> Offer:
    """Return what a surface offers a user; ``home`` offers all that is wanted, ``similar`` ranks every one of it.

    Args:
        is_in: (n,) by row, what is wanted of all that is listed.
        about: Rows of the items that the list is about: none, or those of a cart.
    """
    match base:
        case "discover":
            is_in = is_in.copy()
            is_in[Had(catalog, user.weekly_counts).rows] = False
            is_in[[row for each in user.recent_events if (row := catalog.find(each.item_id)) is not None]] = False
            return Offer(Pool(is_in))
        case "new":
            fresh = catalog.fresh
            return Offer(Pool(is_in & (fresh.unseen.is_in | fresh.seen.is_in)[: len(is_in)]))
        case "trending":
            return _order(is_in, np.exp2(catalog.knowledge.levels[: len(is_in), DAY] - now_ms / HALF_LIVES_MS[DAY]))
        case "buy_again":
            return _order(is_in, compute_due(user, catalog, now_ms))
        case "with" | "cart":
            return _order(is_in, compute_together(np.array(about, dtype=np.int64), catalog))
        case "similar":
            return Offer(Pool(is_in, Take.ALL))
        case _:
            return Offer(Pool(is_in))


def _order(is_in: NDArray[np.bool_], worths: NDArray[np.float64]) -> Offer:
    """Return the pool of what is worth most, in that order; of equals the first rows."""
    rows = np.flatnonzero(is_in & (worths > 0))
    if len(rows) > MOST:
        least = np.partition(worths[rows], len(rows) - MOST)[len(rows) - MOST]
        rows = rows[worths[rows] >= least]
    best = rows[np.argsort(-worths[rows], kind="stable")[:MOST]]
    is_best = np.zeros(len(is_in), dtype=bool)
    is_best[best] = True
    return Offer(Pool(is_best, Take.ALL), worths)
