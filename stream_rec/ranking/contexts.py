"""The context of a request, as a part of the score: a linear expert that adds to what the mixture says.

    log p'_i = log_softmax(log p_i + (w_shared + w_history) . lift_i)

An item's lift by a key is the logarithm of how much more often users come to it where that key has this value than they
come to items there on the whole (``catalog/contexts.py``). All weights begin at 0: until choices have shown that a key
says something, nothing changes, and a key that says nothing stays near it. The mixture below learns from the same
choices without knowing of contexts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.knowledge.contexts import MOST_KEYS
from stream_rec.ranking import linear_head
from stream_rec.ranking.features import HISTORY

COLD = linear_head.cold(MOST_KEYS, len(HISTORY) + 1)
"""The expert that has learned nothing: it adds nothing."""


def compute_inputs(
    contexts: Sequence[int], rows: NDArray[np.int64], catalog: Catalog, now_ms: int
) -> NDArray[np.float32] | None:
    """Return the lift of candidates by declared key, (k, MOST_KEYS); None where nothing is known of any context.

    Args:
        contexts: Those of the request, ``ContextNumbers``.
        rows: (k,) of the catalog.
    """
    known = catalog.knowledge.contexts
    found = [(slot, number) for slot, number in enumerate(contexts) if number and known.is_known(number)]
    if not found or not len(rows):
        return None
    inputs = np.zeros((len(rows), MOST_KEYS), dtype=np.float32)
    for slot, number in found:
        inputs[:, slot] = known.lift(number, rows, now_ms)
    return inputs
