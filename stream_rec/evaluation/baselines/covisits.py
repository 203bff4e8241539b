"""Baseline `covisits`: what users had near the items that this user had last.

    weight(a, b) += 1 for an event b at most `window` places after an event a of the same user; weight(b, a) += `back`
    similarity(a, i) = weight(a, i) / (events(a) + shrink) ** (1 - p) / (events(i) + shrink) ** p
    score(u, i)      = sum over u's last items a, place 0 the newest, of recency ** place * similarity(a, i)

`popularity_taken` p: 0 is the conditional probability of i near a, 1/2 the cosine. Counts may decay with a half-life.
All of it is chosen. Memory: n_items² * 4 bytes.
Linden, Smith, York. Amazon.com recommendations: item-to-item collaborative filtering. IEEE Internet Computing 2003;
Sarwar, Karypis, Konstan, Riedl. Item-based collaborative filtering recommendation algorithms. WWW 2001 (cosine);
Deshpande, Karypis. Item-based top-N recommendation algorithms. TOIS 2004 (both, and powers between them);
Ludewig, Jannach. Evaluation of session-based recommendation algorithms. UMUAI 2018 (AR and SR, made incremental).
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.decayed import half_life_ms
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN, Fallback, Filling
from stream_rec.evaluation.baselines.lists import fill
from stream_rec.evaluation.method import Group, World

LAST = 50
LARGEST_EXPONENT = 60
"""Counts that decay are kept in a fixed unit, of which an event of now is ever more; when that has doubled this often,
all counts are made smaller. After twice as many half-lives without an event nothing is left of them in float32."""


@dataclass(frozen=True, slots=True)
class Settings(Filling):
    """Of pairs, and of how they are weighed."""

    popularity_taken: float = 0.5
    recency: float = 0.8
    window: int = 12
    back: float = 0.3
    shrink: float = 5.0
    half_life_days: float | None = None


class CoVisits:
    """Counts pairs of events."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._settings = settings
        self._half_life_ms = half_life_ms(settings.half_life_days)
        self._fallback = Fallback(world, settings)
        self._weights = np.zeros((world.n_items, world.n_items), np.float32)
        self._n_events = np.zeros(world.n_items, np.float32)
        self._last: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=LAST))
        """By user, the newest first."""
        self._unit_ms: int | None = None
        """When an event counts 1."""

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the items with the heaviest pairs, then popular ones."""
        settings = self._settings
        last = np.array(self._last.get(user, ()), np.int64)
        n_events = np.maximum(self._n_events, 1e-9) + settings.shrink * self._one(now_ms)
        shares = (settings.recency ** np.arange(len(last)) / n_events[last] ** (1 - settings.popularity_taken)).astype(
            np.float32
        )
        scores = (shares @ self._weights[last]) / n_events**settings.popularity_taken
        return fill(scores, self._fallback.levels(user), n)

    def learn(self, group: Group) -> None:
        """Count events and pairs, those inside the group too."""
        one = self._one(group.now_ms)
        if one > 2.0**LARGEST_EXPONENT:
            self._weights /= np.float32(one)
            self._n_events /= np.float32(one)
            self._unit_ms, one = group.now_ms, 1.0
        settings = self._settings
        last = self._last[group.user]
        for item in group.items.tolist():
            self._n_events[item] += one
            before = np.array([other for other in list(last)[: settings.window] if other != item], np.int64)
            np.add.at(self._weights, (before, item), one)
            np.add.at(self._weights[item], before, settings.back * one)
            last.appendleft(item)
        self._fallback.learn(group)

    def _one(self, now_ms: int) -> float:
        """Return what an event of now counts, in the unit that counts are kept in."""
        if self._unit_ms is None:
            self._unit_ms = now_ms
        return float(np.exp2(min((now_ms - self._unit_ms) / self._half_life_ms, 2 * LARGEST_EXPONENT)))


FAMILY = Family(
    lambda world, seed, settings: CoVisits(world, settings),
    Settings(),
    {
        **WITHOUT_TAKEN,
        "popularity_taken": (0.5, 0.0, 0.25),
        "recency": (0.8, 0.4, 0.6, 0.97),
        "window": (12, 3, 50),
        "back": (0.3, 1.0),
        "shrink": (5.0, 0.0, 20.0),
        "half_life_days": (None, 90.0, 14.0, 3.0),
    },
    CHOSEN_BEFORE,
)
