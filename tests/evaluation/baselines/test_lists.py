"""From scores to lists."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.baselines.lists import NEVER, fill, select_best


@pytest.mark.parametrize(("n", "items"), [(0, []), (1, [2]), (2, [2, 1]), (3, [2, 1, 3]), (9, [2, 1, 3])])
def test_equal_scores_stand_by_number(n: int, items: list[int]):
    """Wherever the list is cut; what may never be shown is not, also where the list stays short."""
    assert select_best(np.array([NEVER, 4.0, 7.0, 4.0]), n).tolist() == items


def test_of_many_equal_items_the_first_are_taken():
    """The cut through equal scores is by number too."""
    assert select_best(np.array([0.0, 5.0] + [1.0] * 50), 4).tolist() == [1, 2, 3, 4]


def test_what_has_no_score_comes_after_by_the_fallback():
    """And what the fallback forbids does not come, whatever its score."""
    scores = np.array([0.0, 3.0, 0.0, 5.0, 9.0])
    fallback = np.array([1.0, 9.0, 2.0, -5.0, NEVER])

    assert fill(scores, fallback, 3).tolist() == [3, 1, 2]
    assert fill(scores, fallback, 9).tolist() == [3, 1, 2, 0]
    assert fallback.tolist() == [1.0, 9.0, 2.0, -5.0, NEVER]
