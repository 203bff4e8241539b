"""Baseline `als`: implicit-feedback matrix factorisation, trained again every 2 % of the events.

    c_ui = alpha * r_ui;   x, y minimise sum of c_ui (1 - x_u · y_i)² + (x_u · y_i)² of other pairs + λ (|x|² + |y|²)

r_ui: 1 of a pair, or log2(1 + events), or log2(1 + events weighed by their kind). Between trainings the item factors
stand still; a user's factors are solved for at each request from all the user has by then, older items counting less
(recency ** place). A training goes on from the factors of the last. Factors, λ, alpha, r and recency are chosen.
Hu, Koren, Volinsky. Collaborative filtering for implicit feedback datasets. ICDM 2008; package implicit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN, Fallback, Filling
from stream_rec.evaluation.baselines.lists import NEVER, select_best
from stream_rec.evaluation.baselines.retraining import History, Schedule, fade
from stream_rec.evaluation.method import Group, World

ITERATIONS = 5
BY_KIND = (1.0, 2.0, 4.0)
"""Weight of a view, a click and a purchase; they are in the order of ``Kind``."""


@dataclass(frozen=True, slots=True)
class Settings(Filling):
    """Of the factorisation, and of a user's row."""

    factors: int = 64
    regularization: float = 10.0
    alpha: float = 10.0
    confidence: Literal["pairs", "events", "kinds"] = "pairs"
    recency: float = 1.0


class Als:
    """implicit's ``AlternatingLeastSquares`` on one thread.

    Raises:
        StreamRecError: implicit is not installed.
    """

    def __init__(self, world: World, seed: int, settings: Settings) -> None:
        try:
            from implicit.cpu.als import AlternatingLeastSquares
            from scipy.sparse import csr_matrix
            from threadpoolctl import threadpool_limits
        except ImportError as error:
            raise StreamRecError(
                f"baseline 'als' needs the package implicit ({error}): pip install 'stream-rec[bench]'"
            ) from error
        self._csr_matrix = csr_matrix
        self._one_blas_thread = partial(threadpool_limits, 1, "blas")  # with more, implicit says, it gets slower
        with self._one_blas_thread():
            self._model = AlternatingLeastSquares(
                settings.factors,
                settings.regularization,
                settings.alpha,
                iterations=ITERATIONS,
                num_threads=1,
                random_state=seed,
            )
        self._world = world
        self._settings = settings
        self._schedule = Schedule(world)
        self._history = History(world, BY_KIND) if settings.confidence == "kinds" else History(world)
        self._fallback = Fallback(world, settings)
        self._is_trained = False

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the items with the highest products; before the first training, and for a new user, popular ones."""
        levels = self._fallback.levels(user)
        own, weights = self._history.own(user)
        if not self._is_trained or len(own) == 0:
            return select_best(levels, n)
        confidences = self._confidences(weights) * fade(self._settings.recency, len(own))
        row = self._csr_matrix((confidences, own, [0, len(own)]), (1, self._world.n_items))
        scores = self._model.item_factors @ self._model.recalculate_user(0, row)
        return select_best(np.where(levels > NEVER, scores, NEVER), n)

    def learn(self, group: Group) -> None:
        """Add the group, and train when it is time."""
        self._fallback.learn(group)
        self._history.learn(group)
        if self._schedule.step(group):
            users, items, weights = self._history.triples()
            if len(users) == 0:
                return
            shape = (self._world.n_users, self._world.n_items)
            pairs = self._csr_matrix((self._confidences(weights), (users, items)), shape)
            with self._one_blas_thread():
                self._model.fit(pairs, show_progress=False)
            self._is_trained = True

    def _confidences(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return r of the formula."""
        of_pairs = self._settings.confidence == "pairs"
        return (np.ones_like(weights) if of_pairs else np.log2(1 + weights)).astype(np.float32)


FAMILY = Family(
    Als,
    Settings(),
    {
        **WITHOUT_TAKEN,
        "regularization": (10.0, 1.0, 0.1),
        "recency": (1.0, 0.9, 0.7, 0.4),
        "alpha": (10.0, 1.0, 40.0),
        "confidence": ("pairs", "events", "kinds"),
        "factors": (64, 32, 128),
    },
    CHOSEN_BEFORE,
)
