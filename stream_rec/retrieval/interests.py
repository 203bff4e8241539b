"""Source `interest`: what fits what a new user says to like, by words and by meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.asked import EncodeQuery
from stream_rec.retrieval.fresh import find_nearest_to
from stream_rec.retrieval.pool import Pool
from stream_rec.user.history import History

MOST_EVENTS = 20
"""Events of a user from which on what the user does says it better, and interests are not looked at."""
MOST_WORDED, MOST_NEAR = 60, 60
"""Candidates for the words of all interests, and for their vectors, divided among them."""
LEAST_EACH = 5


@dataclass(frozen=True, slots=True)
class Interests:
    """What a user says to like."""

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]
    """(i, spaces, c) whitened as those of items, zero where there is none."""
    rows: NDArray[np.int64]
    """(r,) candidates, all listed; one may stand there more than once."""


def find_interests(
    history: History, catalog: Catalog, encode_query: EncodeQuery | None, *, pool: Pool | None = None
) -> Interests | None:
    """Return what the user says to like, None where that is nothing or the user has done enough.

    Args:
        encode_query: Without it interests are compared by words alone.
        pool: What may be proposed; None for all that is listed.
    """
    texts = tuple(history.interests)
    if not texts or history.n_events >= MOST_EVENTS:
        return None
    spaces = catalog.spaces
    vectors = np.stack([spaces.whiten_query(encode_query(text) if encode_query else ()) for text in texts])
    is_listed = catalog.is_listed if pool is None else pool.is_in
    n_worded, n_near = (max(LEAST_EACH, most // len(texts)) for most in (MOST_WORDED, MOST_NEAR))
    rows = [catalog.words.search(text, n_worded, is_listed)[0] for text in texts]
    rows.append(find_nearest_to(vectors, np.flatnonzero(is_listed), catalog, n_near))
    return Interests(texts, vectors, np.concatenate(rows))
