"""Baseline `stan`: nearest visits as in V-SkNN, with three decays over position and time.

    similarity(s, v) = sum over items i of both of exp(-p(i) / decay) / sqrt(|s| |v|) * exp(-(now - time of v) / age)
    score(i)         = sum over the K nearest visits v with i of similarity(s, v) * exp(-|p_v(i) - p_v(j)| / spread)

p(i): places of i from the newest item of s; p_v: places in v; j: the newest item of s that v has too. The paper tunes
the decays for each log: here the best of four settings on the warm-up is kept (``SETTINGS``, chosen on the first half
of the scored part). As in ``vsknn.py`` a visit may be a user's whole history.
Garg, Gupta, Malhotra, Vig, Shroff. Sequence and Time Aware Neighborhood for Session-based Recommendations: STAN.
SIGIR 2019.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stream_rec.replay.baselines.decayed import DAY_MS
from stream_rec.replay.baselines.nearest_visits import NearestVisits
from stream_rec.replay.baselines.recent import NOBODY
from stream_rec.replay.baselines.visits import HALF_AN_HOUR_MS, Visits, nearest, places_from_newest, summed
from stream_rec.replay.method import World

K = 100
SAMPLE = 1000
LAST = 50


class Decays(NamedTuple):
    """The paper's lambdas 1 to 3."""

    decay: float
    """Places."""
    age_ms: float
    spread: float
    """Places."""


SETTINGS = (
    (HALF_AN_HOUR_MS, Decays(3, 30 * DAY_MS, 3)),
    (HALF_AN_HOUR_MS, Decays(10, 90 * DAY_MS, 30)),
    (np.inf, Decays(10, 90 * DAY_MS, 30)),
    (np.inf, Decays(10, 5 * DAY_MS, 3)),
)


class Stan(NearestVisits[Decays]):
    """Similarity by the recency of what is shared and of the neighbour."""

    def __init__(self, world: World) -> None:
        def score(visits: Visits, decays: Decays, user: int, now_ms: int) -> np.ndarray:
            return _scores(visits, decays, user, now_ms, world.n_items)

        super().__init__(world, SETTINGS, score)


def _scores(visits: Visits, decays: Decays, user: int, now_ms: int, n_items: int) -> np.ndarray:
    items = visits.recent_items(user, now_ms, LAST)
    if len(items) == 0:
        return np.zeros(n_items)
    weights = np.exp(-np.arange(len(items))[::-1] / decays.decay)
    found = visits.sharing(items, weights, besides=visits.current(user, now_ms), sample=SAMPLE)
    lengths = (visits.items_of(found.visits) != NOBODY).sum(axis=1)
    ages_ms = now_ms - visits.last_ms(found.visits)
    similarities = found.overlaps / np.sqrt(len(items) * lengths) * np.exp(-ages_ms / decays.age_ms)
    neighbours, similarities = nearest(found, similarities, K)
    theirs = visits.items_of(neighbours)
    shared = places_from_newest(items, theirs, n_items).argmin(axis=1)
    distances = np.abs(np.arange(theirs.shape[1]) - shared[:, np.newaxis])
    return summed(theirs, similarities[:, np.newaxis] * np.exp(-distances / decays.spread), n_items)
