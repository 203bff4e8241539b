"""What a user says to like, as a part of the score: a linear expert that adds to what the mixture says.

    log p'_i = log_softmax(log p_i + (w_shared + w_history) . [how well i fits an interest])

Each input is of the interest that an item fits best. It begins with weights that make the first list of a new user
follow the profile, and the less the more the user has done; choices then say what a profile is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.ranking import linear_head
from stream_rec.ranking.features import HISTORY
from stream_rec.ranking.linear_head import LinearHead
from stream_rec.ranking.query_match import NAMES, match_query
from stream_rec.retrieval.interests import Interests

_WORDS, _TEXT = 0, slice(1, None)
FIRST_WEIGHTS = np.zeros((len(HISTORY) + 1, len(NAMES)))
"""Before anything is learned, by length of history: the best of what was tried on two logs."""
FIRST_WEIGHTS[:, _WORDS] = [2.0, 0.25, 0.0, 0.0]
FIRST_WEIGHTS[:, _TEXT] = np.array([[1.5], [0.75], [0.5], [0.0]])


def _begin() -> LinearHead:
    head = linear_head.cold(len(NAMES), len(FIRST_WEIGHTS))
    weights = head.weights.copy()
    weights[1:] = FIRST_WEIGHTS
    return replace(head, weights=weights)


COLD = _begin()
"""The expert that has learned nothing from choices."""


@dataclass(frozen=True, slots=True)
class InterestInputs:
    """How well each candidate fits."""

    items: NDArray[np.float32]
    """(k, len(NAMES)), 0 to 1: of the interest that it fits best by words, and by each space."""
    best: NDArray[np.int64]
    """(k,) which of the interests it fits best on the whole."""


def compute_inputs(interests: Interests, rows: NDArray[np.int64], catalog: Catalog) -> InterestInputs:
    """Return how well candidates fit.

    Args:
        rows: (k,) of the catalog.
    """
    each = zip(interests.texts, interests.vectors)
    fits = np.array([match_query(text, vectors, rows, catalog) for text, vectors in each])
    return InterestInputs(fits.max(axis=0), fits.sum(axis=2).argmax(axis=0))


def contributions(
    head: LinearHead, inputs: InterestInputs, history: int, indices: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return what fitting an interest speaks for some candidates over the average one, (n,)."""
    over: NDArray[np.float32] = (inputs.items[indices] - inputs.items.mean(axis=0)) @ linear_head.add_weights(
        head, history
    )
    return over


def fits(inputs: InterestInputs, indices: NDArray[np.int64], least_similarity: float) -> NDArray[np.bool_]:
    """Return of some candidates whether it can be said that they fit, (n,): by words, or by similar text."""
    items = inputs.items[indices]
    is_fit: NDArray[np.bool_] = (items[:, _WORDS] > 0) | (items[:, _TEXT] >= least_similarity).any(axis=1)
    return is_fit
