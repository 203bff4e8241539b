"""Drift: notice that the head's predictions have become worse, so that it can learn faster for a while.

AdaGrad's steps only ever shorten. After a change of taste the weights are wrong and the steps too short to put them
right soon. ADWIN watches the log-loss of each choice, as the head saw it before it learned; where its mean has
risen, ``MixtureHead.decay`` lengthens the steps. What that brings, and what other detectors saw: docs/experiments.md.

Source:
    Bifet, Gavaldà. Learning from time-changing data with adaptive windowing. SDM 2007.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from river._river_rust.drift import AdaptiveWindowing

from stream_rec.catalog.arrays import find_sorted

# ``river.drift.ADWIN`` is a shell of 20 lines around this class, but to import it takes 3 s (scipy, and scikit-learn
# where that is installed), against 2 ms. A test holds the two together; the dependency's version is bounded.

FACTOR = 0.01
"""Steps ten times as long: of 0.1, 0.01, 0.001 and 0.0001 the best, or nearly, for four of five changes of taste."""
MOST_LOSS = 10.0
"""Nats. Losses above count as this much: ADWIN wants numbers from 0 to 1."""
LEAST_CHOICES = 1000
"""Groups of choices from one reaction to the next, so that a noisy stream does not keep the steps long."""

RECENT = 1000


class DriftWatch:
    """Watches one stream of choices. What it has seen is statistics: a new one may take its place after a restart."""

    def __init__(self, delta: float) -> None:
        """Begin with nothing seen.

        Args:
            delta: ADWIN's: the chance, at each look, to see a change where there is none; 0 sees none ever.
        """
        self._window = _adwin(delta)
        self._n_since = LEAST_CHOICES
        self._n_losses = 0
        self.recent_loss = 0.0
        """Mean log-loss of the newest choices, in nats: of some ``RECENT`` of them, those of long ago fade."""

    def detect(self, rows: NDArray[np.int64], log_p: NDArray[np.float64], chosen_rows: NDArray[np.int64]) -> bool:
        """Take one group of choices; return whether, as of now, the head should learn faster.

        Args:
            rows: (k,) of the candidates, ascending.
            log_p: (k,) how likely each was, before the head learned from this group.
            chosen_rows: (c,) what was chosen; those that were no candidates say nothing of the head.
        """
        if not len(rows):
            return False
        chosen = np.array(sorted(set(chosen_rows.tolist())), dtype=np.int64)
        indices, is_candidate = find_sorted(rows, chosen)
        likely = log_p[indices[is_candidate]]
        return bool(len(likely)) and self.add_loss(-float(likely.mean()))

    def add_loss(self, loss: float) -> bool:
        """Take the log-loss of one group of choices; return whether losses have risen, and not noticed just before."""
        self._n_since += 1
        self._n_losses = min(self._n_losses + 1, RECENT)
        self.recent_loss += (min(loss, MOST_LOSS) - self.recent_loss) / self._n_losses
        before = _mean(self._window)
        has_changed = self._window.update(min(loss, MOST_LOSS) / MOST_LOSS)  # and then it has dropped what came before
        if not has_changed or _mean(self._window) <= before or self._n_since < LEAST_CHOICES:
            return False
        self._n_since = 0
        return True


def _adwin(delta: float) -> AdaptiveWindowing:
    """Return the window that ``river.drift.ADWIN(delta)`` looks through."""
    return AdaptiveWindowing(delta=delta, clock=32, max_buckets=5, min_window_length=5, grace_period=10)


def _mean(window: AdaptiveWindowing) -> float:
    return window.get_total() / max(1, window.get_width())
