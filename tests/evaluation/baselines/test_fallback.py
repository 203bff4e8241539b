"""What fills lists, and what may stand on them."""

from __future__ import annotations

import pytest

from stream_rec.evaluation.baselines.fallback import Fallback, Filling
from stream_rec.evaluation.baselines.lists import NEVER
from tests.evaluation.baselines.worlds import HOUR_MS, group, taught, world


@pytest.mark.parametrize("without_taken", [False, True])
def test_what_the_user_took_is_left_out_where_that_was_chosen(without_taken: bool):
    """For that user alone."""
    fallback = taught(Fallback(world(3), Filling(without_taken=without_taken)), group(1, 0))

    assert (fallback.levels(1)[0] == NEVER) == without_taken
    assert (fallback.levels(1)[1:] > NEVER).all() and (fallback.levels(2) > NEVER).all()


def test_others_stand_by_decayed_popularity():
    """Two events two hours ago, one now; the half-life is an hour."""
    fallback = taught(
        Fallback(world(2), Filling(fill_half_life_days=1 / 24)), group(1, 0, 0), group(1, 1, at_ms=2 * HOUR_MS)
    )

    assert fallback.shares().tolist() == pytest.approx([0.5, 1.0])
    assert fallback.levels(1).argmax() == 1
