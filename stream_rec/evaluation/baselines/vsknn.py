"""Baseline `vsknn`: items of the recent visits nearest to this one, its latest items counting most.

    similarity(s, v) = sum over items i of both of exp(-p(i) / decay)
    score(i)         = idf(i) * sum over the nearest visits v with i of similarity(s, v) / (1 + p(newest item of both))

p(i): places of i from the newest item of s, which has 0. Of the visits that share an item the most recent `sample` are
compared. idf(i) = 1 + `idf` * log(visits / visits with i). The break that ends a visit, decay, idf and the number of
neighbours are chosen.
Ludewig, Jannach. Evaluation of session-based recommendation algorithms. UMUAI 2018 (V-SKNN).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN
from stream_rec.evaluation.baselines.nearest_visits import NearestVisits, VisitSettings
from stream_rec.evaluation.baselines.visits import find_ages, select_nearest, sum_by_item
from stream_rec.evaluation.method import World

LAST = 50
"""Items of the visit that are looked at."""


@dataclass(frozen=True, slots=True)
class Settings(VisitSettings):
    """Of similarity and score."""

    sample: int = 1000
    decay: float = 10.0
    """Places."""
    score_decay: bool = True
    """Whether neighbours count less the longer ago their newest shared item is."""
    idf: float = 0.0


class VSkNN(NearestVisits):
    """Similarity by the recency of what is shared."""

    def __init__(self, world: World, settings: Settings) -> None:
        super().__init__(world, settings)
        self._settings = settings

    def scores(self, user: int, now_ms: int) -> NDArray[np.float64]:
        """Return what neighbours say of each item, (n_items,)."""
        visits, settings = self._visits, self._settings
        items = visits.recent_items(user, now_ms, LAST)
        weights = np.exp(-np.arange(len(items))[::-1] / settings.decay)
        found = visits.find_sharing(items, weights, besides=visits.current(user, now_ms), sample=settings.sample)
        neighbours, similarities = select_nearest(found, found.overlaps, settings.neighbours)
        theirs = visits.items_of(neighbours)
        if settings.score_decay:
            similarities = similarities / (1 + find_ages(items, theirs, self._n_items).min(axis=1))
        scores = sum_by_item(theirs, np.broadcast_to(similarities[:, np.newaxis], theirs.shape), self._n_items)
        return scores * (1 + settings.idf * visits.idf()) if settings.idf else scores


FAMILY = Family(
    lambda world, seed, settings: VSkNN(world, settings),
    Settings(),
    {
        **WITHOUT_TAKEN,
        "longest_break_minutes": (None, 30.0),
        "decay": (10.0, 2.0, 40.0),
        "score_decay": (True, False),
        "neighbours": (100, 30, 400),
        "sample": (1000, 300),
        "idf": (0.0, 0.3, 1.0),
    },
    CHOSEN_BEFORE,
)
