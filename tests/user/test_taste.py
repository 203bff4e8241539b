"""Taste: what is derived from facts when a list is made."""

from stream_rec.events.interaction import Kind
from stream_rec.user import state as user_state
from stream_rec.user.state import COLD, WEEK_MS
from stream_rec.user.taste import OwnItem, own_items, recent_items
from tests.user.histories import arrivals, folded, happened


def test_recent_items_come_newest_first_and_once_each():
    """An item seen twice stands where it was seen last, with that event as evidence."""
    state = folded(arrivals([happened(1, "a"), happened(2, "b"), happened(3, "a"), happened(4, "c")]))

    assert [(e.item_id, e.timestamp_ms) for e in recent_items(state, 10)] == [("c", 4), ("a", 3), ("b", 2)]
    assert [e.item_id for e in recent_items(state, 2)] == ["c", "a"]


def test_own_items_add_up_over_weeks():
    """Counts of all weeks in the tally, and the last time in any of them."""
    state = folded(
        arrivals([happened(5, "a"), happened(WEEK_MS + 1, "a", Kind.CLICK), happened(7, "b", Kind.PURCHASE)])
    )

    assert sorted(own_items(state), key=lambda own: own.item_id) == [
        OwnItem("a", (1, 1, 0), WEEK_MS + 1),
        OwnItem("b", (0, 0, 1), 7),
    ]


def test_a_cold_user_has_no_taste():
    """No events, no items."""
    assert recent_items(COLD, 5) == []
    assert own_items(COLD) == []


def test_deriving_changes_nothing():
    """Reading never writes."""
    state = folded(arrivals([happened(1, "a"), happened(2, "b")]))
    before = user_state.encode(state)

    recent_items(state, 1)
    own_items(state)

    assert user_state.encode(state) == before
