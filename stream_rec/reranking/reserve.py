"""A reserved, learned share of the list for fresh items: those with few events, which no ranking with the rest lets in.

From the list's end upwards, an item makes way for the best fresh item that is not in the list as long as

    worth * P(a fresh item is chosen | history) * P(this one | a fresh one) > P(the item that makes way)

The first probability is counted here, by length of history; the second is the head's expert for fresh items, the last
its ranking of all. So a list gives as many slots as that user's choices are likely to be new, and what a slot costs is
bounded: with ``worth`` 3 nothing makes way for an item less than a third as likely.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from msgspec import Struct

from stream_rec.ranking.features import HISTORY

SLOTS = 6
"""Most slots that fresh items are let into."""
HALF_LIFE_EVENTS = 3500.0
"""Groups of choices after which the counts have faded to a half."""
PRIOR = (1.0, 50.0)
"""Fresh choices and choices that every history starts with."""

NOTHING = (0.0,) * (len(HISTORY) + 1)


class ReserveState(Struct, frozen=True):
    """How often what was chosen was fresh, by length of history; fading. States of workers add up."""

    fresh: tuple[float, ...] = NOTHING
    choices: tuple[float, ...] = NOTHING


def fresh_share(state: ReserveState, history: int) -> float:
    """Return the probability that what a user with such a history chooses next is fresh."""
    return (state.fresh[history] + PRIOR[0]) / (state.choices[history] + PRIOR[1])


def updated(state: ReserveState, history: int, n_choices: int, n_fresh: int) -> ReserveState:
    """Return the state after one group of choices among candidates, of which ``n_fresh`` were fresh."""
    keep = 2.0 ** (-1.0 / HALF_LIFE_EVENTS)
    fresh, choices = [keep * count for count in state.fresh], [keep * count for count in state.choices]
    fresh[history] += n_fresh
    choices[history] += n_choices
    return ReserveState(tuple(fresh), tuple(choices))


def merge(first: ReserveState, second: ReserveState) -> ReserveState:
    """Return the state of both workers' choices."""
    return ReserveState(
        tuple(one + other for one, other in zip(first.fresh, second.fresh)),
        tuple(one + other for one, other in zip(first.choices, second.choices)),
    )


class Fresh(NamedTuple):
    """All fresh candidates, the best first. The arrays run parallel."""

    places: np.ndarray
    """(f,)"""
    likely: np.ndarray
    """(f,) probability of each to be chosen, the share of fresh choices included."""


def with_reserved(
    ranked: np.ndarray, likely: np.ndarray, fresh: Fresh, n: int, worth: float, budget: float
) -> tuple[np.ndarray, int]:
    """Return at most ``n`` places, ``ranked`` less what makes way, then the fresh items let in; and how many those are.

    Fresh items that are in the list on their own stay. A list that is short is filled up with fresh items first.

    Args:
        ranked: (m,) places, best first, m at most ``n``.
        likely: (k,) probability of each candidate.
        fresh: Also those in ``ranked``.
        worth: 0 lets none in.
        budget: Share of the list's expected NDCG that what makes way may cost where ``worth`` alone lets none in.
    """
    return _with_reserved(ranked, likely, *fresh, n, worth, budget) if worth > 0 else (ranked, 0)


@numba.njit(cache=True)
def _with_reserved(ranked, likely, fresh, fresh_likely, n, worth, budget):
    in_list, is_fresh = np.zeros(len(likely), dtype=np.bool_), np.zeros(len(likely), dtype=np.bool_)
    in_list[ranked] = True
    is_fresh[fresh] = True
    let_in = np.empty(SLOTS, dtype=np.int64)
    n_let_in = 0
    last = len(ranked) - 1
    left = 0.0
    for rank in range(len(ranked)):
        left += budget * likely[ranked[rank]] / np.log2(rank + 2)
    for at in range(len(fresh)):
        if n_let_in == SLOTS:
            break
        if in_list[fresh[at]]:
            continue
        if len(ranked) + n_let_in >= n:  # no slot is free
            while last >= 0 and is_fresh[ranked[last]]:
                last -= 1
            if last < 0:
                break
            if worth * fresh_likely[at] <= likely[ranked[last]]:
                left -= likely[ranked[last]] / np.log2(last + 2)
                if left < 0.0:
                    break
            in_list[ranked[last]] = False
            last -= 1
        let_in[n_let_in] = fresh[at]
        n_let_in += 1
    return np.concatenate((ranked[in_list[ranked]], let_in[:n_let_in])), n_let_in
