"""What was asked for, as a part of the score: a linear expert on top of the mixture, learned from what users choose.

    score_i = (w_shared + w_part) . [log p_i of the mixture, what speaks for i as an answer]        p = softmax(score)

There is one part of weights for the first choice after a search, one for the next two, one for those behind. Nothing
here changes the list of a user who has not asked for anything. It begins with weights that a search would have, so that
the very first one is answered; choices after searches then say what they are worth.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.catalog.arrays import find_sorted
from stream_rec.catalog.catalog import Catalog
from stream_rec.embedding.item_embedding import MAX_SPACES
from stream_rec.ranking import linear_head, query_match
from stream_rec.ranking.linear_head import LinearHead, Step
from stream_rec.ranking.mixture import log_softmax
from stream_rec.ranking.query_match import match_query
from stream_rec.retrieval.asked import Asked

NAMES = (
    *("log_p", "chosen", "log_chosen", "chosen_of_item", "log_chosen_of_item"),
    *query_match.NAMES,
)
PARTS = (1, 3)
"""Answers from which on other weights count."""
FIRST_WEIGHTS = np.array([10.0, 0.0, 2.0, 0.0, 4.0, 6.0, *[4.0] * MAX_SPACES])
"""Before anything is learned, for the first choice after a search."""
FADED = np.array([0.0, 0.5, 0.75])
"""How much less an answer counts then in each of the parts: the search may be over."""
LOG_P_SCALE = 0.1
"""Of the log-probabilities, so that no input is far larger than others."""
_LOG_P, _CHOSEN, _WORDS, _TEXT = map(NAMES.index, ("log_p", "chosen", "words", "text1"))


def _begin() -> LinearHead:
    head = linear_head.cold(len(NAMES), len(PARTS) + 1)
    weights = head.weights.copy()
    weights[0] = FIRST_WEIGHTS
    weights[1:, _LOG_P + 1 :] = -FADED[:, None] * FIRST_WEIGHTS[_LOG_P + 1 :]
    return replace(head, weights=weights)


COLD = _begin()
"""The expert that has learned nothing from choices."""


@dataclass(frozen=True, slots=True)
class AskedInputs:
    """What is known of each candidate as an answer."""

    items: NDArray[np.float32]
    """(k, len(NAMES))"""
    part: int
    """Which of the parts of weights."""


def compute_inputs(asked: Asked, rows: NDArray[np.int64], log_p: NDArray[np.float64], catalog: Catalog) -> AskedInputs:
    """Return what is known of candidates.

    Args:
        rows: (k,) of the catalog, ascending.
        log_p: (k,) of the mixture.
    """
    items = np.zeros((len(rows), len(NAMES)), dtype=np.float32)
    items[:, _LOG_P] = LOG_P_SCALE * (log_p - log_p.max(initial=-np.inf)) if len(rows) else 0.0
    for number, (found, shares) in enumerate(asked.chosen):
        if len(found):
            at, is_found = find_sorted(found, rows)
            share = np.where(is_found, shares[at], 0.0)
            items[:, _CHOSEN + 2 * number] = share
            items[:, _CHOSEN + 2 * number + 1] = np.log1p(1000.0 * share) / np.log(1001.0)
    items[:, _WORDS:] = match_query(asked.search.query, asked.vectors, rows, catalog)
    return AskedInputs(items, bisect_right(PARTS, asked.n_answers))


def score(head: LinearHead, inputs: AskedInputs) -> NDArray[np.float64]:
    """Return the log-probabilities of the candidates, (k,)."""
    scores = linear_head.score(head, inputs.items, inputs.part)
    log_p: NDArray[np.float64] = log_softmax(scores.astype(np.float64))
    return log_p


def learn(
    head: LinearHead,
    inputs: AskedInputs,
    log_p: NDArray[np.float64],
    chosen: NDArray[np.int64],
    weights: NDArray[np.float64],
    rate: float,
) -> LinearHead:
    """Return the expert after choices.

    Args:
        log_p: (k,) what ``score`` gave.
        chosen: (c,) indices of candidates, c at least 1, and ``weights``: (c,) how much each counts, above 0.
        rate: AdaGrad's step size.
    """
    return linear_head.learn_choices(head, inputs.items, inputs.part, log_p, chosen, weights, Step(rate))


def contributions(head: LinearHead, inputs: AskedInputs, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what being an answer speaks for some candidates over the average one, (n,)."""
    answers = inputs.items[:, _LOG_P + 1 :]
    weights = linear_head.add_weights(head, inputs.part)[_LOG_P + 1 :]
    over: NDArray[np.float32] = (answers[indices] - answers.mean(axis=0)) @ weights
    return over


def is_answer(inputs: AskedInputs, indices: NDArray[np.int64], least_similarity: float) -> NDArray[np.bool_]:
    """Return of some candidates whether it can be said that they answer, (n,): by choices, words or similar text."""
    items = inputs.items[indices]
    is_known = np.concatenate((items[:, _CHOSEN : _WORDS + 1] > 0, items[:, _TEXT:] >= least_similarity), axis=1)
    known: NDArray[np.bool_] = np.logical_or.reduce(is_known, axis=1)
    return known
