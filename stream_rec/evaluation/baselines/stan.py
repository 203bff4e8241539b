"""Baseline `stan`: nearest visits as in V-SkNN, with three decays over position and time.

    similarity(s, v) = sum over items i of both of exp(-p(i) / decay) / sqrt(|s| |v|) * exp(-(now - time of v) / age)
    score(i)         = sum over the nearest visits v with i of similarity(s, v) * exp(-|p_v(i) - p_v(j)| / spread)

p(i): places of i from the newest item of s; p_v: places in v; j: the newest item of s that v has too. The paper tunes
the decays (its lambdas 1 to 3) and the number of neighbours for each log: here they are chosen. As in ``vsknn.py`` a
visit may be a user's whole history.
Garg, Gupta, Malhotra, Vig, Shroff. Sequence and Time Aware Neighborhood for Session-based Recommendations: STAN.
SIGIR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.decayed import DAY_MS
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN
from stream_rec.evaluation.baselines.nearest_visits import NearestVisits, VisitSettings
from stream_rec.evaluation.baselines.recent import NOBODY
from stream_rec.evaluation.baselines.visits import find_ages, select_nearest, sum_by_item
from stream_rec.evaluation.method import World

SAMPLE = 1000
LAST = 50


@dataclass(frozen=True, slots=True)
class Settings(VisitSettings):
    """The three decays."""

    decay: float = 10.0
    """Places."""
    age_days: float | None = 90.0
    spread: float = 30.0
    """Places."""


class Stan(NearestVisits):
    """Similarity by the recency of what is shared and of the neighbour."""

    def __init__(self, world: World, settings: Settings) -> None:
        super().__init__(world, settings)
        self._settings = settings
        self._age_ms = np.inf if settings.age_days is None else settings.age_days * DAY_MS

    def scores(self, user: int, now_ms: int) -> NDArray[np.float64]:
        """Return what neighbours say of each item, (n_items,)."""
        visits, settings = self._visits, self._settings
        items = visits.recent_items(user, now_ms, LAST)
        if len(items) == 0:
            return np.zeros(self._n_items)
        weights = np.exp(-np.arange(len(items))[::-1] / settings.decay)
        found = visits.find_sharing(items, weights, besides=visits.current(user, now_ms), sample=SAMPLE)
        lengths = (visits.items_of(found.visits) != NOBODY).sum(axis=1)
        ages_ms = now_ms - visits.last_ms(found.visits)
        similarities = found.overlaps / np.sqrt(len(items) * lengths) * np.exp(-ages_ms / self._age_ms)
        neighbours, similarities = select_nearest(found, similarities, settings.neighbours)
        theirs = visits.items_of(neighbours)
        shared = find_ages(items, theirs, self._n_items).argmin(axis=1)
        distances = np.abs(np.arange(theirs.shape[1]) - shared[:, np.newaxis])
        return sum_by_item(theirs, similarities[:, np.newaxis] * np.exp(-distances / settings.spread), self._n_items)


FAMILY = Family(
    lambda world, seed, settings: Stan(world, settings),
    Settings(),
    {
        **WITHOUT_TAKEN,
        "longest_break_minutes": (None, 30.0),
        "age_days": (90.0, 1.0, 5.0, 30.0, None),
        "decay": (10.0, 3.0, 30.0),
        "spread": (30.0, 3.0, 10.0),
        "neighbours": (100, 30, 400),
    },
    CHOSEN_BEFORE,
)
