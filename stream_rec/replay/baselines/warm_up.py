"""A method's choice among its settings, made on the warm-up and on nothing later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CUTOFF = 20
"""Length of the lists by which settings are judged, as of those that are scored later."""


class WarmUp:
    """Counts what each of several settings would have reached (NDCG@20 of events) on the later half of the warm-up.

    Prequential: a group is ranked by the state before it. The first half only teaches. ``best`` is a setting's number,
    ``default`` until the warm-up is over, and from then on the winner.
    """

    def __init__(self, n_groups: int, n_settings: int, default: int) -> None:
        self.best = default
        self.gains = np.zeros(n_settings)
        self._n_groups = n_groups
        self._n_learned = 0

    @property
    def is_judging(self) -> bool:
        """Whether ``judge`` wants the ranks of the next group."""
        return self._n_groups // 2 <= self._n_learned < self._n_groups

    def judge(self, ranks: np.ndarray | Sequence[np.ndarray]) -> None:
        """Take the ranks from 1 that each setting gave to one group's events, (n_settings, e); 0: not on the list."""
        ranks = np.asarray(ranks, np.float64)
        self.gains += np.where((ranks > 0) & (ranks <= CUTOFF), 1 / np.log2(np.maximum(ranks, 1) + 1), 0).sum(axis=1)

    def step(self) -> bool:
        """Go on to the next group; return whether this was the one that decided."""
        self._n_learned += 1
        if self._n_learned != self._n_groups:
            return False
        if self.gains.any():
            self.best = int(self.gains.argmax())
        return True


def places_in(shown: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the place from 1 of each of ``items`` on the list ``shown``, 0 where it is not there, (e,)."""
    return ((shown == items[:, np.newaxis]) * np.arange(1, len(shown) + 1)).sum(axis=1)


def ranks_of(items: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the rank from 1 of each of ``items`` by each row of ``levels``, (settings, n_items); ties by number."""
    own = levels[:, items, np.newaxis]
    every = levels[:, np.newaxis, :]
    is_tied_before = (every == own) & (np.arange(levels.shape[1]) < items[:, np.newaxis])
    return ((every > own) | is_tied_before).sum(axis=2) + 1
