"""Promotions: what an app wants in some slots of a list that it asks for, whatever the ranking says.

They stand below the owner's bans, excludes, caps and pins and above floors: a promoted item that may not be shown is
not, and a slot that is pinned stays so; the promoted one takes the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.events.promotion import Promotion
from stream_rec.reranking.rules import NO_LIMITS, Orders, Pin, place_pins


def promote(
    orders: Orders | None,
    promotions: Sequence[Promotion],
    best: NDArray[np.int64],
    index_of: Mapping[str, int],
    n_candidates: int,
    n: int,
) -> Orders:
    """Return what the rules say of a list of ``n`` items, with what is promoted in its slots.

    Args:
        orders: The owner's; None without rules.
        best: (b,) indices of candidates, the best first: of a promotion these come in this order.
        index_of: By item id, the index of its candidate.
    """
    if orders is None:
        nothing = NO_LIMITS._replace(is_counted=np.zeros((0, n_candidates), dtype=bool))
        orders = Orders(np.ones(n_candidates, dtype=bool), np.zeros(n_candidates), [], nothing, nothing, 0, {}, {})
    rank_of = {index: rank for rank, index in enumerate(best.tolist())}
    is_allowed, pins, promoted_by = orders.is_allowed.copy(), list(orders.pins), dict(orders.promoted_by)
    caps = orders.caps
    room = caps.n - caps.is_counted[:, [pin.candidate for pin in pins]].sum(axis=1)
    for promotion in promotions:
        slots = sorted(slot for slot in promotion.slots if slot <= n)
        wanted = [index_of[item_id] for item_id in promotion.item_ids if item_id in index_of]
        for index in sorted(dict.fromkeys(wanted), key=lambda index: rank_of.get(index, len(rank_of))):
            is_capped = caps.is_counted[:, index]
            if not slots or len(pins) == n:
                break
            if index not in rank_of or not is_allowed[index] or (is_capped & (room < 1)).any():
                continue
            room -= is_capped
            is_allowed[index] = False
            promoted_by[index] = promotion.label
            pins.append(Pin(slots.pop(0) - 1, index))
    return orders._replace(is_allowed=is_allowed, pins=place_pins(pins, n), promoted_by=promoted_by)
