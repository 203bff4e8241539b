"""Arrivals applied to a user's state, and the signals they send: each once, the same again after a crash."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.interaction import Kind
from stream_rec.knowledge.visits import visitor_of
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.state import COLD, UserState, facts
from tests.user.histories import (
    ALL_ACKNOWLEDGED,
    SMALL,
    arrivals,
    event_sets,
    folded,
    happened,
    in_log_order,
    pairs_by_arrival,
    pairs_by_distance,
    summed_pairs,
)


def test_an_event_teaches_what_came_before_it():
    """The signal is about the event's own item, with the items before it and when it was seen."""
    after = advance(COLD, arrivals([happened(1, "a"), happened(2, "b", Kind.CLICK)]), SMALL, {})

    about_b = after.signals[1]
    assert (about_b.item_id, about_b.kind, about_b.offset, about_b.seen_ms) == ("b", Kind.CLICK, 0, 2)
    assert about_b.pairs == [("a", 12)]


def test_a_signal_says_who_and_whether_again():
    """Of the event's own item alone: what a late event moves on other items is nobody's visit."""
    after = advance(COLD, arrivals([happened(1, "a"), happened(4, "c"), happened(3, "a")]), SMALL, {})

    first, about_c, again, moved = after.signals
    assert (first.visitor, first.again, about_c.again, again.again) == (visitor_of("u"), False, False, True)
    assert first.visitor == about_c.visitor == again.visitor != visitor_of("v")
    assert (moved.item_id, moved.seen_ms, moved.visitor, moved.again) == ("c", None, 0, False)


def test_a_signal_says_whether_it_is_of_a_users_first_event_of_its_kind():
    """The first of its topic, whatever its time; and still when it must be sent again, after others of before it."""
    events = arrivals([happened(4, "c"), happened(1, "a"), happened(6, "d", Kind.CLICK), happened(7, "c", Kind.CLICK)])
    after = advance(COLD, events, SMALL, {})
    again = advance(after.state, events, SMALL, {})

    assert [(signal.item_id, signal.is_first) for signal in after.signals if signal.seen_ms is not None] == [
        ("c", True),
        ("a", False),
        ("d", True),
        ("c", False),
    ]
    assert not again.is_changed and again.signals == after.signals


def test_a_late_event_corrects_the_items_after_it():
    """b comes late between a and c: c hears that b is its neighbour now, and that a is one place further."""
    after = advance(COLD, arrivals([happened(1, "a"), happened(3, "c"), happened(2, "b")]), SMALL, {})

    about_b, about_c = after.signals[2:]
    assert (about_b.item_id, about_b.seen_ms, about_b.pairs) == ("b", 2, [("a", 12)])
    assert (about_c.item_id, about_c.seen_ms, sorted(about_c.pairs)) == ("c", None, [("a", -1), ("b", 12)])
    assert about_b.offset == about_c.offset == 2


def test_an_event_older_than_a_full_ring_is_counted_without_pairs():
    """What it stood next to is no longer known."""
    full = [happened(at, f"i{at}") for at in range(100, 116)]
    after = advance(COLD, arrivals([*full, happened(5, "late")]), SMALL, {})

    assert [(s.item_id, s.seen_ms, s.pairs) for s in after.signals[16:]] == [("late", 5, [])]


def test_a_replayed_arrival_changes_nothing_and_sends_its_signal_again():
    """It may never have left: the very same signal is made again, the state stays as it is."""
    arrived = arrivals([happened(1, "a"), happened(2, "b"), happened(3, "c")])
    first = advance(COLD, arrived, SMALL, {})
    again = advance(first.state, arrived[1:], SMALL, {})

    assert not again.is_changed
    assert again.state is first.state
    assert again.signals == first.signals[1:]


def test_a_duplicate_teaches_nothing():
    """The same event in another place of the topic has no signal, not even when it is replayed."""
    arrived = arrivals([happened(1, "a"), happened(1, "a")])
    first = advance(COLD, arrived, SMALL, {})
    again = advance(first.state, arrived, SMALL, {})

    assert first.is_changed
    assert first.signals == again.signals
    assert [s.offset for s in first.signals] == [0]


