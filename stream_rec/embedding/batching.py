"""Batches by token budget: texts of like length together, padding counted, so that every pass costs about the same.

Source:
    huggingface/text-embeddings-inference, core/src/queue.rs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def token_batches(lengths: Sequence[int] | NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Return the indices of ``lengths`` in batches, longest texts first; every index comes once.

    Longest first, because a batch that does not fit into memory should show at once and not at the end.

    Args:
        lengths: Tokens of each text, (n,).
        budget: Most tokens of a batch, counted as its longest text times its size. A text that alone is longer
            makes a batch of its own.
    """
    sizes = np.maximum(np.asarray(lengths, dtype=np.int64), 1)
    order = np.argsort(-sizes, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        n = max(1, budget // int(sizes[order[start]]))
        batches.append(order[start : start + n])
        start += n
    return batches


def n_padded(lengths: Sequence[int] | NDArray[np.int64], batches: list[NDArray[np.int64]]) -> int:
    """Return how many tokens these batches cost, padding included."""
    sizes = np.asarray(lengths, dtype=np.int64)
    return sum(int(sizes[batch].max()) * len(batch) for batch in batches)
