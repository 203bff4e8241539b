"""The network head: one hidden layer over each candidate's inputs and the user's, a softmax over the candidates.

    hidden_i = leaky_relu(x_i A + c B)      score_i = hidden_i . v      p = softmax(score)

It finds what no weight alone can say, such as that repeats count for users who repeat. It starts from small random
weights (seeded) and learns online like the linear head; which of the two is believed, the stream decides.
"""

from __future__ import annotations

import numba
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

LEAK = 0.05
EPSILON = 1e-6


class NetworkHead(Struct, frozen=True):
    """Weights and AdaGrad's sums, float32. Arrays are never changed in place."""

    of_items: np.ndarray
    """(f, h) A."""
    of_context: np.ndarray
    """(c, h) B."""
    output: np.ndarray
    """(h,) v."""
    squares_of_items: np.ndarray
    squares_of_context: np.ndarray
    squares_of_output: np.ndarray


def cold(n_inputs: int, n_context: int, n_hidden: int, seed: int) -> NetworkHead:
    """Return the head that has learned nothing."""
    rng = np.random.default_rng(seed)

    def drawn(scale: float, *shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    of_items = drawn(n_inputs**-0.5, n_inputs, n_hidden)
    of_context = drawn(0.3, n_context, n_hidden)
    output = drawn(0.3 * n_hidden**-0.5, n_hidden)
    squares = [np.full_like(weights, EPSILON) for weights in (of_items, of_context, output)]
    return NetworkHead(of_items, of_context, output, *squares)


def hidden(head: NetworkHead, items: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Return (k, h) the hidden layer.

    Args:
        items: (k, f) float32 inputs of the candidates.
        context: (c,) float32 inputs of the user.
    """
    layer = items @ head.of_items
    _activate(layer, context @ head.of_context)
    return layer


def scores(head: NetworkHead, hidden_layer: np.ndarray) -> np.ndarray:
    """Return (k,) scores, higher is better."""
    return hidden_layer @ head.output


def learned(
    head: NetworkHead,
    items: np.ndarray,
    context: np.ndarray,
    hidden_layer: np.ndarray,
    errors: np.ndarray,
    *,
    rate: float,
    forgetting: float = 1.0,
) -> NetworkHead:
    """Return the head after one step; arguments as of ``linear_head.learned``.

    Args:
        hidden_layer: What ``hidden`` gave for the same items and head.
    """
    errors = errors.astype(np.float32, copy=False)
    back, together = _back(errors, hidden_layer, head.output)
    size, kept = np.float32(rate), np.float32(1.0 / forgetting)
    of_items, squares_of_items = _step(head.of_items, head.squares_of_items, items.T @ back, size, kept)
    of_context, squares_of_context = _step(
        head.of_context, head.squares_of_context, context[:, None] * together, size, kept
    )
    output, squares_of_output = _step(head.output, head.squares_of_output, errors @ hidden_layer, size, kept)
    return NetworkHead(of_items, of_context, output, squares_of_items, squares_of_context, squares_of_output)


def relaxed(head: NetworkHead, factor: float) -> NetworkHead:
    """Return the head with longer steps and the same weights; see ``linear_head.relaxed``."""

    def scaled(squares: np.ndarray) -> np.ndarray:
        return np.maximum(np.float32(factor) * squares, np.float32(EPSILON))

    return replace(
        head,
        squares_of_items=scaled(head.squares_of_items),
        squares_of_context=scaled(head.squares_of_context),
        squares_of_output=scaled(head.squares_of_output),
    )


# The products of matrices are left to numpy: BLAS takes a third of the time of a loop.


@numba.njit(cache=True)
def _activate(layer, of_context):
    """Make of (k, h) sums over the items' inputs the hidden layer, in place."""
    for place in range(layer.shape[0]):
        for unit in range(layer.shape[1]):
            signal = layer[place, unit] + of_context[unit]
            layer[place, unit] = max(signal, np.float32(LEAK) * signal)


@numba.njit(cache=True)
def _back(errors, hidden_layer, output):
    """Return (k, h) how far each sum in front of the hidden layer should rise, and (h,) all candidates together."""
    back, together = np.empty_like(hidden_layer), np.zeros_like(output)
    for place in range(back.shape[0]):
        for unit in range(back.shape[1]):
            slope = errors[place] * output[unit]
            if hidden_layer[place, unit] < 0:
                slope *= np.float32(LEAK)
            back[place, unit] = slope
            together[unit] += slope
    return back, together


@numba.njit(cache=True, error_model="numpy")
def _step(weights, squares, gradient, rate, kept):
    """Return weights and squares after AdaGrad's step; what the squares were counts ``kept``."""
    stepped, summed = np.empty_like(weights), np.empty_like(squares)
    stepped_flat, summed_flat = stepped.ravel(), summed.ravel()
    weights_flat, squares_flat, gradient_flat = weights.ravel(), squares.ravel(), gradient.ravel()
    for at in range(len(weights_flat)):
        slope = gradient_flat[at]
        newest = slope * slope
        stepped_flat[at] = weights_flat[at] + rate * slope / np.sqrt(squares_flat[at] * kept + newest)
        summed_flat[at] = squares_flat[at] + newest
    return stepped, summed
