"""Exploration: a small share of the slots goes to items that few have seen, with exact propensities.

The propensity of an item is the probability, before anything is drawn, that the policy puts it into this list: given
the ranking and the posteriors, over the two random numbers that one list takes.

    1. u says which slots explore: slot s where floor(share s + u) > floor(share (s - 1) + u). Each slot explores with
       probability ``share``, E = floor(share n) or one more do, and the mean of E is share n.
    2. One particle, a joint value for all arms' hit rates, is drawn uniformly from a fixed grid (Thompson sampling,
       discretised). The exploring slots show its E best arms in order; the best n - E ranked items fill the others.

    propensity of an arm           = sum over E of P(E) * share of the particles where it is among the E best
    propensity of the i-th ranked  = P(n - E >= i)

Both are finite sums without a random number in them, so the same posteriors give the same propensities. An arm that
is in the best E of no particle has none and is never shown: no estimate from the log can speak of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.kernel import kernel

PARTICLES = 128
"""Particles at least; a multiple of the number of arms, see ``particle_grid``."""
PRIOR = (1.0, 20.0)
"""Successes and exposures that every arm starts with: a hit in 20, held as loosely as one hit is."""


class Arms(NamedTuple):
    """What may be explored. The arrays run parallel."""

    indices: NDArray[np.int64]
    """(a,) of candidates: at least one, none twice."""
    successes: NDArray[np.int64]
    """(a,) at least 0."""
    exposures: NDArray[np.int64]
    """(a,) at least the successes."""


@dataclass(frozen=True, slots=True)
class Explored:
    """A list, best first. The arrays run parallel."""

    indices: NDArray[np.int64]
    """(n,) of candidates, from ``ranked``, ``arms`` or ``kept_back``."""
    propensities: NDArray[np.float64]
    """(n,) in (0, 1], the probability that the item is in the list."""
    is_exploring: NDArray[np.bool_]
    """(n,)"""


def keep_all(indices: NDArray[np.int64]) -> Explored:
    """Return the list that nothing is left to chance in."""
    return Explored(indices, np.ones(len(indices)), np.zeros(len(indices), dtype=np.bool_))


def explore(
    ranked: NDArray[np.int64],
    kept_back: NDArray[np.int64],
    arms: Arms,
    n: int,
    share: float,
    draws: tuple[float, float],
) -> Explored:
    """Return a list of at most ``n`` in which ``share`` of the slots show arms, on average, followed by ``kept_back``.

    It is shorter where there is too little to show. About 10 µs for 24 arms, n = 20 and a share of 0.005; 20 at 0.05.

    Args:
        ranked: (m,) indices of candidates, best first; those beyond ``n`` are never shown.
        kept_back: (r,) those that nothing is drawn for.
        arms: None of them in ``ranked`` or ``kept_back``.
        share: Above 0, to 1.
        draws: Of this request, uniform in [0, 1).

    Example:
        Candidate 8 was shown 30 times and chosen 3 times, 7 never shown. A fifth of four slots explores:

        >>> arms = Arms(np.array([7, 8]), successes=np.array([0, 3]), exposures=np.array([0, 30]))
        >>> ranked, kept_back = np.array([0, 1, 2, 3]), np.array([], dtype=np.int64)
        >>> drawn = explore(ranked, kept_back, arms, n=4, share=0.2, draws=(0.9, 0.5))
        >>> drawn.indices.tolist(), drawn.propensities.round(3).tolist()
        ([8, 0, 1, 2], [0.588, 1.0, 1.0, 1.0])
        >>> explore(ranked, kept_back, arms, n=4, share=0.2, draws=(0.1, 0.5)).indices.tolist()
        [0, 1, 2, 3]
    """
    grid = particle_grid(len(arms.indices))
    return Explored(*_explore(ranked[:n], kept_back, *arms, n, share, draws, grid, PRIOR))


@lru_cache(maxsize=128)
def particle_grid(n_arms: int) -> NDArray[np.float64]:
    """Return normal deviates, (particles, n_arms), read-only: the same in every process and version.

    Each column holds the same midpoint quantiles, and with each row all its rotations are there too: equal arms win
    equally often, wherever they stand, and each arm gets the grid's best value in one particle.
    """
    blocks = -(-PARTICLES // n_arms)
    size = blocks * n_arms
    shuffled = np.frombuffer(hashlib.shake_128(b"stream-rec particles").digest(8 * size), dtype="<u8").argsort()
    normal = NormalDist()
    deviates = np.array([normal.inv_cdf((i + 0.5) / size) for i in range(size)])[shuffled].reshape(blocks, n_arms)
    rotations = (np.arange(n_arms)[:, None] + np.arange(n_arms)) % n_arms
    grid = deviates[:, rotations].reshape(size, n_arms)
    grid.flags.writeable = False
    return grid


@kernel()
def posterior_particles(
    successes: NDArray[np.int64], exposures: NDArray[np.int64], grid: NDArray[np.float64], prior: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the arms' values in each particle, (particles, a): comparable within one particle only.

    The values are cube roots of hit rates. A rate's posterior Beta(α, β) is taken for the Gamma of the same mean and
    variance, whose cube root is nearly normal: mean^(1/3) (1 - 1/(9 κ) + z / (3 √κ)) with κ the Gamma's shape. From
    the median up its quantiles are within 6 % of the Beta's where α is 1 or more and the mean a tenth or less.

    Args:
        grid: ``particle_grid`` of as many arms.

    Source:
        Wilson, Hilferty. The Distribution of Chi-Square. PNAS 17, 1931.
    """
    values = np.empty(grid.shape)
    for arm in range(len(successes)):
        alpha = successes[arm] + prior[0]
        beta = max(exposures[arm] - successes[arm], 0.0) + prior[1] - prior[0]
        shape = alpha * (alpha + beta + 1.0) / beta
        root = np.cbrt(alpha / (alpha + beta))
        middle, spread = root * (1.0 - 1.0 / (9.0 * shape)), root / (3.0 * np.sqrt(shape))
        for particle in range(len(grid)):
            values[particle, arm] = middle + spread * grid[particle, arm]
    return values


