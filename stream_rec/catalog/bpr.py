"""Bayesian personalized ranking, online: items' factors move with every choice, users' are folded in when needed.

    each choice (u, i) climbs log sigmoid(p_u · (q_i - q_j)) for some items j that others chose lately

A user's vector p is not stored: it is what the same steps make of the user's own items, the oldest first, from 0 on,
with the items' factors of now. So a state holds facts only, a user is never behind the items, and nothing is left of
who is deleted. (Stored vectors were no better: docs/concepts/how-it-learns.md.)

Source:
    Rendle, Freudenthaler, Gantner, Schmidt-Thieme. BPR: Bayesian personalized ranking from implicit feedback. UAI 2009.
    Diaz-Aviles, Drumond, Schmidt-Thieme, Nejdl. Real-time top-n recommendation in social streams. RecSys 2012:
    negatives from a window of the stream.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.factors import Factors
from stream_rec.kernel import kernel
from stream_rec.user.history import History

RATE = 0.03
REGULARIZATION = 0.002
"""Draws a user's vector to 0, and an item's to where it is without this worker's users: each draws back its own part,
for of two that draw back the whole the one that pushes and the other would go on for ever."""
FARTHEST = 8.0
"""How far one worker's users may move an item. Where two workers' users pull it in opposite directions for ever, their
sum stays where it is while each part grows. After 15,000 events of two logs the farthest was at 1.8."""
NEGATIVES = 5
ITEMS = 128
"""Own items that a user's vector is made of, those had last."""
TIMES = 3
"""Steps taken for an own item at most, however often the user had it."""
FAR = np.float32(40.0)
"""Margin beyond which an affinity falls no further: exp of 89 is no float32."""
LEAST_POOL = 10
"""Choices before anything is learned: fewer are no sample of what is popular."""


def fold_in(history: History, factors: Factors) -> NDArray[np.float32]:
    """Return a user's vector, (DIMENSIONS,) float32; 0 for one without own items."""
    latest = np.argsort(history.own_last_ms, kind="stable")[-ITEMS:]
    return _fold_in(
        factors.vectors,
        history.own_rows[latest],
        np.minimum(history.own_counts[latest], TIMES).astype(np.int64),
        factors.pool[: factors.n_pool],
    )


def compute_affinities(user: NDArray[np.float32], rows: NDArray[np.int64], factors: Factors) -> NDArray[np.float32]:
    """Return how likely the user prefers each of some items to the average one of them, (k,) in (0, 1].

    All 0 where nothing is known of the user.
    """
    if not len(rows) or not user.any():
        return np.zeros(len(rows), dtype=np.float32)
    return _affinities(user, rows, factors.vectors)


def learn(user: NDArray[np.float32], chosen: NDArray[np.int64], factors: Factors) -> None:
    """Move the factors of what was chosen, and of what it was compared to.

    Args:
        user: (DIMENSIONS,) the user's vector before; it stays as it is.
        chosen: (c,) rows.
    """
    touched = _learn(
        factors.vectors,
        factors.own,
        user.copy(),
        chosen,
        factors.pool[: factors.n_pool],
        np.uint64(factors.n_choices),
    )
    factors.mark_shifted(touched)
    factors.choose(chosen)


