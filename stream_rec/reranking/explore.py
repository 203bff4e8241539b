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
import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

PARTICLES = 128
"""Particles at least; a multiple of the number of arms, see ``particle_grid``."""
PRIOR = (1.0, 20.0)
"""Successes and exposures that every arm starts with: a hit in 20, held as loosely as one hit is."""


@dataclass(frozen=True, slots=True)
class Explored:
    """A list, best first. The arrays run parallel; there are at most n, fewer where there is too little to show."""

    places: np.ndarray
    """(n,) from ``ranked`` or ``arms``."""
    propensities: np.ndarray
    """(n,) in (0, 1], the probability that the item is in the list."""
    is_exploring: np.ndarray
    """(n,) bool."""


def explore(
    ranked: np.ndarray,
    arms: np.ndarray,
    successes: np.ndarray,
    exposures: np.ndarray,
    n: int,
    share: float,
    rng: np.random.Generator,
    *,
    prior: tuple[float, float] = PRIOR,
) -> Explored:
    """Return a list of ``n`` in which ``share`` of the slots show arms, on average.

    About 65 µs for 50 arms, n = 20 and a share of 0.05. Work grows with the square of the number of arms: pass dozens.

    Args:
        ranked: (m,) places, best first; those beyond ``n`` are never shown.
        arms: (a,) places to explore, without repeats. Those among the best ``n`` ranked are left out.
        successes: (a,) at least 0.
        exposures: (a,) at least the successes.
        share: 0 for the ranking as it is, to 1.
        rng: Of this request; gives two numbers. None are taken where nothing is explored.
    """
    best = ranked[:n]
    is_arm = (arms[:, None] != best).all(axis=1)
    arms = arms[is_arm]
    if share <= 0.0 or not len(arms):
        return Explored(best, np.ones(len(best)), np.zeros(len(best), dtype=bool))

    fewer = math.floor(share * n)
    p_more = share * n - fewer
    fewer, more = min(fewer, len(arms)), min(fewer + 1, len(arms))
    u, v = rng.random(2)

    is_exploring = np.diff(np.floor(share * np.arange(n + 1) + u)) > 0
    is_exploring &= np.cumsum(is_exploring) <= len(arms)
    n_exploring = np.count_nonzero(is_exploring)
    is_exploring = is_exploring[is_exploring | (np.cumsum(~is_exploring) <= len(best))]  # the ranking may be short

    n_ranked = len(is_exploring) - n_exploring
    places = np.empty(len(is_exploring), dtype=np.int64)
    propensities = np.empty(len(is_exploring))
    places[~is_exploring] = best[:n_ranked]
    propensities[~is_exploring] = np.where(np.arange(n_ranked) < n - more, 1.0, 1.0 - p_more)
    if n_exploring:  # most lists explore nothing, and need no posterior
        tops = _top_arms(successes[is_arm], exposures[is_arm], more if p_more else fewer, prior)
        chosen = tops[int(v * len(tops)), :n_exploring]
        if_fewer, if_more = (np.bincount(tops[:, :e].ravel(), minlength=len(arms))[chosen] for e in (fewer, more))
        places[is_exploring] = arms[chosen]
        propensities[is_exploring] = ((1.0 - p_more) * if_fewer + p_more * if_more) / len(tops)
    return Explored(places, propensities, is_exploring)


def posterior_particles(successes: np.ndarray, exposures: np.ndarray, prior: tuple[float, float]) -> np.ndarray:
    """Return the arms' values in each particle, (particles, a): comparable within one particle only.

    The values are cube roots of hit rates. A rate's posterior Beta(α, β) is taken for the Gamma of the same mean and
    variance, whose cube root is nearly normal: mean^(1/3) (1 - 1/(9 κ) + z / (3 √κ)) with κ the Gamma's shape. From
    the median up its quantiles are within 6 % of the Beta's where α is 1 or more and the mean a tenth or less.

    Source:
        Wilson, Hilferty. The Distribution of Chi-Square. PNAS 17, 1931.
    """
    alpha = successes + prior[0]
    beta = np.maximum(exposures - successes, 0.0) + prior[1] - prior[0]
    mean = alpha / (alpha + beta)
    shape = alpha * (alpha + beta + 1.0) / beta
    root = np.cbrt(mean)
    return root * (1.0 - 1.0 / (9.0 * shape)) + root / (3.0 * np.sqrt(shape)) * particle_grid(len(mean))


@lru_cache(maxsize=128)
def particle_grid(n_arms: int) -> np.ndarray:
    """Return normal deviates, (particles, n_arms), read-only: the same in every process and version.

    Each column holds the same midpoint quantiles, and with each row all its rotations are there too: equal arms win
    equally often, whatever their place, and each arm gets the grid's best value in one particle.
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


def _top_arms(successes: np.ndarray, exposures: np.ndarray, n: int, prior: tuple[float, float]) -> np.ndarray:
    """Return the ``n`` best arms of each particle, (particles, n), best first; among equals the earlier one."""
    values = posterior_particles(successes, exposures, prior)
    tops = np.empty((len(values), n), dtype=np.int64)
    particles = np.arange(len(values))
    for rank in range(n):
        tops[:, rank] = values.argmax(axis=1)
        values[particles, tops[:, rank]] = -np.inf
    return tops