@kernel()
def _explore(
    ranked: NDArray[np.int64],
    kept_back: NDArray[np.int64],
    arms: NDArray[np.int64],
    successes: NDArray[np.int64],
    exposures: NDArray[np.int64],
    n: int,
    share: float,
    draws: tuple[float, float],
    grid: NDArray[np.float64],
    prior: tuple[float, float],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the parts of ``Explored``; arguments as of ``explore``, ``Arms`` and ``posterior_particles``."""
    fewer = int(np.floor(share * n))
    p_more = share * n - fewer
    fewer, more = min(fewer, len(arms)), min(fewer + 1, len(arms))
    most = more if p_more > 0.0 else fewer
    u, v = draws
    indices, propensities = np.empty(n + len(kept_back), dtype=np.int64), np.ones(n + len(kept_back))
    is_exploring = np.zeros(n + len(kept_back), dtype=np.bool_)
    n_ranked, n_exploring = 0, 0
    for slot in range(n):  # one that nothing is left for is left out
        index = n_ranked + n_exploring
        if n_exploring < most and np.floor(share * (slot + 1) + u) > np.floor(share * slot + u):
            is_exploring[index] = True
            n_exploring += 1
        elif n_ranked < len(ranked):
            indices[index] = ranked[n_ranked]
            propensities[index] = 1.0 if n_ranked < n - more else 1.0 - p_more
            n_ranked += 1
    if n_exploring > 0:  # most lists explore nothing, and need no posterior
        tops = _top_arms(posterior_particles(successes, exposures, grid, prior), most)
        drawn = tops[int(v * len(tops))]
        rank = 0
        for exploring in range(n):
            if not is_exploring[exploring]:
                continue
            if_fewer, if_more = 0, 0
            for particle in range(len(tops)):
                for place in range(tops.shape[1]):
                    if tops[particle, place] == drawn[rank]:
                        if_more += 1
                        if_fewer += place < fewer
            indices[exploring] = arms[drawn[rank]]
            propensities[exploring] = ((1.0 - p_more) * if_fewer + p_more * if_more) / len(tops)
            rank += 1
    end = n_ranked + n_exploring + len(kept_back)
    for place in range(len(kept_back)):
        indices[end - len(kept_back) + place] = kept_back[place]
    return indices[:end], propensities[:end], is_exploring[:end]


@kernel()
def _top_arms(values: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Return the ``n`` best arms of each particle, (particles, n), best first; among equals the earlier one.

    Args:
        values: (particles, a) used up.
    """
    tops = np.empty((len(values), n), dtype=np.int64)
    for particle in range(len(values)):
        for rank in range(n):
            best = 0
            for arm in range(1, values.shape[1]):
                if values[particle, arm] > values[particle, best]:
                    best = arm
            tops[particle, rank] = best
            values[particle, best] = -np.inf
    return tops
