"""Nearness in text."""

from __future__ import annotations

import pytest

from stream_rec.evaluation.baselines.text_similarity import Settings, TextSimilarity
from tests.evaluation.baselines.worlds import group, shown, taught, world

LAST = 20
EAST, NORTH, NORTH_EAST, NOTHING = (1, 0), (0, 1), (0.6, 0.8), (0, 0)


def test_nearness_and_popularity_add_up():
    """User 1 looks east: cosines 1, 0, 0.6; item 1 is the most popular (9 events), the others have 1 and none."""
    method = taught(
        TextSimilarity(world(3, vectors=[EAST, NORTH, NORTH_EAST]), Settings()), group(2, *[1] * 9), group(1, 0)
    )

    assert shown(method, 1) == [0, 2, 1]  # 1 + 0.06, 0.6, 0.5


def test_only_the_last_items_make_the_taste():
    """Item 0 has left the last ones, which all look north."""
    vectors = [EAST, *[NORTH] * LAST, EAST, NORTH_EAST]
    method = taught(
        TextSimilarity(world(len(vectors), vectors=vectors), Settings(last=LAST)), group(1, *range(LAST + 1))
    )

    assert shown(method, 1, n=LAST + 1)[-1] == LAST + 2


@pytest.mark.parametrize("items", [(), (1, 1)])
def test_without_a_taste_lists_are_popular(items: tuple[int, ...]):
    """No events, or only of items without text."""
    method = taught(TextSimilarity(world(2, vectors=[EAST, NOTHING]), Settings()), group(2, 1, 1, 0), group(1, *items))

    assert shown(method, 1) == [1, 0]


@pytest.mark.parametrize(("recency", "first"), [(1.0, 0), (0.2, 1)])
def test_newer_items_count_more_where_recency_is_below_1(recency: float, first: int):
    """Two looks east, then one north: (2, 1), or (0.24, 1)."""
    settings = Settings(popularity=0.0, recency=recency)
    method = taught(TextSimilarity(world(4, vectors=[EAST, NORTH, EAST, NORTH]), settings), group(1, 0, 2, 3))

    assert shown(method, 1)[0] == first
