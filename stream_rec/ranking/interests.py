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
from stream_rec.embedding.item_embedding import MAX_SPACES
from stream_rec.ranking import linear_head
from stream_rec.ranking.features import HISTORY
from stream_rec.ranking.linear_head import LinearHead, Step
from stream_rec.retrieval.interests import Interests

NAMES = ("words", *(f"text{space}" for space in range(1, MAX_SPACES + 1)))
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
    fits = np.zeros((len(interests.texts), len(rows), len(NAMES)), dtype=np.float32)
    vectors = catalog.spaces.vectors()[rows]
    for fit, text, wanted in zip(fits, interests.texts, interests.vectors):
        words = catalog.words.score(text, rows)
        fit[:, _WORDS] = words / max(words.max(initial=0.0), 1e-9)
        for space in np.flatnonzero(wanted.any(axis=1)):
            fit[:, 1 + space] = np.maximum(vectors[:, space] @ wanted[space], 0.0)
    return InterestInputs(fits.max(axis=0), fits.sum(axis=2).argmax(axis=0))


def adjust(head: LinearHead, inputs: InterestInputs, history: int) -> NDArray[np.float64]:
    """Return what is to be added to each candidate's log-probability, (k,).

    Args:
        history: Which of the weights by length of history, as of ``Inputs.history``.
    """
    return linear_head.score(head, inputs.items, history).astype(np.float64)


def learn(
    head: LinearHead,
    inputs: InterestInputs,
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
    return linear_head.learn_choices(head, inputs.items, history, log_p, chosen, weights, Step(rate))


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
