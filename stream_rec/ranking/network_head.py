"""The network head: networks side by side, each a softmax over the candidates from one hidden layer.

    hidden_i = leaky_relu((x_i - mean x) A + c B)      score_i = hidden_i . v      p = softmax(score)

They find what no weight alone can say, such as that repeats count for users who repeat. A candidate is seen as it
differs from the average one of its list: what all have in common would move all units alike, and says nothing. Each
starts from small random weights (seeded) and learns online like the linear head, by its own errors; what each is worth,
``mixture.py`` decides.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.kernel import kernel
from stream_rec.ranking.linear_head import Step

READING = 2
"""Count up where the same weights would give other scores: heads of before do not fit. 1 did not take the mean away."""
LEAK = 0.05
EPSILON = 1e-6


class NetworkHead(Struct, frozen=True):
    """Weights and AdaGrad's sums of n networks of h units, float32. Arrays are never changed in place."""

    of_items: NDArray[np.float32]
    """(f, n * h) A of each network, side by side: one wide product takes less time than n."""
    of_context: NDArray[np.float32]
    """(c, n * h) B likewise."""
    output: NDArray[np.float32]
    """(n, h) v of each."""
    squares_of_items: NDArray[np.float32]
    squares_of_context: NDArray[np.float32]
    squares_of_output: NDArray[np.float32]


def cold(n_inputs: int, n_context: int, n_hidden: int, seeds: range) -> NetworkHead:
    """Return the head that has learned nothing.

    Args:
        n_hidden: Units of each network.
        seeds: One for each network, which does not depend on the others.
    """
    drawn = [_draw(n_inputs, n_context, n_hidden, seed) for seed in seeds]
    of_items, of_context, output = (np.concatenate(each, axis=-1) for each in zip(*drawn))
    weights = [of_items, of_context, output.reshape(len(seeds), n_hidden)]
    return NetworkHead(*weights, *(np.full_like(each, EPSILON) for each in weights))


def _draw(n_inputs: int, n_context: int, n_hidden: int, seed: int) -> tuple[NDArray[np.float32], ...]:
    rng = np.random.default_rng(seed)

    def drawn(scale: float, *shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    of_items = drawn(n_inputs**-0.5, n_inputs, n_hidden)
    of_context = drawn(0.3, n_context, n_hidden)
    return of_items, of_context, drawn(0.3 * n_hidden**-0.5, n_hidden)


def score(
    head: NetworkHead, items: NDArray[np.float32], context: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (n, k) each network's scores, higher is better, and (k, n * h) the hidden layers, for learning.

    Args:
        items: (k, f) float32 inputs of the candidates.
        context: (c,) float32 inputs of the user.
    """
    hidden: NDArray[np.float32] = items @ head.of_items
    return _activate(hidden, context @ head.of_context, head.output), hidden


def learn(
    head: NetworkHead,
    items: NDArray[np.float32],
    context: NDArray[np.float32],
    hidden: NDArray[np.float32],
    errors: NDArray[np.floating],
    step: Step,
) -> NetworkHead:
    """Return the head after one step; arguments as of ``linear_head.learn``.

    Args:
        hidden: What ``score`` gave for the same items and head.
        errors: (n, k) what each network's scores should rise by.
    """
    back, together, slopes = _back(errors.astype(np.float32, copy=False), hidden, head.output)
    size, kept = np.float32(step.rate), np.float32(1.0 / step.forgetting)
    of_items, squares_of_items = _step(head.of_items, head.squares_of_items, items.T @ back, size, kept)
    of_context, squares_of_context = _step(
        head.of_context, head.squares_of_context, context[:, None] * together, size, kept
    )
    output, squares_of_output = _step(head.output, head.squares_of_output, slopes, size, kept)
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


@kernel(fastmath=True)
def _activate(
    hidden: NDArray[np.float32], of_context: NDArray[np.float32], output: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Make of sums over the items' inputs the hidden layers, in place; return (n, k) the scores.

    Sums over an item less the average one are its own less their average.

    Args:
        hidden: (k, n * h), and ``of_context``: (n * h,) sums over the user's inputs.
        output: (n, h) weights.
    """
    n, h = output.shape
    scores = np.empty((n, len(hidden)), dtype=np.float32)
    shift = np.zeros(n * h, dtype=np.float32)
    for index in range(len(hidden)):
        for each in range(n * h):
            shift[each] += hidden[index, each]
    for each in range(n * h):
        shift[each] = of_context[each] - shift[each] / np.float32(max(1, len(hidden)))
    for index in range(len(hidden)):
        for network in range(n):
            score, begin = np.float32(0.0), network * h
            for unit in range(h):
                signal = hidden[index, begin + unit] + shift[begin + unit]
                hidden[index, begin + unit] = max(signal, np.float32(LEAK) * signal)
                score += hidden[index, begin + unit] * output[network, unit]
            scores[network, index] = score
    return scores


@kernel()
def _back(
    errors: NDArray[np.float32], hidden: NDArray[np.float32], output: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return how far to raise what is in front of the hidden layers, of each candidate and all together, and behind.

    That of each candidate is less the average, as inputs are: it is the same whichever of the two is.

    Args:
        errors: (n, k) what each score should rise by.
        hidden: (k, n * h)
        output: (n, h) weights.

    Returns:
        (k, n * h), (n * h,), and (n, h) for the weights.
    """
    n, h = output.shape
    back, together, slopes = np.empty_like(hidden), np.zeros(n * h, dtype=np.float32), np.zeros_like(output)
    for index in range(len(hidden)):
        for network in range(n):
            error, begin = errors[network, index], network * h
            for unit in range(h):
                value = hidden[index, begin + unit]
                slope = error * output[network, unit]
                slope *= np.float32(1.0) if value >= 0 else np.float32(LEAK)
                back[index, begin + unit] = slope
                together[begin + unit] += slope
                slopes[network, unit] += error * value
    average = together / np.float32(max(1, len(hidden)))
    for index in range(len(hidden)):
        for each in range(n * h):
            back[index, each] -= average[each]
    return back, together, slopes


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
