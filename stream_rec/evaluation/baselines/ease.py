"""Baseline `ease`: a linear item-item model in closed form, trained again every 2 % of the events.

    P = (XᵀX + λI)⁻¹;   B_ij = -P_ij / P_jj, B_jj = 0;   score(u) = x_u B with what the user has by now

A row of X is a user, or every `window` consecutive events of one: then only what is near each other in time occurs
together. In x_u older items count less (recency ** place). Window, λ and recency are chosen. Only the MOST_ITEMS items
with the most rows take part: the inverse costs their number cubed.
Steck. Embarrassingly shallow autoencoders for sparse data. WWW 2019.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.baselines.choice import Family
from stream_rec.evaluation.baselines.fallback import CHOSEN_BEFORE, WITHOUT_TAKEN, Fallback, Filling
from stream_rec.evaluation.baselines.lists import fill
from stream_rec.evaluation.baselines.retraining import History, Schedule, fade
from stream_rec.evaluation.method import Group, World

MOST_ITEMS = 3500


@dataclass(frozen=True, slots=True)
class Settings(Filling):
    """Of the model, and of a user's row."""

    regularization: float = 100.0
    window: int | None = None
    """Events of a row of X; None: all of a user."""
    recency: float = 1.0


class Ease:
    """Closed form over dense float32.

    Raises:
        StreamRecError: SciPy is not installed.
    """

    def __init__(self, world: World, settings: Settings) -> None:
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
        self._settings = settings
        self._schedule = Schedule(world)
        self._history = History(world)
        self._fallback = Fallback(world, settings)
        self._rows, self._items_of_rows = array("q"), array("q")
        """Of each event of a listed item."""
        self._row_of_user: dict[int, tuple[int, int]] = {}
        """The row that the user's next event belongs to, and how many it has."""
        self._n_rows = 0
        self._items = np.zeros(0, np.int64)
        """Those that take part, in the order of the rows of ``_weights``."""
        self._index_of = np.full(world.n_items, -1)
        self._weights: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the items with positive scores, then popular ones."""
        scores = np.zeros(self._world.n_items, np.float32)
        own, _ = self._history.own(user)
        indices = self._index_of[own]
        is_in = indices >= 0
        scores[self._items] = fade(self._settings.recency, len(own))[is_in] @ self._weights[indices[is_in]]
        return fill(scores, self._fallback.levels(user), n)

    def learn(self, group: Group) -> None:
        """Add the group, and train when it is time."""
        self._fallback.learn(group)
        self._history.learn(group)
        for item in group.items[self._world.is_listed[group.items]].tolist():
            row, n_events = self._row_of_user.get(group.user, (-1, 0))
            if row < 0 or n_events == self._settings.window:
                row, n_events = self._n_rows, 0
                self._n_rows += 1
            self._row_of_user[group.user] = row, n_events + 1
            self._rows.append(row)
            self._items_of_rows.append(item)
        if self._schedule.step(group) and self._n_rows:
            self._train()

    def _train(self) -> None:
        pairs = np.unique(np.array(self._rows) * self._world.n_items + np.array(self._items_of_rows))
        rows, items = np.divmod(pairs, self._world.n_items)
        counts = np.bincount(items, minlength=self._world.n_items)
        self._items = np.argsort(-counts, kind="stable")[: min(MOST_ITEMS, np.count_nonzero(counts))]
        self._index_of[:] = -1
        self._index_of[self._items] = np.arange(len(self._items))

        indices = self._index_of[items]
        is_in = indices >= 0
        ones = np.ones(np.count_nonzero(is_in), np.float32)
        x = self._csr_matrix((ones, (rows[is_in], indices[is_in])), (self._n_rows, len(self._items)))
        gram = (x.T @ x).toarray() + self._settings.regularization * np.eye(len(self._items), dtype=np.float32)
        p = self._invert(gram)
        self._weights = -p / p.diagonal()
        np.fill_diagonal(self._weights, 0)

    def _invert(self, gram: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the inverse of a positive definite matrix, by Cholesky: half the work of ``np.linalg.inv``."""
        factor, _ = self._lapack.spotrf(gram, lower=True, overwrite_a=True)
        inverse, _ = self._lapack.spotri(factor, lower=True, overwrite_c=True)
        lower: NDArray[np.float32] = np.tril(inverse)
        inverted: NDArray[np.float32] = lower + np.tril(inverse, -1).T
        return inverted


FAMILY = Family(
    lambda world, seed, settings: Ease(world, settings),
    Settings(),
    {
        **WITHOUT_TAKEN,
        "recency": (1.0, 0.9, 0.7, 0.4),
        "window": (None, 30, 10),
        "regularization": (100.0, 20.0, 500.0),
    },
    CHOSEN_BEFORE,
)