def test_nothing_arrived_is_nothing_changed():
    """No arrivals, no signals."""
    after = advance(COLD, [], SMALL, {})

    assert (after.state, after.is_changed, after.signals) == (COLD, False, [])


def test_a_batch_far_longer_than_the_ring_has_all_its_signals():
    """50 events in one batch of a user who keeps 16: each signal is as if they had come one by one."""
    arrived = arrivals([happened(at, f"i{at % 20}") for at in range(50)])
    batched = advance(COLD, arrived, SMALL, {})

    assert batched.signals == one_by_one(arrived)[1]
    assert [s.offset for s in batched.signals] == list(range(50))
    assert len(batched.state.pending) == 34


def test_pending_entries_go_with_the_next_event_once_their_signals_are_acknowledged():
    """In the steady run the state carries them for one batch."""
    arrived = arrivals([happened(at, "a") for at in range(21)])
    first = advance(COLD, arrived[:20], SMALL, {})

    assert len(first.state.pending) == 4
    assert len(advance(first.state, arrived[20:], SMALL, {0: 18}).state.pending) == 5
    assert len(advance(first.state, arrived[20:], SMALL, {0: 19}).state.pending) == 1


def one_by_one(arrived: list[Arrival]):
    state, made = COLD, []
    for one in arrived:
        after = advance(state, [one], SMALL, ALL_ACKNOWLEDGED)
        state = after.state
        made += after.signals
    return state, made


@settings(max_examples=100, deadline=None)
@given(events=event_sets(), data=st.data())
def test_a_batch_is_the_same_as_one_by_one(events, data):
    """Facts and signals do not depend on where batches end, nor on whether the state was released between."""
    arrived = arrivals(data.draw(st.permutations(events)))
    batched, at = COLD, 0
    made = []
    while at < len(arrived):
        n = data.draw(st.integers(1, 30))
        after = advance(batched, arrived[at : at + n], SMALL, {})
        batched, at = after.state, at + n
        made += after.signals
    single, expected = one_by_one(arrived)

    assert made == expected
    assert facts(batched) == facts(single) == facts(folded(arrived))


@settings(max_examples=100, deadline=None)
@given(events=event_sets(), data=st.data())
def test_signals_made_again_are_the_same_signals(events, data):
    """However far the state has gone on, in whatever order topics are read again: as long as nothing was released."""
    arrived = arrivals(data.draw(st.permutations(events)))
    state = COLD
    original: dict[tuple[int, int], list] = defaultdict(list)
    for one in arrived:
        after = advance(state, [one], SMALL, {})
        state = after.state
        original[one.source, one.offset] = after.signals
    replayed = data.draw(st.permutations(arrived))[: data.draw(st.integers(0, len(arrived)))]
    again = defaultdict(list)
    for signal in advance(state, replayed, SMALL, {}).signals:
        again[signal.kind, signal.offset].append(signal)

    assert again == {(one.source, one.offset): original[one.source, one.offset] for one in replayed}


def test_lines_of_one_order_pair_as_they_stand_in_the_log():
    """Recent events of one time stand in the order of their ids: the nearest twelve are not the last twelve."""
    order = [happened(1, f"i{line}", event_id=f"e{99 - line}") for line in range(14)]
    last = advance(COLD, arrivals([*order, happened(2, "x")]), SMALL, {}).signals[-1]

    assert last.pairs == [(f"i{line}", line - 1) for line in range(13, 1, -1)]


def test_a_ring_whose_bound_has_grown_is_joined_by_what_left_it():
    """Its first id lets the newest of 17 lines leave 16 recent events at once; 19 would have held it."""
    order = [happened(1, f"i{line}", event_id=f"e{99 - line}") for line in range(17)]
    *before, last = arrivals([*order, happened(2, "x")])
    state = advance(COLD, before, SMALL, {}).state

    assert [entry.item_id for entry in state.pending] == ["i16"]
    assert advance(state, [last], UserConfig(recent_events=19), {}).signals[0].pairs[0] == ("i16", 12)


