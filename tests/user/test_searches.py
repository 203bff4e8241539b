"""Searches and events applied to a user's state: what answers what reaches the items exactly, in any order."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.source import Source
from stream_rec.knowledge.queries import numbers_of
from stream_rec.user import seen
from stream_rec.user import state as user_state
from stream_rec.user.advance import advance
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import LONGEST_TEXT
from stream_rec.user.history import read_history
from stream_rec.user.searches import fold_search
from stream_rec.user.state import COLD, UserState, facts, release
from tests.user.asked import (
    MINUTE_MS,
    NARROW,
    WIDE,
    asked,
    came,
    in_batches,
    logged,
    logs,
    one_by_one,
    out_of_step,
    taught_by_arrival,
    what_answers,
    what_is_taught,
    what_signals_say,
)
from tests.user.histories import ALL_ACKNOWLEDGED, folded

(RED,) = numbers_of("red", None)


def answers_of(*did, config: UserConfig = WIDE) -> list[tuple[Source, str, list]]:
    """Return (source, item, answers) of the last arrival's signals."""
    return [(s.kind, s.item_id, s.answers) for s in one_by_one(logged(did), config)[-1].signals]


def test_an_event_tells_its_item_what_it_answers():
    """With its own time; the text does not leave the state."""
    assert answers_of(asked(5), came(7, "a")) == [(Source.VIEW, "a", [(RED, 7, 8)])]
    assert answers_of(asked(5), came(7, "a"), came(8, "b")) == [(Source.VIEW, "b", [(RED, 8, 2)])]
    assert answers_of(asked(5)) == []


def test_what_was_asked_about_an_item_is_told_twice():
    """As what its words say alone, and as said of that item."""
    about_z = numbers_of("red", "z")

    assert about_z[0] == RED and about_z[1] != RED
    assert answers_of(asked(5, item_id="z"), came(7, "a"))[0][2] == [(number, 7, 8) for number in about_z]
    assert answers_of(asked(5, item_id="z"), came(7, "z"))[0][2] == []
    assert answers_of(asked(5, "?!"), came(7, "a"))[0][2] == []


def test_a_late_event_moves_those_behind_it():
    """Whatever item they are of: its own first, then those that it moved."""
    late = answers_of(asked(0), came(2, "b"), came(3, "c"), came(4, "d"), came(5, "b"), came(1, "b"))

    assert late == [
        (Source.VIEW, "b", [(RED, 1, 8), (RED, 2, -6)]),
        (Source.VIEW, "c", [(RED, 3, -1)]),
        (Source.VIEW, "d", [(RED, 4, -1)]),
    ]


def test_a_late_search_takes_what_answered_another():
    """Its own signals, one for each item, tell what it took and what the other lost."""
    (blue,) = numbers_of("blue", None)
    late = answers_of(asked(0), came(1, "a"), came(3, "a"), came(4, "b"), asked(2, "blue"))

    assert {(source, item, tuple(sorted(answers))) for source, item, answers in late} == {
        (Source.SEARCH, "a", tuple(sorted([(blue, 3, 8), (RED, 3, -2)]))),
        (Source.SEARCH, "b", tuple(sorted([(blue, 4, 2), (RED, 4, -1)]))),
    }
    assert len(late) == 2


def test_a_late_search_about_an_item_hides_an_older_one_from_it():
    """A view of a answered what was asked before; now it is a look back at what was asked about."""
    assert answers_of(asked(0), came(3, "a"), asked(2, item_id="a")) == [(Source.SEARCH, "a", [(RED, 3, -8)])]
    assert answers_of(asked(0), came(2, "a"), asked(2, item_id="a")) == []


def test_an_item_whose_pairs_stay_as_they_were_hears_of_its_answers():
    """A 13th b before c: what they weigh as a pair is the same, but c is no longer the first that was chosen."""
    late = one_by_one(logged([*(came(at, "b") for at in range(12)), asked(20), came(30, "c"), came(25, "b")]), WIDE)[-1]

    assert [(s.item_id, s.pairs, s.answers) for s in late.signals] == [
        ("b", [], [(RED, 25, 8)]),
        ("c", [], [(RED, 30, -6)]),
    ]


