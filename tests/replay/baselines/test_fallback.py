"""What fills lists, and what may stand on them."""

from __future__ import annotations

import pytest

from stream_rec.replay.baselines.fallback import Fallback
from stream_rec.replay.baselines.lists import NEVER
from tests.replay.baselines.worlds import group, taught, world

AGAIN = [group(1, 0), group(1, 0)]
EVER_NEW = [group(1, 0), group(1, 1)]
TWICE_AT_ONCE = [group(1, 0, 0), group(1, 1)]


@pytest.mark.parametrize(
    ("log", "has_repeats"), [(AGAIN, True), (EVER_NEW, False), (TWICE_AT_ONCE, False), (EVER_NEW[:1], True)]
)
def test_repeats_are_counted_on_the_first_half_of_the_warm_up(log: list, has_repeats: bool):
    """Two of four groups; one item twice in a group is no return. Until then returning is assumed."""
    fallback = taught(Fallback(world(3, n_warm_groups=4)), *log)

    assert fallback.has_repeats == has_repeats
    assert (fallback.levels(1)[0] > NEVER) == has_repeats
    assert (fallback.levels(2) > NEVER).all()


def test_without_a_warm_up_everything_may_be_shown_again():
    """Nothing was counted that says otherwise."""
    assert taught(Fallback(world(3)), *EVER_NEW).has_repeats
