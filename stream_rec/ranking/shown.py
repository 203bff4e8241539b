"""What was shown, as a part of the score: an expert that says how likely an item is chosen where it is looked at.

    p(chosen | shown in slot k) = examination_k * sigmoid(w . [1, log p of the ranking, appeal, how tired the user is])

It learns from every impression that is over, from what was chosen and from what was not, each as far as its slot is
looked at. What it says besides the ranking's own log-probability is added to that:

    log p' = log_softmax(log p + (w_rest . rest) / w_log_p)

So an item sinks that the user was shown and never chose, as far as users of this app do tire, and comes back as the
impressions fade; and one rises that is chosen more often than others where it is looked at. Nothing here changes a list
before the first impression.

Source:
    Richardson, Dominowska, Ragno. Predicting Clicks. WWW 2007 (the position-based model).
    Wang, Bendersky, Metzler, Najork. Learning to Rank with Selection Bias in Personal Search. SIGIR 2016.
"""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.catalog.arrays import find_sorted
from stream_rec.catalog.catalog import Catalog
from stream_rec.ranking import linear_head
from stream_rec.ranking.linear_head import LinearHead, Step
from stream_rec.user.history import History

NAMES = ("one", "log_p", "appeal", "tired_1h", "tired_1d", "tired_7d", "shown_7d")
FADE_MS = (3_600_000, 86_400_000, 7 * 86_400_000)
"""After so long an impression counts 1/e."""
LOG_P_SCALE = 0.5
"""Of the log-probabilities, so that no input is far larger than others."""
LEAST_LOG_P = -20.0
LARGEST = 10.0
"""Impressions of one item that count as such."""
FIRST_WEIGHTS = np.array([0.0, 2.0, 0.5, -0.25, -0.5, 0.0, 0.0])
"""Before anything is learned: a little of what nearly every app will see."""
LEAST_SLOPE = 0.2
"""Of the log-probability: where that says next to nothing of what is chosen, the rest is not all that counts."""
_ONE, _LOG_P, _APPEAL, _TIRED = range(4)
_SHOWN = NAMES.index("shown_7d")


def _begin() -> LinearHead:
    head = linear_head.cold(len(NAMES), 1)
    weights = head.weights.copy()
    weights[0] = FIRST_WEIGHTS
    return replace(head, weights=weights)


COLD = _begin()
"""The expert that has learned nothing from impressions."""


def compute_inputs(
    history: History, rows: NDArray[np.int64], log_p: NDArray[np.float64], catalog: Catalog, now_ms: int
) -> NDArray[np.float32] | None:
    """Return what is known of candidates as something to be shown, (k, len(NAMES)); None before the first impression.

    Args:
        rows: (k,) of the catalog, ascending.
        log_p: (k,) of the ranking.
    """
    impressions, shown = catalog.knowledge.impressions, history.shown
    if not len(rows) or not (impressions.n_shown or len(shown.rows)):
        return None
    inputs = begin_inputs(log_p)
    inputs[:, _APPEAL] = impressions.appeal(rows)
    at, is_here = find_sorted(rows, shown.rows)
    at, times = at[is_here], shown.times[is_here]
    ages_ms = np.maximum(now_ms - shown.last_ms[is_here], 0.0)
    for column, fade_ms in enumerate(FADE_MS, start=_TIRED):
        inputs[:, column] = np.bincount(at, times * np.exp(-ages_ms / fade_ms), len(rows))
    tired = inputs[:, _TIRED : _TIRED + len(FADE_MS)]
    inputs[:, _SHOWN] = np.minimum(tired[:, -1], LARGEST) / LARGEST
    np.log1p(tired, out=tired)
    return inputs


def begin_inputs(log_p: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the inputs of candidates that nothing is known of but their log-probabilities, (k, len(NAMES))."""
    inputs = np.zeros((len(log_p), len(NAMES)), dtype=np.float32)
    inputs[:, _ONE] = 1.0
    inputs[:, _LOG_P] = LOG_P_SCALE * np.maximum(log_p, LEAST_LOG_P)
    return inputs


def adjust(head: LinearHead, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what is to be added to each candidate's log-probability, (k,)."""
    weights = linear_head.add_weights(head, 0).astype(np.float64)
    slope = max(LOG_P_SCALE * weights[_LOG_P], LEAST_SLOPE)
    added: NDArray[np.float64] = inputs[:, _APPEAL:] @ weights[_APPEAL:] / slope
    return added


def learn(
    head: LinearHead,
    inputs: NDArray[np.float32],
    slots: NDArray[np.int64],
    is_chosen: NDArray[np.bool_],
    examination: NDArray[np.float64],
    step: Step,
) -> LinearHead:
    """Return the expert after one impression.

    Args:
        inputs: (m, len(NAMES)), m at least 1, ``slots``: (m,) and ``is_chosen``: (m,) of its items.
        examination: (N_SLOTS,) how likely each slot is looked at.
    """
    scores = linear_head.score(head, inputs, 0).astype(np.float64)
    p_examined = np.clip(examination[slots], 0.01, 1.0)
    p_chosen = 1.0 / (1.0 + np.exp(-scores))
    # The slope of log p where it was chosen, and of log(1 - p) where it was not.
    not_chosen = -p_examined * p_chosen * (1.0 - p_chosen) / np.maximum(1.0 - p_examined * p_chosen, 1e-9)
    errors = np.where(is_chosen, 1.0 - p_chosen, not_chosen)
    return linear_head.learn(head, inputs, 0, errors, step)


def encode_features(inputs: NDArray[np.float32]) -> bytes:
    """Return (m, len(NAMES)) inputs as bytes, half-precision: ``ImpressionEntry.features``."""
    return inputs.astype("<f2").tobytes()


def decode_features(features: bytes) -> NDArray[np.float32] | None:
    """Return the inputs in bytes, (m, len(NAMES)), no numbers where nothing was known; None where they are none."""
    if len(features) % (2 * len(NAMES)):
        return None
    return np.frombuffer(features, "<f2").reshape(-1, len(NAMES)).astype(np.float32)
