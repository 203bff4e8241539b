"""The linear head: a softmax over the candidates of one list, learned from each choice, with weights by history.

    score_i = (w_shared + w_history) . x_i        p = softmax(score)

One gradient step on -mean log p over the chosen items after each group of choices. The shared weights learn from every
user, those by length of history only the difference, so that groups that come seldom still start from what all share.
"""

from __future__ import annotations

import numba
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

EPSILON = 1e-8


class LinearHead(Struct, frozen=True):
    """Weights and AdaGrad's sums. Arrays are never changed in place."""

    weights: np.ndarray
    """(1 + histories, f) float64: shared, then by length of history."""
    squares: np.ndarray
    """(1 + histories, f) sums of squared gradients."""


def cold(n_inputs: int, n_histories: int) -> LinearHead:
    """Return the head that has learned nothing: all scores are equal."""
    shape = (1 + n_histories, n_inputs)
    return LinearHead(np.zeros(shape), np.full(shape, EPSILON))


def scores(head: LinearHead, items: np.ndarray, history: int) -> np.ndarray:
    """Return (k,) scores, higher is better.

    Args:
        items: (k, f) inputs.
    """
    return items @ effective(head, history)


def effective(head: LinearHead, history: int) -> np.ndarray:
    """Return (f,) float32 the weights for one length of history."""
    return (head.weights[0] + head.weights[1 + history]).astype(np.float32)


def learned(
    head: LinearHead, items: np.ndarray, history: int, errors: np.ndarray, *, rate: float, forgetting: float = 1.0
) -> LinearHead:
    """Return the head after one step.

    Args:
        errors: (k,) what each score should rise by: target less probability.
        rate: AdaGrad's step size, above 0: no weight moves further at once.
        forgetting: What the past squares are divided by, at least 1, so that steps do not become ever shorter.

    Source:
        Duchi, Hazan, Singer. Adaptive Subgradient Methods. JMLR 12, 2011.
    """
    gradient = errors.astype(np.float32, copy=False) @ items  # a float64 would make a copy of all items
    weights, squares = head.weights.copy(), head.squares.copy()
    _step(weights, squares, gradient, 1 + history, rate, forgetting)
    return LinearHead(weights, squares)


def relaxed(head: LinearHead, factor: float) -> LinearHead:
    """Return the head with steps longer by 1 / sqrt(factor) and the same weights, for when choices have changed.

    Args:
        factor: Above 0, at most 1. No sum falls below a cold head's: a 0 would make the next step 0 / 0.
    """
    return replace(head, squares=np.maximum(factor * head.squares, EPSILON))


@numba.njit(cache=True, error_model="numpy")
def _step(weights, squares, gradient, part, rate, forgetting):
    """Move the shared weights and those of ``part``, in place."""
    for row in (0, part):
        for f in range(len(gradient)):
            slope = np.float64(gradient[f])
            newest = slope * slope
            weights[row, f] += rate * slope / np.sqrt(squares[row, f] / forgetting + newest)
            squares[row, f] += newest
