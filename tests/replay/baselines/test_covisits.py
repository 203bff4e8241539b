"""Pairs of events."""

from __future__ import annotations

from stream_rec.replay.baselines.covisits import WINDOW, CoVisits
from tests.replay.baselines.worlds import group, shown, taught, world


def test_what_followed_stands_before_what_came_before():
    """0 → 1 → 2: for a user with item 1, item 2 has weight 1, item 0 has BACK; item 3 is popular, and filled in."""
    method = taught(CoVisits(world(5)), group(1, 0), group(1, 1), group(1, 2), group(2, *[3] * 9), group(3, 1))

    assert shown(method, 3)[:3] == [2, 0, 3]


def test_later_items_of_the_user_count_more():
    """0 led to 1, 2 led to 3; whoever had 0 and then 2 is shown 3 first."""
    method = taught(CoVisits(world(4)), group(1, 0, 1), group(2, 2, 3), group(3, 0, 2))

    assert shown(method, 3)[:2] == [3, 1]


def test_items_further_apart_than_the_window_are_no_pair():
    """The event WINDOW places before counts, the one before that does not."""
    pair = taught(CoVisits(world(4)), group(1, 0, *[1] * (WINDOW - 1), 3), group(2, 2, 2, 2), group(4, 0))
    none = taught(CoVisits(world(4)), group(1, 0, *[1] * WINDOW, 3), group(2, 2, 2, 2), group(4, 0))

    assert shown(pair, 4)[:3] == [1, 3, 2]
    assert shown(none, 4)[:3] == [1, 2, 0]


def test_a_share_of_the_events_counts_not_their_number():
    """Item 0 led to 2 in one of eight events, item 1 to 3 in one of two; 1 is the older of the user's two items."""
    method = taught(CoVisits(world(4)), group(1, 0, 2), group(2, 1, 3), group(3, *[0] * 6), group(4, 1, 0))

    items = shown(method, 4)
    assert items.index(3) < items.index(2)


def test_recency_is_chosen_on_the_warm_up():
    """Each user's next item is what followed the newest of two items, never the older ones: the steepest wins."""
    lead = [group(0, 0, 2), group(1, 1, 3, 1, 3, 1, 3)]
    log = [*lead, group(2, 1, 1, 1, 0), group(2, 2)]
    method = taught(CoVisits(world(4, n_warm_groups=4)), *log)

    assert method.recency == 0.6