def test_a_smaller_bound_holds_from_the_next_event():
    """One search is remembered now, the newest: what answered the other is not made, the first time nor again."""
    one = UserConfig(recent_searches=1)
    state = folded(logged([asked(0, "blue"), asked(10)]), WIDE)
    arrived = logged([came(5, "a")])
    after = advance(state, arrived, one, {})

    assert [signal.answers for signal in after.signals] == [[]]
    assert advance(after.state, arrived, one, {}).signals == after.signals


def test_what_does_not_teach_answers_nothing():
    """And takes no place of what does."""
    two = UserConfig(weekly_training_events=2)
    did = [came(0, "a"), came(1, "a"), asked(2), came(3, "a"), came(4, "b")]

    assert answers_of(*did[:4], config=two) == []
    assert answers_of(*did, config=two) == [(Source.VIEW, "b", [(RED, 4, 8)])]
    arrived = logged(did)
    again = advance(advance(COLD, arrived, two, {}).state, arrived, two, {}).signals  # the long way
    assert [(signal.item_id, signal.answers) for signal in again if signal.answers] == [("b", [(RED, 4, 8)])]


def test_searches_teach_the_head_nothing():
    """They are not choices; and they are no interactions that are counted."""
    after = advance(COLD, logged([asked(1), came(2, "a"), asked(3)]), WIDE, {})

    assert [one.event.item_id for one in after.training_events] == ["a"]
    assert (after.state.counts, after.state.first_ms, after.state.arrivals) == ((1, 0, 0), 2, 3)
    assert after.state.newest.item_id == "a"
    assert not folded(logged([asked(1)])).is_cold


@settings(max_examples=300, deadline=None)
@given(arrived=logs(), data=st.data())
def test_any_order_teaches_what_the_whole_teaches(arrived, data):
    """While everything is kept: however the topics interleave, however late anything comes, wherever batches end."""
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    state, made = in_batches(data, order, WIDE, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))

    assert what_signals_say(made) == what_is_taught(arrived)
    assert facts(state) == facts(folded(arrived, WIDE))
    assert len({(s.item_id, s.kind, s.offset) for s in made}) == len(made)


@settings(max_examples=200, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_beyond_the_bounds_each_teaches_what_it_changes(arrived, data):
    """Among the recent events and searches of the moment at which it comes."""
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    config = msgspec.structs.replace(NARROW, recent_searches=data.draw(st.integers(1, 4)))
    _, made = in_batches(data, order, config, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))

    said = what_signals_say(made)
    assert said == taught_by_arrival(order, config.recent_events, config.recent_searches)
    assert all(weight > 0 for weight in said.values())  # nobody takes from items what others gave them


def test_a_choice_is_one_after_the_searches_before_it():
    """Also where both come in one batch; a search behind the first choice was not known to it."""
    earlier, first, then, last = logged([came(1, "z"), asked(5), came(7, "a"), asked(9)])
    before = advance(COLD, [earlier], WIDE, {}).state

    choosing = advance(before, [first, then, last], WIDE, {}).choosing
    assert choosing.recent_searches == advance(before, [first], WIDE, {}).state.recent_searches
    assert choosing.recent_events == before.recent_events
    assert advance(before, [then, last], WIDE, {}).choosing is before


