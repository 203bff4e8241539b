"""Items by words and by meaning, as a page shows them: how each answers a query."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from stream_rec.dashboard.listed import Listed, list_items
from stream_rec.ranking.query_match import match_query
from stream_rec.serving.ranker import Ranker
from stream_rec.serving.wanted import Wanted


class Answer(Struct, frozen=True):
    """One item that answers a query."""

    listed: Listed
    words: float
    """How well by words, as against the best of the list: 0 to 1."""
    meaning: float
    """Cosine of its text with the query, of the encoder by which it is nearest; 0 without one."""


class Found(Struct, frozen=True):
    """Answers to a query, best first."""

    answers: list[Answer]
    item_id: str | None
    """The query, where it is the id of an item."""


def search_items(ranker: Ranker, query: str, n: int) -> Found:
    """Return what answers a query, for nobody in particular, and the item whose id it is."""
    catalog, encode_query = ranker.catalog, ranker.recommender.encode_query
    items = ranker.search(query, None, None, Wanted(n)) or []
    rows = np.array([catalog.find(item.item_id) for item in items], dtype=np.int64)
    vectors = catalog.spaces.whiten_query(() if encode_query is None else encode_query(query))
    matches = match_query(query, vectors, rows, catalog).tolist()
    listed = list_items(catalog, items)
    answers = [Answer(one, words, max(meanings)) for one, (words, *meanings) in zip(listed, matches)]
    return Found(answers, query if catalog.find(query) is not None else None)
