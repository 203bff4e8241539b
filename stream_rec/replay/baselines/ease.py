"""Baseline `ease`: a linear item-item model in closed form, trained again every 2 % of the events.

    P = (XᵀX + λI)⁻¹;   B_ij = -P_ij / P_jj, B_jj = 0;   score(u) = x_u B with what the user has by now

Only the MOST_ITEMS items with the most users take part: the inverse costs their number cubed. λ was chosen on the
first fifth of the scored part; 20 and 500 lose up to 4 %.
Steck. Embarrassingly shallow autoencoders for sparse data. WWW 2019.
"""

from __future__ import annotations

import numpy as np

from stream_rec.errors import StreamRecError
from stream_rec.replay.baselines.fallback import Fallback
from stream_rec.replay.baselines.lists import filled
from stream_rec.replay.baselines.retraining import Schedule
from stream_rec.replay.method import Group, World

MOST_ITEMS = 3500
REGULARIZATION = 100.0


class Ease:
    """Closed form over dense float32.

    Raises:
        StreamRecError: SciPy is not installed.
    """

    def __init__(self, world: World) -> None:
        try:
            from scipy.linalg import lapack
            from scipy.sparse import csr_matrix
        except ImportError as error:
            raise StreamRecError(
                f"baseline 'ease' needs the package SciPy ({error}): pip install 'stream-rec[bench]'"
            ) from error
        self._lapack = lapack
        self._csr_matrix = csr_matrix
        self._world = world
        self._schedule = Schedule(world)
        self._fallback = Fallback(world)
        self._items = np.zeros(0, np.int64)
        """Those that take part, in the order of the rows of ``_weights``."""
        self._row_of = np.full(world.n_items, -1)
        self._weights = np.zeros((0, 0), np.float32)

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the items with positive scores, then popular ones."""
        scores = np.zeros(self._world.n_items, np.float32)
        rows = self._row_of[self._schedule.own(user)]
        scores[self._items] = self._weights[rows[rows >= 0]].sum(axis=0)
        return filled(scores, self._fallback.levels(user), n)

    def learn(self, group: Group) -> None:
        """Add the group, and train when it is time."""
        self._fallback.learn(group)
        if self._schedule.learn(group):
            self._train()

    def _train(self) -> None:
        users, items = self._schedule.pairs()
        counts = np.bincount(items, minlength=self._world.n_items)
        self._items = np.argsort(-counts, kind="stable")[: min(MOST_ITEMS, np.count_nonzero(counts))]
        self._row_of[:] = -1
        self._row_of[self._items] = np.arange(len(self._items))

        rows = self._row_of[items]
        is_in = rows >= 0
        ones = np.ones(np.count_nonzero(is_in), np.float32)
        shape = (self._world.n_users, len(self._items))
        x = self._csr_matrix((ones, (users[is_in], rows[is_in])), shape)
        gram = (x.T @ x).toarray() + REGULARIZATION * np.eye(len(self._items), dtype=np.float32)
        p = self._inverse(gram)
        self._weights = -p / np.diag(p)
        np.fill_diagonal(self._weights, 0)

    def _inverse(self, gram: np.ndarray) -> np.ndarray:
        """Return the inverse of a positive definite matrix, by Cholesky: half the work of ``np.linalg.inv``."""
        factor, _ = self._lapack.spotrf(gram, lower=True, overwrite_a=True)
        inverse, _ = self._lapack.spotri(factor, lower=True, overwrite_c=True)
        lower = np.tril(inverse)
        return lower + np.tril(inverse, -1).T
