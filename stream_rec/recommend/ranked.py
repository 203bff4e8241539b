"""A ranking: scored candidates for one user at one time, and how one is made from another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active
from stream_rec.ranking.asked import AskedInputs
from stream_rec.ranking.interests import InterestInputs
from stream_rec.ranking.left_out import NOTHING, LeftOut
from stream_rec.ranking.mixture import Scored, log_softmax
from stream_rec.retrieval.asked import Asked
from stream_rec.retrieval.candidates import Candidates
from stream_rec.retrieval.interests import Interests
from stream_rec.retrieval.ruled import Exclusions
from stream_rec.user.history import History

SMALLEST = 1e-300
"""In place of a probability that is too small for a number."""


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """For whom something is ranked, when, and what they ask for."""

    history: History
    now_ms: int
    """Event time."""
    contexts: Sequence[int]
    """``ContextNumbers`` of the request."""
    is_filtered: bool
    """Whether only some of what is listed may be shown."""
    rules: Active
    """Those of the time and of the list; it is ranked without them, and learned from so."""
    exclusions: Exclusions | None
    """What they keep from the user; None without rules and boosts."""
    interests: Interests | None
    """What the user says to like."""
    asked: Asked | None
    """What the user asks for."""
    left_out: LeftOut = NOTHING
    """What it is ranked without."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Scored candidates for one user at one time. Arrays run parallel to ``candidates.rows``."""

    request: RankingRequest
    candidates: Candidates
    scored: Scored
    """As the mixture sees them; ``log_p`` is what contexts, interests, searches and impressions make of it."""
    best: NDArray[np.int64]
    """(k,) indices of candidates, the likeliest first."""
    fresh: NDArray[np.int64]
    """(f,) indices of fresh items, ascending."""
    fresh_scored: Scored
    """Those alone, as the experts for fresh items see them."""
    fresh_best: NDArray[np.int64]
    """(f,) the same indices, the best first."""
    fresh_likely: NDArray[np.float64]
    """(f,) how likely each of ``fresh_best`` is chosen, as those experts see it."""
    lifts: NDArray[np.float32] | None = None
    """(k, MOST_KEYS) what the context of the request says of each candidate; None where it says nothing."""
    contextual_log_p: NDArray[np.float64] | None = None
    """(k,) what that makes of ``log_p``; None where it says nothing."""
    fits: InterestInputs | None = None
    """How well each candidate fits what the user says to like."""
    interested_log_p: NDArray[np.float64] | None = None
    """(k,) what that makes of ``contextual_log_p``, or ``log_p``; None without interests."""
    answers: AskedInputs | None = None
    """What is known of each candidate as an answer to what the user asks for."""
    answered_log_p: NDArray[np.float64] | None = None
    """(k,) what that makes of ``log_p``; None without a search."""
    shown: NDArray[np.float32] | None = None
    """(k, len(shown.NAMES)) what is known of each candidate as something to be shown; None before impressions."""


def sort_likeliest(log_p: NDArray[np.float64], rows: NDArray[np.int64], catalog: Catalog) -> NDArray[np.int64]:
    """Return the indices of items, (k,), the most likely first; those that are as likely in one order everywhere."""
    return np.lexsort((catalog.tie_breaks[rows], -log_p))


def put_fillers_last(best: NDArray[np.int64], candidates: Candidates) -> NDArray[np.int64]:
    """Return the indices of candidates, in their order, but those of fillers last."""
    is_filler = candidates.is_filler[best]
    return np.concatenate((best[~is_filler], best[is_filler]))


def aim(ranked: Ranked, worths: NDArray[np.float64], catalog: Catalog) -> Ranked:
    """Return a ranking by what a surface is ordered by, in place of how likely the user chooses each.

    Args:
        worths: (n,) by row of the catalog, above 0 for every candidate; ``log_p`` is of their share in the sum.
    """
    log_p = log_softmax(np.log(worths[ranked.candidates.rows]))
    return replace(
        ranked,
        scored=replace(ranked.scored, log_p=log_p),
        best=sort_likeliest(log_p, ranked.candidates.rows, catalog),
        fresh_best=ranked.fresh_best[:0],
        fresh_likely=ranked.fresh_likely[:0],
    )


def aim_at_fresh(ranked: Ranked) -> Ranked:
    """Return a ranking of the fresh items among its candidates, as the experts for those see them."""
    log_p = np.full(len(ranked.candidates), -np.inf)
    log_p[ranked.fresh_best] = log_softmax(np.log(np.maximum(ranked.fresh_likely, SMALLEST)))
    return replace(ranked, scored=replace(ranked.scored, log_p=log_p), best=ranked.fresh_best)


def keep(ranked: Ranked, is_kept: NDArray[np.bool_]) -> Ranked:
    """Return a ranking from which a list is made of some candidates alone.

    Args:
        is_kept: (k,) bool by candidate.
    """
    is_kept_fresh = is_kept[ranked.fresh_best]
    return replace(
        ranked,
        best=ranked.best[is_kept[ranked.best]],
        fresh_best=ranked.fresh_best[is_kept_fresh],
        fresh_likely=ranked.fresh_likely[is_kept_fresh],
    )
