"""How much of what a query asks for items have."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.embedding.item_embedding import MAX_SPACES
from stream_rec.events.item import Item
from stream_rec.ranking.query_match import match_query

TITLES = ("Blue kettle", "Blue cup", "Red pot", "Tin of tea", "How to brew white tea at home")


def match(query: str, *titles: str) -> list[float]:
    """Return how well items match by words."""
    catalog = Catalog()
    for title in titles:
        catalog.put_item(Item(title, title=title))
    vectors = np.zeros((MAX_SPACES, catalog.spaces.vectors().shape[2]), dtype=np.float32)
    return match_query(query, vectors, np.arange(len(titles)), catalog)[:, 0].tolist()


@pytest.mark.parametrize("query", ["kettle", "blue kettle", "the kettle please", "nobody knows this blue kettle"])
def test_an_item_with_all_that_is_known_of_a_query_matches_it_wholly(query: str):
    """Words that no item has are not asked of any."""
    assert match(query, *TITLES)[0] == 1.0


def test_of_a_sentence_the_best_item_has_a_part():
    """It is not taken for a whole answer, though no item has more; the order is as before."""
    matches = match("how red may the tin of a blue pot be at home", *TITLES)

    assert 0.2 < max(matches) < 0.8
    assert matches[3] > matches[1] > 0


def test_a_query_without_a_known_word_matches_nothing():
    """Nor one without any."""
    assert match("nobody", *TITLES) == match("", *TITLES) == [0.0] * len(TITLES)
