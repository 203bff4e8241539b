"""One user's facts: a function of the set of events, bounded, and never changed in place."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.errors import StateVersionError
from stream_rec.events.interaction import Kind
from stream_rec.user import state as user_state
from stream_rec.user.entries import WEEK_MS
from stream_rec.user.interactions import fold
from stream_rec.user.state import COLD, UserState, digest, facts, is_applied, release
from tests.user.histories import ALL_ACKNOWLEDGED, SMALL, arrivals, event_sets, folded, happened


@settings(max_examples=150, deadline=None)
@given(events=event_sets(), data=st.data())
def test_any_order_of_arrival_gives_the_same_facts(events, data):
    """Recent events, weekly counts and their first week are a function of the set of events, of those that left too."""
    shuffled = data.draw(st.permutations(events))

    assert facts(folded(arrivals(events))) == facts(folded(arrivals(shuffled)))


@settings(max_examples=60, deadline=None)
@given(events=event_sets(max_size=70, weeks=2, items=40), data=st.data())
def test_any_order_gives_the_same_facts_where_one_week_is_over_the_bound(events, data):
    """A week with more items than the weekly counts may hold keeps the same of them in any order."""
    shuffled = data.draw(st.permutations(events))

    assert facts(folded(arrivals(events))) == facts(folded(arrivals(shuffled)))


@settings(max_examples=100, deadline=None)
@given(events=event_sets(), data=st.data())
def test_duplicates_within_the_ring_change_no_facts(events, data):
    """An event that comes again, in any topic's next offset, while the recent events still have it, is one event."""
    state = with_duplicates = COLD
    offset = 0
    for kind, event in events:
        state = fold(state, event, kind, offset, SMALL)
        with_duplicates = fold(with_duplicates, event, kind, offset, SMALL)
        for again in data.draw(st.lists(st.sampled_from(with_duplicates.recent_events), max_size=2)):
            offset += 1
            with_duplicates = fold(with_duplicates, happened_as(again), Kind(again.kind), offset, SMALL)
        offset += 1

    assert facts(state) == facts(with_duplicates)


def happened_as(entry):
    return happened(entry.timestamp_ms, entry.item_id, Kind(entry.kind), event_id=entry.event_id)[1]


@settings(max_examples=60, deadline=None)
@given(events=event_sets(max_size=90, items=40))
def test_everything_is_bounded_and_ordered(events):
    """Recent events and weekly counts stay within their bounds; both keep their orders; counts count everything."""
    state = folded(arrivals(events))

    assert len(state.recent_events) == min(len(events), SMALL.recent_events)
    assert len(state.weekly_counts) <= SMALL.weekly_counts
    assert [e.order for e in state.recent_events] == sorted(e.order for e in state.recent_events)
    assert [(t.week, t.item_id) for t in state.weekly_counts] == sorted(
        {(t.week, t.item_id) for t in state.weekly_counts}
    )
    assert sum(state.counts) == len(events) == state.arrivals
    assert state.first_ms == min((e.timestamp_ms for _, e in events), default=None)


def test_the_ring_keeps_the_newest_in_event_time():
    """What comes late and is older than all of them does not displace anything, and is counted all the same."""
    state = folded(arrivals([*(happened(at, "a") for at in range(100, 116)), happened(5, "late")]))

    assert [e.timestamp_ms for e in state.recent_events] == list(range(100, 116))
    assert state.counts == (17, 0, 0)
    assert state.first_ms == 5
    assert [e.item_id for e in state.pending] == ["late"]


def test_ties_in_time_are_ordered_by_event_id():
    """Two events of one millisecond have one order, whichever came first."""
    events = [happened(5, "b", event_id="2"), happened(5, "a", event_id="1")]

    assert [e.item_id for e in folded(arrivals(events)).recent_events] == ["a", "b"]


def test_whole_weeks_leave_the_weekly_counts_oldest_first():
    """16 items of week 1 fill the weekly counts; one of week 2 drives week 1 out, and a late event of it stays out."""
    week_1 = [happened(WEEK_MS, f"i{n}") for n in range(16)]
    state = folded(arrivals([*week_1, happened(2 * WEEK_MS, "new"), happened(WEEK_MS + 1, "late")]))

    assert [(t.week, t.item_id) for t in state.weekly_counts] == [(2, "new")]
    assert state.first_week == 2


def test_a_single_week_over_the_bound_stays():
    """The newest week is never dropped whole: 20 items in one week leave 16."""
    state = folded(arrivals([happened(WEEK_MS, f"i{n}") for n in range(20)]))

    assert len(state.weekly_counts) == 16
    assert state.first_week == -1


def test_weekly_counts_count_by_kind_and_keeps_the_latest_time():
    """One entry for an item and week: counts of views, clicks, purchases, and the last of their times."""
    state = folded(arrivals([happened(9, "a"), happened(3, "a", Kind.PURCHASE), happened(4, "a")]))

    assert [(t.item_id, t.counts, t.last_ms) for t in state.weekly_counts] == [("a", (2, 0, 1), 9)]


@settings(max_examples=40, deadline=None)
@given(events=event_sets(max_size=40))
def test_folding_leaves_the_old_state_as_it_was(events):
    """State in, state out: in Faust a value changed in place is lost at the next recovery."""
    state = COLD
    for one in arrivals(events):
        before = user_state.encode(state)
        after = fold(state, one.event, Kind(one.source), one.offset, SMALL)
        assert user_state.encode(state) == before
        state = after
    assert user_state.encode(COLD) == user_state.encode(UserState())


@settings(max_examples=40, deadline=None)
@given(events=event_sets(max_size=40))
def test_a_state_survives_its_bytes(events):
    """Decoding what was encoded gives an equal state, bookkeeping included."""
    state = folded(arrivals(events))

    assert user_state.decode(user_state.encode(state)) == state


