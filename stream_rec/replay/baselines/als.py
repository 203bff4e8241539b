"""Baseline `als`: implicit-feedback matrix factorisation, trained again every 2 % of the events.

Between trainings the item factors stand still; a user's factors are solved for at each request from all the user has
by then. A training goes on from the factors of the last. Settings were chosen on the first fifth of the scored part;
128 factors are worse on two logs of three.
Hu, Koren, Volinsky. Collaborative filtering for implicit feedback datasets. ICDM 2008; package implicit.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from stream_rec.errors import StreamRecError
from stream_rec.replay.baselines.fallback import Fallback
from stream_rec.replay.baselines.lists import NEVER, best
from stream_rec.replay.baselines.retraining import Schedule
from stream_rec.replay.method import Group, World

FACTORS = 64
REGULARIZATION = 10.0
ALPHA = 10.0
ITERATIONS = 5


class Als:
    """implicit's ``AlternatingLeastSquares`` on one thread.

    Raises:
        StreamRecError: implicit is not installed.
    """

    def __init__(self, world: World, seed: int) -> None:
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
                FACTORS, REGULARIZATION, ALPHA, iterations=ITERATIONS, num_threads=1, random_state=seed
            )
        self._world = world
        self._schedule = Schedule(world)
        self._fallback = Fallback(world)
        self._is_trained = False

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the items with the highest products; before the first training, and for a new user, popular ones."""
        levels = self._fallback.levels(user)
        own = self._schedule.own(user)
        if not self._is_trained or len(own) == 0:
            return best(levels, n)
        row = self._csr_matrix((np.ones(len(own), np.float32), own, [0, len(own)]), (1, self._world.n_items))
        scores = self._model.item_factors @ self._model.recalculate_user(0, row)
        return best(np.where(levels > NEVER, scores, NEVER), n)

    def learn(self, group: Group) -> None:
        """Add the group, and train when it is time."""
        self._fallback.learn(group)
        if self._schedule.learn(group):
            users, items = self._schedule.pairs()
            shape = (self._world.n_users, self._world.n_items)
            pairs = self._csr_matrix((np.ones(len(users), np.float32), (users, items)), shape)
            with self._one_blas_thread():
                self._model.fit(pairs, show_progress=False)
            self._is_trained = True
