"""The linear head: a softmax over the candidates of one list, learned from each choice, with weights by history.

    score_i = (w_shared + w_history) . x_i        p = softmax(score)

One gradient step on -mean log p over the chosen items after each group of choices. The shared weights learn from every
user, those by length of history only the difference, so that groups that come seldom still start from what all share.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.kernel import kernel

EPSILON = 1e-8


class LinearHead(Struct, frozen=True):
    """Weights and AdaGrad's sums. Arrays are never changed in place."""

    weights: NDArray[np.float64]
    """(1 + histories, f) float64: shared, then by length of history."""
    squares: NDArray[np.float64]
    """(1 + histories, f) float64 sums of squared gradients."""


def cold(n_inputs: int, n_histories: int) -> LinearHead:
    """Return the head that has learned nothing: all scores are equal."""
    shape = (1 + n_histories, n_inputs)
    return LinearHead(np.zeros(shape), np.full(shape, EPSILON))


def score(head: LinearHead, items: NDArray[np.float32], history: int) -> NDArray[np.float32]:
    """Return (k,) scores, higher is better.

    Args:
        items: (k, f) inputs.
    """
    scores: NDArray[np.float32] = items @ add_weights(head, history)
    return scores


def adjust(head: LinearHead, items: NDArray[np.float32], history: int) -> NDArray[np.float64]:
    """Return what an expert on top of another score adds to each log-probability, (k,); arguments as of ``score``."""
    return score(head, items, history).astype(np.float64)


def add_weights(head: LinearHead, history: int) -> NDArray[np.float32]:
    """Return (f,) float32 the weights for one length of history."""
    weights: NDArray[np.float64] = head.weights[0] + head.weights[1 + history]
    return weights.astype(np.float32)


class Step(NamedTuple):
    """How far one group of choices may move the weights, by AdaGrad.

    Source:
        Duchi, Hazan, Singer. Adaptive Subgradient Methods. JMLR 12, 2011.
    """

    rate: float
    """Step size, above 0: no weight moves further at once."""
    forgetting: float = 1.0
    """What the past squares are divided by, at least 1, so that steps do not become ever shorter."""


def learn(
    head: LinearHead, items: NDArray[np.float32], history: int, errors: NDArray[np.floating], step: Step
) -> LinearHead:
    """Return the head after one step.

    Args:
        errors: (k,) what each score should rise by: target less probability.
    """
    gradient = errors.astype(np.float32, copy=False) @ items  # a float64 would make a copy of all items
    weights, squares = head.weights.copy(), head.squares.copy()
    _step(weights, squares, gradient, 1 + history, step.rate, step.forgetting)
    return LinearHead(weights, squares)


def learn_choices(
    head: LinearHead,
    items: NDArray[np.float32],
    history: int,
    log_p: NDArray[np.float64],
    chosen: NDArray[np.int64],
    weights: NDArray[np.float64],
    step: Step,
) -> LinearHead:
    """Return the head after one step towards what was chosen.

    Args:
        log_p: (k,) of the items, with what the head says.
        chosen: (c,) indices of items, c at least 1, and ``weights``: (c,) how much each counts, above 0.
    """
    errors = -np.exp(log_p)
    np.add.at(errors, chosen, weights / weights.sum())
    return learn(head, items, history, errors, step)


def decay(head: LinearHead, factor: float) -> LinearHead:
    """Return the head with steps longer by 1 / sqrt(factor) and the same weights, for when choices have changed.

    Args:
        factor: Above 0, at most 1. No sum falls below a cold head's: a 0 would make the next step 0 / 0.
    """
    return replace(head, squares=np.maximum(factor * head.squares, EPSILON))


@kernel(error_model="numpy")
def _step(
    weights: NDArray[np.float64],
    squares: NDArray[np.float64],
    gradient: NDArray[np.float32],
    part: int,
    rate: float,
    forgetting: float,
) -> None:
    """Move the shared weights and those of ``part``, in place.

    Args:
        weights: (1 + histories, f), as ``squares``.
        gradient: (f,) in which direction.
    """
    for row in (0, part):
        for f in range(len(gradient)):
            slope = np.float64(gradient[f])
            newest = slope * slope
            weights[row, f] += rate * slope / np.sqrt(squares[row, f] / forgetting + newest)
            squares[row, f] += newest
