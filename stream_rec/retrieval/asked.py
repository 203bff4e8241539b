"""Source `asked`: what fits the user's last search, by what others chose after such a one, by words and by meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.embedding.item_embedding import SpaceVector
from stream_rec.knowledge import queries
from stream_rec.retrieval.fresh import find_nearest_in_each
from stream_rec.retrieval.pool import Pool
from stream_rec.user.answers import REACH_MS
from stream_rec.user.entries import SearchEntry
from stream_rec.user.history import History

EncodeQuery = Callable[[str], tuple[SpaceVector | None, ...]]
"""From a query to its vector in each space, by position as of ``ItemEmbedding.vectors``."""
MOST_CHOSEN, MOST_WORDED, MOST_NEAR = 40, 40, 20
"""Candidates for each number of the query, for its words, and for its vector in each space."""
SMOOTHING = 3.0
"""Answers as many as which speak for nothing in particular."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks for now."""

    search: SearchEntry
    n_answers: int
    """Events that answered it."""
    vectors: NDArray[np.float32]
    """(spaces, c) whitened as those of items, zero where there is none."""
    chosen: tuple[tuple[NDArray[np.int64], NDArray[np.float64]], ...]
    """Rows, ascending, and the share of the answers that each had: of the words, and of the words about this item."""
    rows: NDArray[np.int64]
    """(r,) candidates, all listed; one may stand there twice."""


def find_asked(
    history: History,
    catalog: Catalog,
    encode_query: EncodeQuery | None,
    *,
    event_ms: int,
    now_ms: int,
    pool: Pool | None = None,
) -> Asked | None:
    """Return what the user asks for, None where there was no search, or it was too long ago.

    Args:
        event_ms: Of what the list is made on: how long ago is for the user's own time to say.
        now_ms: That, or the time of others, as far as it goes.
        pool: What may be an answer; None for all that is listed.
    """
    search = history.search
    if search is None or event_ms - search.timestamp_ms > REACH_MS:
        return None
    vectors = catalog.spaces.whiten_query(encode_query(search.query) if encode_query is not None else ())
    chosen = tuple(_find_chosen(number, catalog, now_ms) for number in queries.numbers_of(search.query, search.item_id))
    is_listed = catalog.is_listed if pool is None else pool.is_in
    rows = [_find_most(*each, is_listed) for each in chosen]
    rows.append(catalog.words.search(search.query, MOST_WORDED, is_listed)[0])
    rows.append(find_nearest_in_each(vectors, np.flatnonzero(is_listed), catalog, MOST_NEAR))
    return Asked(search, history.n_answers, vectors, chosen, np.concatenate(rows))


def _find_chosen(number: int, catalog: Catalog, now_ms: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rows, weights = catalog.knowledge.answered.find(number, now_ms)
    order = np.argsort(rows)
    return rows[order], weights[order] / (weights.sum() + SMOOTHING)


def _find_most(rows: NDArray[np.int64], shares: NDArray[np.float64], is_listed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the listed rows with the largest shares."""
    listed = is_listed[rows]
    rows, shares = rows[listed], shares[listed]
    return rows[np.argsort(-shares, kind="stable")[:MOST_CHOSEN]]
