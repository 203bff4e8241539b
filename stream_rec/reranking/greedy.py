"""Greedy choice of a list: relevance traded against what a list as a whole should have, by one knob.

    f(Y) = (1 - diversity) * sum of relevance over Y + diversity * sum of terms(Y)

The next item is always the one that adds most to f. Relevance is measured in standard deviations among the candidates,
so the knob means the same whatever the scores' unit and zero; the terms are in nats and, like the sum of relevance,
grow with the length of the list, so the knob means the same at every length.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

TIE_BREAK = 1e-6
"""Least weight of either side: at diversity 1 relevance still decides between items that the terms find equal."""


class Term(Protocol):
    """One thing a list as a whole should have. Made for one list, and changed by every choice."""

    def gains(self) -> np.ndarray:
        """Return what each candidate would add to the term now, (k,), finite; a constant for all does not matter."""
        ...

    def choose(self, place: int) -> None:
        """Take a candidate into the list."""
        ...


def greedy(relevance: np.ndarray, terms: list[Term], n: int, diversity: float) -> np.ndarray:
    """Return the places of at most ``n`` candidates, in the order in which they were chosen.

    Args:
        relevance: (k,) finite, higher is better. Log-probabilities, or scores on any scale.
        diversity: 0 for the ranking by relevance, with ties by place, to 1 for the terms alone.
    """
    if diversity <= 0.0 or not terms:
        return np.argsort(-relevance, kind="stable")[:n]
    worth = max(1.0 - diversity, TIE_BREAK) / max(diversity, TIE_BREAK) * standardized(relevance)
    places = np.empty(min(n, len(relevance)), dtype=np.int64)
    for slot in range(len(places)):
        gains = worth + terms[0].gains()
        for term in terms[1:]:
            gains += term.gains()
        places[slot] = place = int(gains.argmax())
        worth[place] = -np.inf
        if slot + 1 < len(places):  # nobody reads the terms after the last choice
            for term in terms:
                term.choose(place)
    return places


def standardized(relevance: np.ndarray) -> np.ndarray:
    """Return how many standard deviations each lies below the best, (k,), at most 0; all 0 where all are equal."""
    below = relevance - relevance.max(initial=-np.inf)
    centred = below - below.sum() / max(len(below), 1)
    spread = np.sqrt(centred @ centred / max(len(below), 1))
    return below / spread if below.any() and spread > 0 else np.zeros(len(below))
