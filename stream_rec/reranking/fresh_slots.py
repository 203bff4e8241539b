"""Fresh slots: a learned share of the list for items with few events, which no ranking with the rest lets in.

From the list's end upwards, an item makes way for the best fresh item that is not in the list as long as

    worth * P(a fresh item is chosen | history) * P(this one | a fresh one) > P(the item that makes way)

The first probability is counted by length of history (``ranking/fresh_choices.py``); the second is the head's expert
for fresh items, the last its ranking of all. So a list gives as many slots as that user's choices are likely to be new,
and what a slot costs is bounded: with ``worth`` 3 nothing makes way for an item less than a third as likely.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.kernel import kernel

SLOTS = 6
"""Most slots that fresh items are let into."""


class Fresh(NamedTuple):
    """All fresh candidates, the best first. The arrays run parallel."""

    indices: NDArray[np.int64]
    """(f,) among the candidates."""
    likely: NDArray[np.float64]
    """(f,) probability of each to be chosen, the share of fresh choices included."""


def fill_fresh_slots(
    ranked: NDArray[np.int64], likely: NDArray[np.float64], fresh: Fresh, n: int, worth: float, budget: float
) -> tuple[NDArray[np.int64], int]:
    """Return at most ``n`` indices: ``ranked`` less what makes way, then what is let in; and how many these are.

    Fresh items that are in the list on their own stay. A list that is short is filled up with fresh items first.

    Args:
        ranked: (m,) indices of candidates, best first, m at most ``n``.
        likely: (k,) probability of each candidate.
        fresh: Also those in ``ranked``.
        worth: 0 lets none in.
        budget: Share of the list's expected NDCG that what makes way may cost where ``worth`` alone lets none in.
    """
    return _fill(ranked, likely, *fresh, n, worth, budget) if worth > 0 else (ranked, 0)


@kernel()
def _fill(
    ranked: NDArray[np.int64],
    likely: NDArray[np.float64],
    fresh: NDArray[np.int64],
    fresh_likely: NDArray[np.float64],
    n: int,
    worth: float,
    budget: float,
) -> tuple[NDArray[np.int64], int]:
    """As ``fill_fresh_slots``, with the parts of ``Fresh``, (f,) each."""
    in_list, is_fresh = np.zeros(len(likely), dtype=np.bool_), np.zeros(len(likely), dtype=np.bool_)
    in_list[ranked] = True
    is_fresh[fresh] = True
    let_in = np.empty(SLOTS, dtype=np.int64)
    n_let_in = 0
    last = len(ranked) - 1
    left = 0.0
    for rank in range(len(ranked)):
        left += budget * likely[ranked[rank]] / np.log2(rank + 2)
    for index in range(len(fresh)):
        if n_let_in == SLOTS:
            break
        if in_list[fresh[index]]:
            continue
        if len(ranked) + n_let_in >= n:  # no slot is free
            while last >= 0 and is_fresh[ranked[last]]:
                last -= 1
            if last < 0:
                break
            if worth * fresh_likely[index] <= likely[ranked[last]]:
                left -= likely[ranked[last]] / np.log2(last + 2)
                if left < 0.0:
                    break
            in_list[ranked[last]] = False
            last -= 1
        let_in[n_let_in] = fresh[index]
        n_let_in += 1
    return np.concatenate((ranked[in_list[ranked]], let_in[:n_let_in])), n_let_in
