"""A user's facts as arrays of catalog rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.interaction import Kind
from stream_rec.user import state as user_state
from stream_rec.user.history import read_history
from stream_rec.user.state import COLD, WEEK_MS
from tests.user.histories import arrivals, event_sets, folded, happened

ROWS = {"a": 10, "b": 11, "c": 12}


def test_recent_items_come_newest_first_and_once_each():
    """An item seen twice stands where it was seen last; one that the catalog does not know takes no place."""
    events = [happened(1, "a"), happened(2, "b"), happened(3, "a"), happened(4, "?"), happened(5, "c")]
    state = folded(arrivals(events))
    whole, short = read_history(state, ROWS.get, recent_items=10), read_history(state, ROWS.get, recent_items=2)

    assert whole.recent_rows.tolist() == [12, 10, 11]
    assert [(e.item_id, e.timestamp_ms) for e in whole.recent] == [("c", 5), ("a", 3), ("b", 2)]
    assert short.recent_rows.tolist() == [12, 10]


def test_own_items_add_up_over_weeks():
    """Counts of all kinds and weeks; the first time is known to the week, the last to the millisecond."""
    events = [
        happened(5, "a"),
        happened(9, "a", Kind.CLICK),
        happened(WEEK_MS + 1, "a", Kind.PURCHASE),
        happened(7, "b"),
        happened(8, "?"),
    ]
    own = read_history(folded(arrivals(events)), ROWS.get, recent_items=10)

    assert own.own_rows.tolist() == [10, 11]
    assert own.own_counts.tolist() == [3, 1]
    assert own.own_first_ms.tolist() == [9, 7]
    assert own.own_last_ms.tolist() == [WEEK_MS + 1, 7]
    assert own.n_repeats == 2


def test_own_items_reach_further_than_recent_ones():
    """The recent events hold 16 events; the weekly counts remember what came before."""
    state = folded(arrivals([happened(0, "a"), *(happened(at, "b") for at in range(1, 20))]))
    found = read_history(state, ROWS.get, recent_items=10)

    assert found.recent_rows.tolist() == [11]
    assert found.own_rows.tolist() == [10, 11]
    assert (found.n_events, found.last_ms) == (20, 19)


@pytest.mark.parametrize(("times", "size"), [([1, 2, 3], 1.0), ([1, 1, 1, 2], 2.0), ([4, 4, 4], 3.0)])
def test_a_group_is_what_shares_a_time(times, size):
    """The lines of an order have one time."""
    events = [happened(at, "a", event_id=f"e{number}") for number, at in enumerate(times)]

    assert read_history(folded(arrivals(events)), ROWS.get, recent_items=10).group_size == size


def test_a_cold_user_has_no_past():
    """Empty arrays of the right types; nothing divides by zero."""
    nothing = read_history(COLD, ROWS.get, recent_items=10)

    assert (nothing.recent, nothing.last_ms) == ([], None)
    assert (nothing.n_events, nothing.n_repeats, nothing.group_size) == (0, 0, 0.0)
    assert nothing.recent_rows.dtype == nothing.own_rows.dtype == int
    assert [len(a) for a in (nothing.recent_rows, nothing.own_rows, nothing.own_counts, nothing.own_last_ms)] == [0] * 4


def test_a_user_of_unknown_items_has_events_but_no_rows():
    """Facts come first, the items may arrive later."""
    found = read_history(folded(arrivals([happened(1, "?"), happened(2, "!")])), ROWS.get, recent_items=10)

    assert (len(found.recent_rows), len(found.own_rows), found.n_repeats) == (0, 0, 0)
    assert (found.n_events, found.last_ms) == (2, 2)


def test_deriving_changes_nothing():
    """Reading never writes."""
    state = folded(arrivals([happened(1, "a"), happened(2, "b")]))
    before = user_state.encode(state)
    read_history(state, ROWS.get, recent_items=1)

    assert user_state.encode(state) == before


@settings(max_examples=100, deadline=None)
@given(events=event_sets(), known=st.sets(st.integers(0, 11)), n=st.integers(1, 12))
def test_a_past_is_what_the_entries_say(events, known, n):
    """Of each item that the catalog knows, by looking through all of the weekly counts and the recent_events."""
    rows = {f"i{item}": 100 - item for item in known}
    state = folded(arrivals(events))
    found = read_history(state, rows.get, recent_items=n)

    own = [count for count in state.weekly_counts if count.item_id in rows]
    of_item = {count.item_id: [other for other in own if other.item_id == count.item_id] for count in own}
    assert found.own_rows.tolist() == [rows[item_id] for item_id in of_item]
    assert found.own_counts.tolist() == [sum(sum(one.counts) for one in of) for of in of_item.values()]
    assert found.own_first_ms.tolist() == [of[0].last_ms for of in of_item.values()]
    assert found.own_last_ms.tolist() == [max(one.last_ms for one in of) for of in of_item.values()]
    assert found.n_counted == found.own_counts.sum()

    newest = {entry.item_id: entry for entry in state.recent_events if entry.item_id in rows}
    recent = sorted(newest.values(), key=lambda entry: entry.order, reverse=True)[:n]
    assert found.recent == recent
    assert found.recent_rows.tolist() == [rows[entry.item_id] for entry in recent]