def test_facts_leave_bookkeeping_out():
    """The same event at another offset is the same fact; who came first of two is none."""
    first = fold(COLD, happened(1, "a")[1], Kind.VIEW, 0, SMALL)
    second = fold(COLD, happened(1, "a")[1], Kind.VIEW, 77, SMALL)

    assert first != second
    assert facts(first) == facts(second)

    events = [happened(1, "a"), happened(2, "a")]
    forward, backward = folded(arrivals(events)), folded(arrivals(events[::-1]))
    assert [e.again for e in forward.recent_events] != [e.again for e in backward.recent_events]
    assert facts(forward) == facts(backward)


@pytest.mark.parametrize("other", [happened(2, "a"), happened(1, "b"), happened(1, "a", Kind.CLICK)])
def test_different_facts_have_different_bytes(other):
    """Time, item and kind all count."""
    assert facts(folded(arrivals([happened(1, "a")]))) != facts(folded(arrivals([other])))


def test_a_digest_does_not_depend_on_the_order_of_users():
    """It is one number for many users, and changes with any of them."""
    one, two = folded(arrivals([happened(1, "a")])), folded(arrivals([happened(2, "b")]))

    assert digest({"x": one, "y": two}) == digest({"y": two, "x": one})
    assert digest({"x": one, "y": two}) != digest({"x": two, "y": one})


def test_a_duplicate_notes_its_offset_only():
    """So that it is known as applied when it is replayed."""
    once = fold(COLD, happened(1, "a")[1], Kind.VIEW, 3, SMALL)
    twice = fold(once, happened(1, "a")[1], Kind.VIEW, 4, SMALL)

    assert twice == msgspec.structs.replace(once, offsets={0: 4})


def test_offsets_are_kept_for_each_topic():
    """An offset says something about its own topic alone."""
    state = fold(COLD, happened(1, "a")[1], Kind.CLICK, 5, SMALL)

    assert is_applied(state, Kind.CLICK, 5)
    assert not is_applied(state, Kind.CLICK, 6)
    assert not is_applied(state, Kind.VIEW, 0)


def test_pending_entries_stay_until_every_signal_is_acknowledged():
    """One event of any topic above its acknowledged offset keeps them all: its signal may pair with them."""
    events = [*(happened(at, "a") for at in range(17)), happened(99, "b", Kind.CLICK)]
    state = folded(arrivals(events))

    assert len(state.pending) == 2
    assert release(state, {0: 16}) is state
    assert release(state, {0: 15, 1: 0}) is state
    assert release(state, {0: 16, 1: 0}).pending == []
    assert facts(release(state, ALL_ACKNOWLEDGED)) == facts(state)


@settings(max_examples=100, deadline=None)
@given(events=event_sets(max_size=20), margins=st.tuples(*[st.integers(-1, 1)] * 3))
def test_a_state_is_settled_when_no_entry_lies_above_what_is_safe(events, margins):
    """Entries alone count: a duplicate's offset is no signal's."""
    events = [*events, *(happened(WEEK_MS * 9, "a", event_id=f"late {number}") for number in range(17))]
    state = folded(arrivals([*events, events[-1]]))
    entries = [*state.recent_events, *state.pending]
    acknowledged = {
        kind: max((entry.offset for entry in entries if entry.kind == kind), default=0) + margin
        for kind, margin in enumerate(margins)
    }
    after = release(state, acknowledged)

    is_open = any(entry.offset > acknowledged[entry.kind] for entry in entries)
    assert after.pending == (state.pending if is_open else [])
    assert after.released == (state.released if is_open else state.offsets)


def test_a_newer_version_is_refused():
    """A program must not guess at what a newer one wrote."""
    newer = user_state.VERSION + 1
    data = user_state.encode(msgspec.structs.replace(COLD, version=newer))

    with pytest.raises(StateVersionError, match=f"version {newer}"):
        user_state.decode(data)


def test_an_older_version_is_read():
    """Entries of version 1 did not say whether the user had the item before; the facts are the same."""
    state = folded(arrivals([happened(1, "a"), happened(2, "a")]))
    old = msgspec.msgpack.decode(user_state.encode(state))
    old[0] = 1
    old[1] = [entry[:7] for entry in old[1]]
    read = user_state.decode(msgspec.msgpack.encode(old))

    assert facts(read) == facts(state)
    assert [(entry.again, entry.teaches) for entry in read.recent_events] == [(False, True), (False, True)]


def test_an_entry_notes_whether_the_item_was_there_before():
    """Before in the order of arrival; also where the first event with it is not recent: weekly counts reach far."""
    state = folded(arrivals([happened(9, "a"), happened(1, "b"), happened(5, "a", Kind.CLICK)]))
    assert [(e.item_id, e.again) for e in state.recent_events] == [("b", False), ("a", True), ("a", False)]

    long_ago = folded(arrivals([happened(0, "a"), *(happened(at, "b") for at in range(1, 20)), happened(30, "a")]))
    assert "a" not in {e.item_id for e in long_ago.recent_events[:-1]}
    assert long_ago.newest.again


@pytest.mark.parametrize("data", [b"", b"\xc1", b"{}", b"\x93\x01\x02\x03", b"\x91\xa1x"])
def test_bytes_that_are_no_state_are_refused(data):
    """Never a half-read state."""
    with pytest.raises(StateVersionError, match="cannot be read"):
        user_state.decode(data)


def test_a_cold_user_has_nothing():
    """Nothing known is a state like any other."""
    assert COLD.is_cold
    assert COLD.newest is None
    assert folded(arrivals([happened(1, "a")])).newest.item_id == "a"
