"""Nearness in text."""

from __future__ import annotations

import pytest

from stream_rec.replay.baselines.text_similarity import LAST, POPULARITY, TextSimilarity
from tests.replay.baselines.worlds import group, shown, taught, world

EAST, NORTH, NORTH_EAST, NOTHING = (1, 0), (0, 1), (0.6, 0.8), (0, 0)


def test_nearness_and_popularity_add_up():
    """User 1 looks east: cosines 1, 0, 0.6; item 1 is the most popular (9 events), the others have 1 and none."""
    method = taught(TextSimilarity(world(3, vectors=[EAST, NORTH, NORTH_EAST])), group(2, *[1] * 9), group(1, 0))

    assert pytest.approx(0.5) == POPULARITY
    assert shown(method, 1) == [0, 2, 1]  # 1 + 0.06, 0.6, 0.5


def test_only_the_last_items_make_the_taste():
    """Item 0 has left the last ones, which all look north."""
    vectors = [EAST, *[NORTH] * LAST, EAST, NORTH_EAST]
    method = taught(TextSimilarity(world(len(vectors), vectors=vectors)), group(1, *range(LAST + 1)))

    assert shown(method, 1, n=LAST + 1)[-1] == LAST + 2


@pytest.mark.parametrize("items", [(), (1, 1)])
def test_without_a_taste_lists_are_popular(items: tuple[int, ...]):
    """No events, or only of items without text."""
    method = taught(TextSimilarity(world(2, vectors=[EAST, NOTHING])), group(2, 1, 1, 0), group(1, *items))

    assert shown(method, 1) == [1, 0]