@settings(max_examples=150, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_a_batch_is_the_same_as_one_by_one(arrived, data):
    """What is made of a few entries, where all come in time, is what all of them give; signals stand in one order."""
    if data.draw(st.booleans()):
        in_time = sorted(arrived, key=lambda one: one.event.timestamp_ms)
        arrived = logged([(one.source, one.event) for one in in_time])
    state, made = in_batches(data, arrived, NARROW, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    single = one_by_one(arrived, NARROW)

    assert made == [signal for after in single for signal in after.signals]
    assert (
        facts(state) == facts(folded(arrived, NARROW)) == facts((single or [advance(COLD, [], NARROW, {})])[-1].state)
    )
    assert made == advance(advance(COLD, arrived, NARROW, {}).state, arrived, NARROW, {}).signals  # the long way


@settings(max_examples=150, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_signals_made_again_are_the_same_signals(arrived, data):
    """However far the state has gone on, in whatever order topics are read again: as long as nothing was released."""
    state, original = COLD, {}
    for one in arrived:
        after = advance(state, [one], NARROW, {})
        state = user_state.decode(user_state.encode(after.state))
        original[one.source, one.offset] = after.signals
    replayed = data.draw(st.permutations(arrived))[: data.draw(st.integers(0, len(arrived)))]
    again = advance(state, replayed, NARROW, {})
    by_source = defaultdict(list)
    for signal in again.signals:
        by_source[signal.kind, signal.offset].append(signal)

    assert not again.is_changed
    assert {(one.source, one.offset): by_source[one.source, one.offset] for one in replayed} == {
        (one.source, one.offset): original[one.source, one.offset] for one in replayed
    }


@settings(max_examples=150, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_the_recent_searches_are_the_newest_of_all(arrived, data):
    """As many as the bound; those that left wait until their signals are acknowledged, and are known still."""
    config = msgspec.structs.replace(NARROW, recent_searches=data.draw(st.integers(1, 9)))
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    state = folded(order, config)
    asked_for = sorted((one.event.timestamp_ms, one.event.event_id) for one in arrived if one.source == Source.SEARCH)

    assert [search.order for search in state.recent_searches] == asked_for[-config.recent_searches :]
    assert sorted(search.order for search in state.pending_searches) == asked_for[: -config.recent_searches]
    assert facts(state) == facts(folded(arrived, config))
    again = [msgspec.structs.replace(one, offset=one.offset + 1000) for one in arrived]
    after = advance(state, again, config, {})
    assert (after.n_duplicates, facts(after.state)) == (len(arrived), facts(state))
    assert after.signals == []


@settings(max_examples=150, deadline=None)
@given(arrived=logs(), data=st.data())
def test_an_id_counts_once_whether_event_or_search(arrived, data):
    """What comes first under an id is what it is; a second one in any topic only has an offset."""
    ids = [f"e{number}" for number in range(data.draw(st.integers(1, 12)))]
    did = [
        (one.source, msgspec.structs.replace(one.event, event_id=data.draw(st.sampled_from(ids)))) for one in arrived
    ]
    first: dict[str, tuple] = {}
    for one in logged(did):
        first.setdefault(one.event.event_id, one)
    state, made = in_batches(data, logged(did), WIDE, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))

    assert what_signals_say(made) == what_is_taught(first.values())
    held = [*state.recent_events, *state.recent_searches]
    assert sorted((e.event_id, e.source, e.offset) for e in held) == sorted(
        (event_id, one.source, one.offset) for event_id, one in first.items()
    )
    assert advance(COLD, logged(did), WIDE, {}).n_duplicates == len(did) - len(first)


def test_a_search_that_was_archived_is_still_known():
    """120 searches, of which 3 are recent: each comes again, as a search and as a view."""
    searches = [asked(at) for at in range(120)]
    state, chunks = COLD, {}
    for one in logged(searches):
        after = advance(state, [one], NARROW, ALL_ACKNOWLEDGED, chunks.get)
        state, chunks = after.state, chunks | after.chunks
    views = [came(at, "a", event_id=event.event_id) for at, (_, event) in enumerate(searches)]
    again = logged([*searches, *searches, *views])[120:]
    after = advance(state, again, NARROW, ALL_ACKNOWLEDGED, chunks.get)

    assert (state.n_archived, len(state.recent_ids) // seen.DIGEST_BYTES) == (65, 52)
    assert (after.n_duplicates, after.signals, after.state.counts) == (240, [], (0, 0, 0))


def test_pending_searches_stay_until_every_signal_is_acknowledged():
    """One event of any topic above its acknowledged offset keeps them: its signals may be made of them."""
    state = folded(logged([*(asked(at) for at in range(5)), came(9, "a")]), NARROW)

    assert [search.timestamp_ms for search in state.pending_searches] == [0, 1]
    assert release(state, {Source.SEARCH: 4}) is state
    assert release(state, {Source.VIEW: 0}) is state
    assert release(state, {Source.VIEW: 0, Source.SEARCH: 3}) is state
    released = release(state, {Source.VIEW: 0, Source.SEARCH: 4})
    assert (released.pending_searches, released.released) == ([], {Source.VIEW: 0, Source.SEARCH: 4})
    assert facts(released) == facts(state)


def test_what_was_settled_is_not_made_again():
    """A late search whose signals are acknowledged sends none, though it and its events are still there."""
    arrived = logged([asked(0), asked(1), asked(2), came(9, "a"), asked(8, "blue"), came(10, "b")])
    last = one_by_one(arrived[:5], NARROW)[-1]
    released = advance(last.state, arrived[5:], NARROW, ALL_ACKNOWLEDGED).state

    assert last.signals and advance(last.state, [arrived[4]], NARROW, {}).signals == last.signals
    assert (released.pending_searches, released.recent_searches[-1].query) == ([], "blue")
    assert advance(released, [arrived[4]], NARROW, {}).signals == []


def test_of_a_long_query_the_beginning_is_kept():
    """In characters, and by it the query is known."""
    long = "é" * 40 + " " + "word " * 60
    state = fold_search(COLD, asked(1, long)[1], 0, WIDE)
    (number,) = numbers_of(long[:LONGEST_TEXT], None)

    assert [search.query for search in state.recent_searches] == [long[:256]]
    assert answers_of(asked(1, long), came(2, "a"))[0][2] == [(number, 2, 8)]


def test_a_state_of_before_searches_is_read():
    """Version 5 ended with when the newest event came; what had left its recent events is known still."""
    state = release(
        folded(logged([*(came(0, f"i{n}") for n in range(16)), came(1, "a"), came(2, "b")])), ALL_ACKNOWLEDGED
    )
    assert state.recent_ids and not state.pending
    old = msgspec.msgpack.decode(user_state.encode(state))[:-2]
    old[0] = 5
    read = user_state.decode(msgspec.msgpack.encode(old))

    assert read == state
    late = advance(read, logged([asked(1)]), NARROW, {}).signals
    assert [(s.item_id, s.answers) for s in late] == [("a", [(RED, 1, 8)]), ("b", [(RED, 2, 2)])]


@settings(max_examples=80, deadline=None)
@given(arrived=logs(), data=st.data())
def test_a_state_survives_its_bytes_and_stays_as_it_was(arrived, data):
    """State in, state out."""
    half = len(arrived) // 2
    state = folded(arrived[:half], NARROW)
    before = user_state.encode(state)
    assert user_state.decode(before) == state

    advance(state, arrived, NARROW, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    folded(arrived[half:], NARROW, state)

    assert user_state.encode(state) == before
    assert user_state.encode(COLD) == user_state.encode(UserState())


@pytest.mark.parametrize(
    "other", [asked(2, event_id="s"), asked(1, "blue", event_id="s"), asked(1, item_id="a", event_id="s")]
)
def test_different_searches_are_different_facts(other):
    """Time, text and item all count; where it stands in its topic does not."""
    search = asked(1, event_id="s")

    assert facts(folded(logged([search]))) != facts(folded(logged([other])))
    assert facts(folded(logged([search]))) == facts(fold_search(COLD, search[1], 77, WIDE))


def test_of_two_searches_of_one_moment_one_is_the_newest_in_any_order():
    """The last by id."""
    two = [asked(1, "blue", event_id="s2"), asked(1, "red", event_id="s1")]

    assert [folded(logged(each)).recent_searches[-1].query for each in (two, two[::-1])] == ["blue", "blue"]


@settings(max_examples=150, deadline=None)
@given(arrived=logs())
def test_a_history_has_the_newest_search_and_how_many_events_answer_it(arrived):
    """As lists are made of it; without a search there is none."""
    found = read_history(folded(arrived, WIDE), {}.get, recent_items=10)
    searches = [one for one in arrived if one.source == Source.SEARCH]
    newest = max((one.event for one in searches), key=lambda s: (s.timestamp_ms, s.event_id), default=None)

    assert (found.search and found.search.event_id) == (newest and newest.event_id)
    assert found.n_answers == sum(
        (newest.event_id, one.event.event_id) in what_answers([*searches, one])
        for one in arrived
        if newest is not None and one.source != Source.SEARCH
    )


@pytest.mark.parametrize("config", [UserConfig(recent_events=16, recent_searches=1, weekly_counts=16), NARROW])
def test_bounds_may_change_from_one_batch_to_the_next(config):
    """What a smaller or larger bound makes of the same entries is made again."""
    did = [each for at in range(40) for each in (asked(at * MINUTE_MS), came(at * MINUTE_MS + at % 3, f"i{at % 5}"))]
    arrived, state = logged([*did[:60], *did[-1:60:-1]]), COLD
    for number in range(0, len(arrived), 4):
        bounds = config if number % 3 else WIDE
        batch = arrived[number : number + 4]
        after = advance(state, batch, bounds, ALL_ACKNOWLEDGED if number % 5 else {})
        state = after.state
        assert advance(state, batch, bounds, {}).signals == after.signals
        assert len(state.recent_searches) <= bounds.recent_searches
