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
from stream_rec.ranking.linear_head import LinearHead, Step

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


def adjust(head: LinearHead, inputs: NDArray[np.float32], history: int) -> NDArray[np.float64]:
    """Return what is to be added to each candidate's log-probability, (k,).

    Args:
        history: Which of the weights by length of history, as of ``Inputs.history``.
    """
    return linear_head.score(head, inputs, history).astype(np.float64)


def learn(
    head: LinearHead,
    inputs: NDArray[np.float32],
    history: int,
    log_p: NDArray[np.float64],
    chosen: NDArray[np.int64],
    weights: NDArray[np.float64],
    rate: float,
) -> LinearHead:
    """Return the expert after choices.

    Args:
        log_p: (k,) with what it added.
        chosen: (c,) indices of candidates, c at least 1, and ``weights``: (c,) how much each counts, above 0.
        rate: AdaGrad's step size.
    """
    return linear_head.learn_choices(head, inputs, history, log_p, chosen, weights, Step(rate))
