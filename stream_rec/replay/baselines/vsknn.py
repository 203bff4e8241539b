"""Baseline `vsknn`: items of the recent visits nearest to this one, its latest items counting most.

    similarity(s, v) = sum over items i of both of exp(-p(i) / DECAY)
    score(i)         = sum over the K nearest visits v with i of similarity(s, v) / (1 + p(newest item of both))

p(i): places of i from the newest item of s, which has 0. Of the visits that share an item the SAMPLE most recent are
compared. A visit ends with a break of half an hour, or never: then a neighbour is a user's history. The better of the
two on the warm-up is kept. K and SAMPLE are the paper's, the rest was chosen on the first half of the scored part.
Ludewig, Jannach. Evaluation of session-based recommendation algorithms. UMUAI 2018 (V-SKNN).
"""

from __future__ import annotations

import numpy as np

from stream_rec.replay.baselines.nearest_visits import NearestVisits
from stream_rec.replay.baselines.visits import HALF_AN_HOUR_MS, Visits, nearest, places_from_newest, summed
from stream_rec.replay.method import World

K = 100
SAMPLE = 1000
LAST = 50
"""Items of the visit that are looked at."""
DECAY = 10.0
SETTINGS = ((HALF_AN_HOUR_MS, None), (np.inf, None))


class VSkNN(NearestVisits[None]):
    """Similarity by the recency of what is shared."""

    def __init__(self, world: World) -> None:
        def score(visits: Visits, _: None, user: int, now_ms: int) -> np.ndarray:
            return _scores(visits, user, now_ms, world.n_items)

        super().__init__(world, SETTINGS, score)


def _scores(visits: Visits, user: int, now_ms: int, n_items: int) -> np.ndarray:
    items = visits.recent_items(user, now_ms, LAST)
    weights = np.exp(-np.arange(len(items))[::-1] / DECAY)
    found = visits.sharing(items, weights, besides=visits.current(user, now_ms), sample=SAMPLE)
    neighbours, similarities = nearest(found, found.overlaps, K)
    theirs = visits.items_of(neighbours)
    newest = places_from_newest(items, theirs, n_items).min(axis=1)
    return summed(theirs, np.broadcast_to((similarities / (1 + newest))[:, np.newaxis], theirs.shape), n_items)