@kernel(fastmath=True)
def _fold_in(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], times: NDArray[np.int64], pool: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return a user's vector, (d,).

    Args:
        vectors: (>= n, d) the items' factors.
        rows: (o,) own items, the oldest first, and ``times``: (o,) how often each is stepped towards.
        pool: (p,) rows that others chose lately.
    """
    user = np.zeros(vectors.shape[1], dtype=np.float32)
    if len(pool) < LEAST_POOL:
        return user
    chance = np.uint64(1)
    for k in range(len(rows)):
        for _ in range(times[k] * NEGATIVES):
            chance = _next(chance)
            other = pool[np.int64(chance % np.uint64(len(pool)))]
            if other != rows[k]:
                pull = _pull(vectors, user, rows[k], other)
                for d in range(len(user)):
                    gap = vectors[rows[k], d] - vectors[other, d]
                    user[d] += np.float32(RATE) * (pull * gap - np.float32(REGULARIZATION) * user[d])
    return user


@kernel(fastmath=True)
def _affinities(
    user: NDArray[np.float32], rows: NDArray[np.int64], vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (k,) sigmoid of how far each item of ``rows``, (k,), is in front of the average one for ``user``, (d,)."""
    margins = np.empty(len(rows), dtype=np.float32)
    average = np.float32(0.0)
    for index in range(len(rows)):
        margin = np.float32(0.0)
        for d in range(len(user)):
            margin += user[d] * vectors[rows[index], d]
        margins[index] = margin
        average += margin / np.float32(len(rows))
    for index in range(len(rows)):
        behind = min(average - margins[index], np.float32(FAR))
        margins[index] = np.float32(1.0) / (np.float32(1.0) + np.exp(behind))
    return margins


@kernel(fastmath=True)
def _learn(
    vectors: NDArray[np.float32],
    own: NDArray[np.float32],
    user: NDArray[np.float32],
    chosen: NDArray[np.int64],
    pool: NDArray[np.int64],
    seed: np.uint64,
) -> NDArray[np.int64]:
    """Take the steps of a group of choices; return the rows that moved, one perhaps twice.

    Args:
        vectors: (>= n, d) the items' factors, and ``own``: (>= n, d) how far this worker's users moved them; changed
            in place, as is ``user``, (d,).
        chosen: (c,) rows.
        pool: (p,) rows that others chose lately.
        seed: Of what is drawn.
    """
    touched = np.empty(2 * len(chosen) * NEGATIVES, dtype=np.int64)
    n_touched = 0
    if len(pool) < LEAST_POOL:
        return touched[:0]
    chance = _next(seed + np.uint64(1))
    for row in chosen:
        for _ in range(NEGATIVES):
            chance = _next(chance)
            other = pool[np.int64(chance % np.uint64(len(pool)))]
            if other == row:
                continue
            pull = _pull(vectors, user, row, other)
            for d in range(len(user)):
                gap = vectors[row, d] - vectors[other, d]
                towards = np.float32(RATE) * (pull * user[d] - np.float32(REGULARIZATION) * own[row, d])
                away = np.float32(RATE) * (pull * user[d] + np.float32(REGULARIZATION) * own[other, d])
                user[d] += np.float32(RATE) * (pull * gap - np.float32(REGULARIZATION) * user[d])
                vectors[row, d] += towards
                own[row, d] += towards
                vectors[other, d] -= away
                own[other, d] -= away
            touched[n_touched] = row
            touched[n_touched + 1] = other
            n_touched += 2
    for row in touched[:n_touched]:
        _hold(vectors, own, row)
    return touched[:n_touched]


@kernel(fastmath=True)
def _hold(vectors: NDArray[np.float32], own: NDArray[np.float32], row: int) -> None:
    """Take an item back to ``FARTHEST`` if this worker's users have moved it farther."""
    squares = np.float32(0.0)
    for d in range(own.shape[1]):
        squares += own[row, d] * own[row, d]
    if squares > np.float32(FARTHEST) * np.float32(FARTHEST):
        too_far = np.float32(1.0) - np.float32(FARTHEST) / np.sqrt(squares)
        for d in range(own.shape[1]):
            back = too_far * own[row, d]
            own[row, d] -= back
            vectors[row, d] -= back


@kernel(fastmath=True)
def _pull(vectors: NDArray[np.float32], user: NDArray[np.float32], row: int, other: int) -> np.float32:
    """Return sigmoid(-margin): how wrong it was to rank ``other`` where it did."""
    margin = np.float32(0.0)
    for d in range(len(user)):
        margin += user[d] * (vectors[row, d] - vectors[other, d])
    wrong: np.float32 = np.float32(1.0) / (np.float32(1.0) + np.exp(margin))
    return wrong


@kernel()
def _next(state: np.uint64) -> np.uint64:
    """Return the next of a sequence of well-mixed numbers (splitmix64's step and finish in one)."""
    state += np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
