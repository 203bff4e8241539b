"""The network head: one hidden layer over each candidate's inputs and the user's, a softmax over the candidates.

    hidden_i = leaky_relu(x_i A + c B)      score_i = hidden_i . v      p = softmax(score)

It finds what no weight alone can say, such as that repeats count for users who repeat. It starts from small random
weights (seeded) and learns online like the linear head; which of the two is believed, the stream decides.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.kernel import kernel
from stream_rec.ranking.linear_head import Step

LEAK = 0.05
EPSILON = 1e-6


class NetworkHead(Struct, frozen=True):
    """Weights and AdaGrad's sums, float32. Arrays are never changed in place."""

    of_items: NDArray[np.float32]
    """(f, h) A."""
    of_context: NDArray[np.float32]
    """(c, h) B."""
    output: NDArray[np.float32]
    """(h,) v."""
    squares_of_items: NDArray[np.float32]
    squares_of_context: NDArray[np.float32]
    squares_of_output: NDArray[np.float32]


def cold(n_inputs: int, n_context: int, n_hidden: int, seed: int) -> NetworkHead:
    """Return the head that has learned nothing."""
    rng = np.random.default_rng(seed)

    def drawn(scale: float, *shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    of_items = drawn(n_inputs**-0.5, n_inputs, n_hidden)
    of_context = drawn(0.3, n_context, n_hidden)
    output = drawn(0.3 * n_hidden**-0.5, n_hidden)
    squares = [np.full_like(weights, EPSILON) for weights in (of_items, of_context, output)]
    return NetworkHead(of_items, of_context, output, *squares)


def compute_hidden(head: NetworkHead, items: NDArray[np.float32], context: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (k, h) the hidden layer.

    Args:
        items: (k, f) float32 inputs of the candidates.
        context: (c,) float32 inputs of the user.
    """
    layer = items @ head.of_items
    _activate(layer, context @ head.of_context)
    return layer


def score(head: NetworkHead, hidden_layer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (k,) scores, higher is better."""
    scores: NDArray[np.float32] = hidden_layer @ head.output
    return scores


def learn(
    head: NetworkHead,
    items: NDArray[np.float32],
    context: NDArray[np.float32],
    hidden_layer: NDArray[np.float32],
    errors: NDArray[np.floating],
    step: Step,
) -> NetworkHead:
    """Return the head after one step; arguments as of ``linear_head.learn``.

    Args:
        hidden_layer: What ``compute_hidden`` gave for the same items and head.
    """
    slopes = errors.astype(np.float32, copy=False)
    back, together = _back(slopes, hidden_layer, head.output)
    size, kept = np.float32(step.rate), np.float32(1.0 / step.forgetting)
    of_items, squares_of_items = _step(head.of_items, head.squares_of_items, items.T @ back, size, kept)
    of_context, squares_of_context = _step(
        head.of_context, head.squares_of_context, context[:, None] * together, size, kept
    )
    output, squares_of_output = _step(head.output, head.squares_of_output, slopes @ hidden_layer, size, kept)
    return NetworkHead(of_items, of_context, output, squares_of_items, squares_of_context, squares_of_output)


def decay(head: NetworkHead, factor: float) -> NetworkHead:
    """Return the head with longer steps and the same weights; see ``linear_head.decay``."""

    def scaled(squares: NDArray[np.float32]) -> NDArray[np.float32]:
        fewer: NDArray[np.float32] = np.maximum(np.float32(factor) * squares, np.float32(EPSILON))
        return fewer

    return replace(
        head,
        squares_of_items=scaled(head.squares_of_items),
        squares_of_context=scaled(head.squares_of_context),
        squares_of_output=scaled(head.squares_of_output),
    )


# The products of matrices are left to numpy: BLAS takes a third of the time of a loop.


@kernel()
def _activate(layer: NDArray[np.float32], of_context: NDArray[np.float32]) -> None:
    """Make of sums over the items' inputs, (k, h), and over the user's, (h,), the hidden layer, in place."""
    for index in range(layer.shape[0]):
        for unit in range(layer.shape[1]):
            signal = layer[index, unit] + of_context[unit]
            layer[index, unit] = max(signal, np.float32(LEAK) * signal)


@kernel()
def _back(
    errors: NDArray[np.float32], hidden_layer: NDArray[np.float32], output: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (k, h) how far each sum in front of the hidden layer should rise, and (h,) all candidates together.

    Args:
        errors: (k,) what each score should rise by.
        hidden_layer: (k, h)
        output: (h,) weights.
    """
    back, together = np.empty_like(hidden_layer), np.zeros_like(output)
    for index in range(back.shape[0]):
        for unit in range(back.shape[1]):
            slope = errors[index] * output[unit]
            if hidden_layer[index, unit] < 0:
                slope *= np.float32(LEAK)
            back[index, unit] = slope
            together[unit] += slope
    return back, together


@kernel(error_model="numpy")
def _step(
    weights: NDArray[np.float32],
    squares: NDArray[np.float32],
    gradient: NDArray[np.float32],
    rate: np.float32,
    kept: np.float32,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights and squares, shaped as ``gradient``, after AdaGrad's step; the old squares count ``kept``."""
    stepped, summed = np.empty_like(weights), np.empty_like(squares)
    stepped_flat, summed_flat = stepped.ravel(), summed.ravel()
    weights_flat, squares_flat, gradient_flat = weights.ravel(), squares.ravel(), gradient.ravel()
    for index in range(len(weights_flat)):
        slope = gradient_flat[index]
        newest = slope * slope
        stepped_flat[index] = weights_flat[index] + rate * slope / np.sqrt(squares_flat[index] * kept + newest)
        summed_flat[index] = squares_flat[index] + newest
    return stepped, summed