lines = st.tuples(st.integers(0, 9), st.integers(0, 8), st.sampled_from(list(Kind)))
"""Time, item and kind: often one order of many lines."""


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(drawn=st.lists(lines, min_size=20, max_size=60), n_late=st.integers(0, 3), data=st.data())
def test_signals_of_events_in_time_are_those_made_again_from_all_entries(drawn, n_late, data):
    """Most come in the order of time and are the newest: what is made of a few entries is what all of them give.

    Ties, duplicates, batches in which some come late, and bounds that change from one batch to the next.
    """
    events = [
        happened(at, f"i{item}", kind, event_id=f"e{number * 7919 % 101:03}")
        for number, (at, item, kind) in enumerate(sorted(drawn, key=lambda line: line[0]))
    ]
    for _ in range(n_late):
        events.append(events.pop(data.draw(st.integers(0, len(events) - 1))))
    events.insert(data.draw(st.integers(0, len(events))), data.draw(st.sampled_from(events)))
    arrived, state, at = arrivals(events), COLD, 0
    while at < len(arrived):
        recent_events, training_events = (
            data.draw(st.sampled_from([16, 16, 19])),
            data.draw(st.sampled_from([1, 2, 10])),
        )
        config = UserConfig(recent_events=recent_events, weekly_counts=16, weekly_training_events=training_events)
        batch = arrived[at : at + data.draw(st.sampled_from([1, 1, 1, 4, 20]))]
        at += len(batch)
        first = advance(state, batch, config, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
        state = first.state
        assert advance(state, batch, config, {}).signals == first.signals


@settings(max_examples=100, deadline=None)
@given(events=event_sets(max_size=SMALL.recent_events), data=st.data())
def test_pairs_sum_up_to_one_recomputation(events, data):
    """Up to as many events as are kept: the summed changes of any order are the pair weights made in one go."""
    arrived = arrivals(data.draw(st.permutations(events)))

    assert summed_pairs(one_by_one(arrived)[1]) == pairs_by_distance(in_log_order(arrived))


@settings(max_examples=100, deadline=None)
@given(events=event_sets(max_size=50, items=8), data=st.data())
def test_pairs_beyond_the_ring_follow_the_order_of_arrival(events, data):
    """Each event changes what the recent events of its moment are: counted here by weighing that before and after."""
    arrived = arrivals(data.draw(st.permutations(events)))

    assert summed_pairs(one_by_one(arrived)[1]) == pairs_by_arrival(arrived, SMALL.recent_events)


def test_what_was_settled_is_not_made_again():
    """Some of what the late click's signal was made of is gone: made again it would be another signal."""
    early = [happened(at, "x") for at in range(100, 112)]
    arrived = arrivals([*early, happened(200, "b"), happened(150, "z", Kind.CLICK)])
    late = arrived[-1]
    first = advance(COLD, arrived, SMALL, {})
    later = arrivals([*early, happened(200, "b"), *(happened(at, "y") for at in range(300, 305))])[13:]
    moved_on = advance(first.state, later, SMALL, {})
    released = advance(
        moved_on.state, [Arrival(happened(400, "y")[1], Kind.VIEW, 0, 18)], SMALL, ALL_ACKNOWLEDGED
    ).state

    assert [s.item_id for s in first.signals if s.kind == Kind.CLICK] == ["z", "b"]
    assert advance(moved_on.state, [late], SMALL, {}).signals == [s for s in first.signals if s.kind == Kind.CLICK]
    assert advance(released, [late], SMALL, {}).signals == []


@settings(max_examples=40, deadline=None)
@given(events=event_sets(max_size=40))
def test_advancing_leaves_the_old_state_as_it_was(events):
    """State in, state out."""
    arrived = arrivals(events)
    state = folded(arrived[: len(arrived) // 2])
    before = repr(state)

    advance(state, arrived, SMALL, ALL_ACKNOWLEDGED)

    assert repr(state) == before
    assert repr(COLD) == repr(UserState())
