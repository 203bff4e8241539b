"""A user's facts as arrays of catalog rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.interaction import Kind
from stream_rec.user import state as user_state
from stream_rec.user.entries import WEEK_MS
from stream_rec.user.history import SESSION_BREAK_MS, read_history
from stream_rec.user.state import COLD
from tests.user.asked import came, logged
from tests.user.histories import arrivals, event_sets, folded, happened
from tests.user.shown import shown

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


@pytest.mark.parametrize(
    ("times", "length"),
    [
        ([0], 1),
        ([0, 1, 2], 3),
        ([0, SESSION_BREAK_MS - 1], 2),
        ([0, SESSION_BREAK_MS], 1),
        ([0, SESSION_BREAK_MS, SESSION_BREAK_MS + 1], 2),
        ([0, SESSION_BREAK_MS - 1, 2 * SESSION_BREAK_MS - 2], 3),
        ([0, 1, 5 * SESSION_BREAK_MS, 5 * SESSION_BREAK_MS], 2),
        ([5 * SESSION_BREAK_MS, 5 * SESSION_BREAK_MS + 1, 0], 2),
        ([0, SESSION_BREAK_MS, SESSION_BREAK_MS // 2], 3),
    ],
)
def test_half_an_hour_without_events_ends_a_session(times, length):
    """Between two events, not since the first; a late event may lie before the pause, or within it."""
    events = [happened(at, "a", event_id=f"e{number}") for number, at in enumerate(times)]

    assert read_history(folded(arrivals(events)), ROWS.get, recent_items=10).session_length == length


def test_a_session_is_as_long_as_the_recent_events_reach():
    """16 of them, whatever came before."""
    state = folded(arrivals([happened(at, "a") for at in range(40)]))

    assert read_history(state, ROWS.get, recent_items=10).session_length == 16


def test_the_last_kind_is_the_newest_events():
    """In event time: what comes late is not the last."""
    state = folded(arrivals([happened(5, "a", Kind.PURCHASE), happened(2, "b", Kind.CLICK)]))
    found = read_history(state, ROWS.get, recent_items=10)

    assert found.last_kind is Kind.PURCHASE


@pytest.mark.parametrize(
    ("items", "is_repeat"),
    [("a", False), ("ab", False), ("aa", True), ("aba", True), ("aab", False), ("a?", False), ("??", False)],
)
def test_the_last_is_a_repeat_where_its_item_came_before(items, is_repeat):
    """However long before, as far as the weekly counts reach; of items that the catalog knows."""
    events = [happened(number * WEEK_MS, item) for number, item in enumerate(items)]

    assert read_history(folded(arrivals(events)), ROWS.get, recent_items=10).last_is_repeat == is_repeat


def test_that_the_last_is_a_repeat_does_not_depend_on_what_came_first():
    """An event that comes late was before it all the same; that the same event came twice makes no repeat."""
    events = [happened(1, "a"), happened(2, "b"), happened(9, "a")]
    in_order, late = folded(arrivals(events)), folded(arrivals(events[::-1]))
    twice = folded(arrivals([happened(1, "a", event_id="e"), happened(1, "a", event_id="e")]))

    assert [state.newest.again for state in (in_order, late)] == [True, False]  # why it is not this that counts
    assert read_history(in_order, ROWS.get, recent_items=10).last_is_repeat
    assert read_history(late, ROWS.get, recent_items=10).last_is_repeat
    assert not read_history(twice, ROWS.get, recent_items=10).last_is_repeat


@settings(max_examples=100, deadline=None)
@given(events=event_sets(), data=st.data())
def test_any_order_of_arrival_gives_the_same_past(events, data):
    """All that lists are made of is a function of the set of events."""
    rows = {f"i{item}": 100 - item for item in range(9)}
    one, other = (
        read_history(folded(arrivals(each)), rows.get, recent_items=10)
        for each in (events, data.draw(st.permutations(events)))
    )

    for name in ("last_ms", "last_kind", "last_is_repeat", "session_length", "group_size", "n_events", "n_counted"):
        assert getattr(one, name) == getattr(other, name), name


def test_a_cold_user_has_no_past():
    """Empty arrays of the right types; nothing divides by zero."""
    nothing = read_history(COLD, ROWS.get, recent_items=10)

    assert (nothing.recent, nothing.last_ms) == ([], None)
    assert (nothing.n_events, nothing.n_repeats, nothing.group_size) == (0, 0, 0.0)
    assert (nothing.last_kind, nothing.last_is_repeat, nothing.session_length) == (None, False, 0)
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

    last = max(state.recent_events, key=lambda entry: entry.order, default=None)
    assert found.last_kind == (last and last.kind)
    had = [sum(sum(one.counts) for one in of) for item_id, of in of_item.items() if last and item_id == last.item_id]
    assert found.last_is_repeat == (had > [1])
    assert found.session_length == sum(
        all(b - a < SESSION_BREAK_MS for a, b in pairwise([e.timestamp_ms for e in state.recent_events[n:]]))
        for n in range(len(state.recent_events))
    )

    newest = {entry.item_id: entry for entry in state.recent_events if entry.item_id in rows}
    recent = sorted(newest.values(), key=lambda entry: entry.order, reverse=True)[:n]
    assert found.recent == recent
    assert found.recent_rows.tolist() == [rows[entry.item_id] for entry in recent]


def test_what_was_shown_before_the_user_came_to_it_was_not_in_vain():
    """Three times before the choice and twice after it, within the hour: twice; and of another item five times."""
    did = [*(shown(at, "a", "b") for at in range(3)), came(20, "a"), shown(30, "a", "b"), shown(31, "b", "a")]
    history = read_history(folded(logged(did)), {"a": 0, "b": 1}.get, recent_items=10)
    looked_at = dict(zip(history.shown.rows.tolist(), history.shown.times.tolist()))

    assert looked_at[0] == pytest.approx(1 + 2**-0.5)
    assert looked_at[1] == pytest.approx(4 * 2**-0.5 + 1, abs=0.1)
    assert history.shown.last_ms.tolist() == [31, 31]
