"""Impressions and events applied to a user's state: what was shown and what was chosen reaches the items exactly, in
any order."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.errors import StateVersionError
from stream_rec.events.impression import MOST_ID_BYTES, Impression, ShownItem, find_fault
from stream_rec.events.source import Source
from stream_rec.knowledge.signal import NOT_SHOWN
from stream_rec.user import impressions as folding
from stream_rec.user import seen
from stream_rec.user import state as user_state
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import SHOWN_PERIOD_MS, TEACHES_NOBODY, WEEK_MS, ImpressionEntry
from stream_rec.user.impressions import fold_impression, put_features
from stream_rec.user.state import COLD, UserState, facts, release
from tests.user import asked as searches
from tests.user.asked import MINUTE_MS, asked, came, in_batches, logged, one_by_one, out_of_step
from tests.user.histories import ALL_ACKNOWLEDGED, folded
from tests.user.shown import (
    NARROW,
    WIDE,
    all_slots,
    chosen_by_arrival,
    counts_of,
    events_of,
    impressions,
    impressions_of,
    logs,
    others_of,
    shown,
    teaching_events,
    teaching_slots,
    what_is_chosen,
    what_is_shown,
    what_signals_say,
)

HALF_AN_HOUR_MS = 30 * MINUTE_MS


def of_last(*did, config: UserConfig = WIDE) -> list[tuple[Source, str, int, list]]:
    """Return (source, item, shown, chosen) of the last arrival's signals."""
    return [(s.kind, s.item_id, s.shown, s.chosen) for s in one_by_one(logged(did), config)[-1].signals]


def test_an_impression_tells_each_item_where_it_was_shown():
    """By its slot; positions far down share one."""
    assert of_last(shown(5, "a", "b")) == [(Source.IMPRESSION, "a", 0, []), (Source.IMPRESSION, "b", 1, [])]
    assert of_last(shown(5, "a", first=100_000))[0][2] == 7


def test_an_event_tells_its_item_from_which_slot_it_was_chosen():
    """Once for an impression, however often the user comes back; from a new impression once more."""
    two = shown(0, "a", "b")

    assert of_last(two, came(1, "b")) == [(Source.VIEW, "b", NOT_SHOWN, [(1, 1)])]
    assert of_last(two, came(1, "b"), came(2, "b", Source.CLICK))[0][3] == []
    assert of_last(two, came(1, "b"), shown(2, "b"), came(3, "b"))[0][3] == [(0, 1)]
    assert of_last(two, came(1, "c"))[0][3] == []


@pytest.mark.parametrize(
    ("after_ms", "chosen"), [(0, [(0, 1)]), (HALF_AN_HOUR_MS, [(0, 1)]), (HALF_AN_HOUR_MS + 1, [])]
)
def test_a_choice_comes_within_half_an_hour(after_ms: int, chosen: list):
    """The very moment of the impression counts, and the last one of the half hour."""
    assert of_last(shown(100, "a"), came(100 + after_ms, "a"))[0][3] == chosen
    late = [change for *_, change in of_last(came(100 + after_ms, "a"), shown(100, "a"))]
    assert late == [chosen]


def test_the_newest_impression_of_the_item_is_the_one_that_led_to_it():
    """Others in between, without the item, hide nothing; an older one stays without a choice."""
    assert of_last(shown(0, "a"), shown(1, "b", "a"), shown(2, "c"), came(3, "a"))[0][3] == [(1, 1)]
    same = [shown(1, "a", first=1, event_id="s1"), shown(1, "a", first=3, event_id="s2")]
    assert of_last(*same, came(2, "a"))[0][3] == of_last(*same[::-1], came(2, "a"))[0][3] == [(2, 1)]


def test_an_impression_that_comes_late_takes_what_was_chosen_from_an_older_one():
    """Its own signals say so, and where it was shown; what it did not have stays as it was."""
    late = of_last(shown(0, "a", "b", "c"), came(2, "a"), came(2, "b"), shown(1, "c", "d", "a"))

    assert [(item, slot, sorted(chosen)) for _, item, slot, chosen in late] == [
        ("c", 0, []),
        ("d", 1, []),
        ("a", 2, [(0, -1), (2, 1)]),
    ]
    back = of_last(shown(0, "a"), came(1, "a"), came(3, "a"), shown(2, "b", "a"))
    assert [chosen for *_, chosen in back] == [[], [(1, 1)]]  # the older one keeps the choice of before


def test_an_impression_of_which_others_do_not_learn_hides_older_ones():
    """It is not counted, nor what was chosen from it; what was chosen from an older one is not its any more."""
    once = msgspec.structs.replace(WIDE, training_impressions=1)

    assert of_last(shown(0, "a"), shown(1, "a"), config=once) == []
    assert of_last(shown(0, "a"), shown(1, "a"), came(2, "a"), config=once)[0][3] == []
    assert of_last(shown(0, "a"), came(2, "a"), shown(1, "b", "a"), config=once) == [
        (Source.IMPRESSION, "b", 0, []),
        (Source.IMPRESSION, "a", NOT_SHOWN, [(0, -1)]),
    ]
    assert of_last(shown(0, "a"), shown(SHOWN_PERIOD_MS, "a"), config=once) == [(Source.IMPRESSION, "a", 0, [])]


def test_an_event_that_does_not_teach_is_no_choice():
    """Of a kind, with one item, in one week only so many teach."""
    once = msgspec.structs.replace(WIDE, weekly_training_events=1)

    assert of_last(came(0, "a"), shown(1, "a"), came(2, "a"), config=once) == []
    assert [c for *_, c in of_last(came(0, "a"), came(2, "a"), shown(1, "a"), config=once)] == [[]]


def both_ways(*did, config: UserConfig) -> list:
    """Return what the last arrival's first signal says of choices, made at once and made again the long way."""
    arrived = logged(did)
    last = one_by_one(arrived, config)[-1]
    again = advance(last.state, [arrived[-1]], config, {}).signals
    assert again == last.signals
    return again[0].chosen


def test_who_teaches_nobody_takes_no_choice_from_who_does():
    """Neither where all came in time, nor where something came late."""
    once = msgspec.structs.replace(WIDE, weekly_training_events=1)
    did = [came(0, "a"), shown(1, "a"), came(2, "a", event_id="no")]

    assert both_ways(*did, came(3, "a", Source.CLICK), config=once) == [(0, 1)]
    assert both_ways(*did, came(0, "a", Source.CLICK), config=once) == []


def test_an_impression_as_old_as_the_oldest_event_is_chosen_from_no_more():
    """An event that has left may have been the choice: it would be counted twice."""
    others = [came(2, "b", event_id=f"b{n}") for n in range(16)]
    did = [shown(0, "a"), shown(2, "c"), came(1, "a"), *others]

    assert both_ways(*did, came(5, "a"), config=NARROW) == []
    assert both_ways(*did, came(5, "c"), config=NARROW) == []
    assert both_ways(*did, came(5, "a", event_id="x"), came(4, "a"), config=NARROW) == []
    assert both_ways(*did, came(5, "a"), shown(2, "a", event_id="late"), config=NARROW) == []
    assert both_ways(*did[:-1], came(5, "c"), config=NARROW) == [(0, 1)]


def test_an_impression_is_no_interaction():
    """Not counted as one, nor a choice that teaches the head, nor the newest event; but the user is not unknown."""
    after = advance(COLD, logged([shown(1, "a"), came(2, "a"), shown(3, "b")]), WIDE, {})

    assert [one.event.event_id for one in after.training_events] == ["2-a-0"]
    assert (after.state.counts, after.state.first_ms, after.state.arrivals) == ((1, 0, 0), 2, 3)
    assert after.state.newest.item_id == "a"
    assert not folded(logged([shown(1, "a")])).is_cold


@settings(max_examples=300, deadline=None)
@given(arrived=logs(), data=st.data())
def test_any_order_teaches_what_the_whole_teaches(arrived, data):
    """While everything is kept: however the topics interleave, however late anything comes, wherever batches end."""
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    state, made = in_batches(data, order, WIDE, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    slots = all_slots(arrived)

    assert what_signals_say(made) == what_is_shown(slots) + what_is_chosen(arrived, slots)
    assert searches.what_signals_say(made) == searches.what_is_taught(others_of(arrived))
    assert facts(state) == facts(folded(arrived, WIDE))
    assert len({(s.item_id, s.kind, s.offset) for s in made}) == len(made)


@settings(max_examples=200, deadline=None)
@given(arrived=logs(n_items=2), data=st.data())
def test_what_does_not_teach_is_not_counted_in_any_order(arrived, data):
    """Which does, its order of arrival decides; what that comes to, all that came does."""
    a_week, a_day = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    config = msgspec.structs.replace(WIDE, weekly_training_events=a_week, training_impressions=a_day)
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    _, made = in_batches(data, order, config, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    slots = teaching_slots(order, a_day, config.shown_counts, 0)

    assert what_signals_say(made) == what_is_shown(slots) + what_is_chosen(order, slots, teaching_events(order, a_week))


@settings(max_examples=200, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_beyond_the_bounds_each_teaches_what_it_changes(arrived, data):
    """Among the recent events and impressions of the moment at which it comes."""
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    a_week, a_day = data.draw(st.sampled_from([(1000, 1000), (3, 2), (1000, 1), (2, 1000)]))
    config = msgspec.structs.replace(
        NARROW,
        recent_impressions=data.draw(st.sampled_from([1, 2, 3, 5, 64])),
        weekly_training_events=a_week,
        training_impressions=a_day,
    )
    _, made = in_batches(data, order, config, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    slots = teaching_slots(order, a_day, config.shown_counts, 0)
    said = what_signals_say(made)

    assert said == what_is_shown(slots) + chosen_by_arrival(
        order, config.recent_events, config.recent_impressions, slots, teaching_events(order, a_week)
    )
    # Nobody takes from items what others gave them, and no item is chosen more often than it was shown.
    assert all(0 < n <= said["shown", item_id, slot] for (what, item_id, slot), n in said.items() if what == "chosen")


@settings(max_examples=150, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_searches_are_answered_as_without_impressions(arrived, data):
    """Beyond the bounds too, signal for signal."""
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    _, made = in_batches(data, order, NARROW, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    _, without = in_batches(data, others_of(order), NARROW, ALL_ACKNOWLEDGED)

    assert [msgspec.structs.replace(s, chosen=[]) for s in made if s.kind != Source.IMPRESSION] == without


@settings(max_examples=150, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_a_batch_is_the_same_as_one_by_one(arrived, data):
    """What is made of a few entries, where all come in time, is what all of them give; signals stand in one order."""
    config = msgspec.structs.replace(NARROW, training_impressions=data.draw(st.sampled_from([1, 3, 1000])))
    if data.draw(st.booleans()):
        in_time = sorted(arrived, key=lambda one: one.event.timestamp_ms)
        arrived = logged([(one.source, one.event) for one in in_time])
    state, made = in_batches(data, arrived, config, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    single = one_by_one(arrived, config)

    assert made == [signal for after in single for signal in after.signals]
    assert facts(state) == facts(folded(arrived, config)) == facts(single[-1].state if single else COLD)
    assert made == advance(advance(COLD, arrived, config, {}).state, arrived, config, {}).signals  # the long way


@settings(max_examples=150, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_signals_made_again_are_the_same_signals(arrived, data):
    """However far the state has gone on, in whatever order topics are read again: as long as nothing was released."""
    config = msgspec.structs.replace(NARROW, training_impressions=data.draw(st.sampled_from([1, 3, 1000])))
    state, original = COLD, {}
    for one in arrived:
        after = advance(state, [one], config, {})
        waiting = {each.event_id: data.draw(st.sampled_from([b"", b"xx"])) for each in after.state.recent_impressions}
        state = user_state.decode(user_state.encode(put_features(after.state, waiting)))
        original[one.source, one.offset] = after.signals
    replayed = data.draw(st.permutations(arrived))[: data.draw(st.integers(0, len(arrived)))]
    again = advance(state, replayed, config, {})
    by_source = defaultdict(list)
    for signal in again.signals:
        by_source[signal.kind, signal.offset].append(signal)

    assert (again.is_changed, again.state, again.outcomes, again.showing) == (False, state, [], None)
    assert {(one.source, one.offset): by_source[one.source, one.offset] for one in replayed} == {
        (one.source, one.offset): original[one.source, one.offset] for one in replayed
    }


@settings(max_examples=150, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_the_recent_impressions_are_the_newest_of_all(arrived, data):
    """As many as the bound; those that left wait until their signals are acknowledged, and are known still."""
    config = msgspec.structs.replace(NARROW, recent_impressions=data.draw(st.integers(1, 9)))
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    state = folded(order, config)
    seen_by_user = sorted((one.event.timestamp_ms, one.event.event_id) for one in impressions_of(arrived))

    assert [each.order for each in state.recent_impressions] == seen_by_user[-config.recent_impressions :]
    assert sorted(each.order for each in state.pending_impressions) == seen_by_user[: -config.recent_impressions]
    items = {one.event.event_id: [each.item_id for each in one.event.items] for one in impressions_of(arrived)}
    assert all(each.item_ids == items[each.event_id] for each in state.recent_impressions)
    assert facts(state) == facts(folded(arrived, config))
    again = [msgspec.structs.replace(one, offset=one.offset + 1000) for one in arrived]
    after = advance(state, again, config, {})
    assert (after.n_duplicates, facts(after.state), after.signals) == (len(arrived), facts(state), [])


@settings(max_examples=150, deadline=None)
@given(arrived=logs(), data=st.data())
def test_an_id_counts_once_whatever_it_is_of(arrived, data):
    """What comes first under an id is what it is; a second one in any topic only has an offset."""
    ids = [f"e{number}" for number in range(data.draw(st.integers(1, 12)))]
    did = [
        (one.source, msgspec.structs.replace(one.event, event_id=data.draw(st.sampled_from(ids)))) for one in arrived
    ]
    first: dict[str, tuple] = {}
    for one in logged(did):
        first.setdefault(one.event.event_id, one)
    state, made = in_batches(data, logged(did), WIDE, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))
    slots = all_slots(first.values())

    assert what_signals_say(made) == what_is_shown(slots) + what_is_chosen(first.values(), slots)
    held = [*state.recent_events, *state.recent_searches, *state.recent_impressions]
    assert sorted((e.event_id, e.source, e.offset) for e in held) == sorted(
        (event_id, one.source, one.offset) for event_id, one in first.items()
    )
    assert [tuple(msgspec.to_builtins(count)) for count in state.shown_counts] == counts_of(first.values(), 256)
    assert advance(COLD, logged(did), WIDE, {}).n_duplicates == len(did) - len(first)


def test_an_impression_that_was_archived_is_still_known():
    """120 impressions, of which 3 are recent: each comes again, as itself, as a search and as a view."""
    impressed = [shown(at, "a") for at in range(120)]
    state, chunks = COLD, {}
    for one in logged(impressed):
        after = advance(state, [one], NARROW, ALL_ACKNOWLEDGED, chunks.get)
        state, chunks = after.state, chunks | after.chunks
    ids = [event.event_id for _, event in impressed]
    views = [came(at, "a", event_id=event_id) for at, event_id in enumerate(ids)]
    asked_for = [asked(at, event_id=event_id) for at, event_id in enumerate(ids)]
    again = logged([*impressed, *impressed, *views, *asked_for])[120:]
    after = advance(state, again, NARROW, ALL_ACKNOWLEDGED, chunks.get)

    assert (state.n_archived, len(state.recent_ids) // seen.DIGEST_BYTES) == (65, 52)
    assert (after.n_duplicates, after.signals, after.state.counts) == (360, [], (0, 0, 0))
    assert after.state.shown_counts == state.shown_counts and state.shown_counts[0].n == 120


DAYS_MS = [day * SHOWN_PERIOD_MS + ms for day in range(5) for ms in (0, 1, SHOWN_PERIOD_MS - 1)]


@st.composite
def seen_for_days(draw: st.DrawFn) -> list:
    """Return impressions of many items on a few days, one by one or many of one day."""
    items = [f"i{number}" for number in range(20)]
    found = draw(st.lists(impressions(items, DAYS_MS), max_size=40))
    for day in draw(st.lists(st.integers(0, 4), max_size=2)):
        shown_items = [ShownItem(item_id, n + 1) for n, item_id in enumerate(draw(st.permutations(items)))]
        found.append(Impression("", "u", "", shown_items[: draw(st.integers(1, 20))], day * SHOWN_PERIOD_MS + 7))
    found = draw(st.permutations(found))
    return logged(
        (Source.IMPRESSION, msgspec.structs.replace(each, event_id=f"s{number}")) for number, each in enumerate(found)
    )


@settings(max_examples=200, deadline=None)
@given(arrived=seen_for_days(), data=st.data())
def test_what_was_shown_is_counted_by_day_as_far_back_as_there_is_room(arrived, data):
    """The same in any order of arrival, however batches end: a function of the set."""
    bound = data.draw(st.integers(16, 40))
    config = msgspec.structs.replace(NARROW, shown_counts=bound)
    order = logged((one.source, one.event) for one in data.draw(st.permutations(arrived)))
    state, _ = in_batches(data, order, config, ALL_ACKNOWLEDGED)

    assert [tuple(msgspec.to_builtins(count)) for count in state.shown_counts] == counts_of(arrived, bound)
    assert facts(state) == facts(folded(arrived, config))


@settings(max_examples=200, deadline=None)
@given(arrived=seen_for_days(), data=st.data())
def test_what_cannot_be_counted_teaches_so_often_in_all(arrived, data):
    """And of what can, so many a day of each item; in order of arrival."""
    bound, a_day, uncounted = data.draw(st.integers(16, 40)), data.draw(st.integers(1, 3)), data.draw(st.integers(0, 9))
    config = msgspec.structs.replace(WIDE, shown_counts=bound, training_impressions=a_day)
    slots = teaching_slots(arrived, a_day, bound, uncounted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "MOST_UNCOUNTED_SHOWN", uncounted)
        state, made = in_batches(data, arrived, config, data.draw(st.sampled_from([{}, ALL_ACKNOWLEDGED])))

    assert what_signals_say(made) == what_is_shown(slots)
    assert {(e.event_id, item): slot for e in state.recent_impressions for item, slot in zip(e.item_ids, e.slots)} == {
        key: TEACHES_NOBODY if slot is None else slot for key, slot in slots.items()
    }


def test_of_those_that_cannot_be_counted_2048_teach_in_six_hours():
    """Who scrolls far is heard; who invents impressions is not heard for ever. In the next six hours it begins anew."""
    narrow = UserConfig(shown_counts=16)
    ids = [f"i{number}" for number in range(200)]
    often = [shown(at, *ids, event_id=f"s{at}") for at in range(12)]
    state, made = in_batches_of_one(logged(often), narrow)
    n_told = sum(signal.shown >= 0 for signal in made)

    assert n_told == 16 * 5 + 2048
    later = logged([*often, shown(SHOWN_PERIOD_MS, *ids)])[12:]
    assert len(advance(state, later, narrow, ALL_ACKNOWLEDGED).signals) == 200


def in_batches_of_one(arrived: list[Arrival], config: UserConfig) -> tuple[UserState, list]:
    """Return the state, and all signals, each acknowledged before the next comes."""
    state, made = COLD, []
    for one in arrived:
        after = advance(state, [one], config, ALL_ACKNOWLEDGED)
        state, made = after.state, made + after.signals
    return state, made


def test_pending_impressions_stay_until_every_signal_is_acknowledged():
    """One event of any topic above its acknowledged offset keeps them: its signals may be made of them."""
    state = folded(logged([*(shown(at, "a") for at in range(5)), came(9, "a")]), NARROW)

    assert [each.timestamp_ms for each in state.pending_impressions] == [0, 1]
    assert release(state, {Source.IMPRESSION: 4}) is state
    assert release(state, {Source.VIEW: 0, Source.IMPRESSION: 3}) is state
    released = release(state, {Source.VIEW: 0, Source.IMPRESSION: 4})
    assert (released.pending_impressions, released.released) == ([], {Source.VIEW: 0, Source.IMPRESSION: 4})
    assert facts(released) == facts(state)


def test_what_was_settled_is_not_made_again():
    """A late impression whose signals are acknowledged sends none, though it and its events are still there."""
    arrived = logged([shown(0, "a"), shown(1, "a"), shown(2, "a"), came(9, "b"), shown(8, "b"), came(10, "c")])
    last = one_by_one(arrived[:5], NARROW)[-1]
    released = advance(last.state, arrived[5:], NARROW, ALL_ACKNOWLEDGED).state

    assert last.signals and advance(last.state, [arrived[4]], NARROW, {}).signals == last.signals
    assert (released.pending_impressions, released.recent_impressions[-1].item_ids) == ([], ["b"])
    assert advance(released, [arrived[4]], NARROW, {}).signals == []


def test_a_choice_is_one_after_the_impressions_before_it():
    """Also where both come in one batch; what was shown behind the first choice was not known to it."""
    earlier, first, then, last = logged([came(1, "z"), shown(5, "a"), came(7, "a"), shown(9, "b")])
    before = advance(COLD, [earlier], WIDE, {}).state

    choosing = advance(before, [first, then, last], WIDE, {}).choosing
    assert choosing.recent_impressions == advance(before, [first], WIDE, {}).state.recent_impressions
    assert choosing.recent_events == before.recent_events
    assert advance(before, [then, last], WIDE, {}).choosing is before


@pytest.mark.parametrize("config", [UserConfig(recent_events=16, recent_impressions=1, weekly_counts=16), NARROW])
def test_bounds_may_change_from_one_batch_to_the_next(config):
    """What a smaller or larger bound makes of the same entries is made again."""
    did = [
        each
        for at in range(40)
        for each in (shown(at * MINUTE_MS, "i0", f"i{1 + at % 3}"), came(at * MINUTE_MS + at % 3, f"i{at % 5}"))
    ]
    arrived, state = logged([*did[:60], *did[-1:60:-1]]), COLD
    for number in range(0, len(arrived), 4):
        bounds = config if number % 3 else WIDE
        batch = arrived[number : number + 4]
        after = advance(state, batch, bounds, ALL_ACKNOWLEDGED if number % 5 else {})
        state = after.state
        assert advance(state, batch, bounds, {}).signals == after.signals
        assert len(state.recent_impressions) <= bounds.recent_impressions


def test_a_smaller_bound_holds_from_the_next_event():
    """One impression is remembered now, the newest: what was chosen from the other is not made, nor made again."""
    one = UserConfig(recent_impressions=1)
    state = folded(logged([shown(0, "a"), shown(10, "b")]), WIDE)
    arrived = logged([came(5, "a")])
    after = advance(state, arrived, one, {})

    assert [signal.chosen for signal in after.signals] == [[]]
    assert advance(after.state, arrived, one, {}).signals == after.signals


def test_a_state_of_before_impressions_is_read():
    """Version 6 ended with pending searches; what comes now finds the events of before."""
    state = release(folded(logged([asked(0), came(1, "a"), came(2, "b")])), ALL_ACKNOWLEDGED)
    old = msgspec.msgpack.decode(user_state.encode(state))[:-5]
    old[0] = 6
    read = user_state.decode(msgspec.msgpack.encode(old))

    assert read == state
    late = advance(read, logged([shown(1, "a", "c")]), NARROW, {}).signals
    assert [(s.item_id, s.shown, s.chosen) for s in late] == [("a", 0, [(0, 1)]), ("c", 1, [])]


ENTRY = ImpressionEntry(5, "s", ["a", "b"], [0, 1], 0, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"slots": [0]},
        {"slots": [0, 1, 2]},
        {"item_ids": []},
        {"item_ids": ["a", "a"]},
        {"item_ids": ["a", ""]},
        {"slots": [0, 8]},
        {"slots": [0, -2]},
        {"features": bytes(2**14 + 1)},
        {"timestamp_ms": -1},
    ],
    ids=str,
)
@pytest.mark.parametrize("field", ["recent_impressions", "pending_impressions"])
def test_an_impression_that_nobody_saw_is_refused(field: str, changed: dict):
    """Each item has one slot: where a choice is looked up in it, nothing is out of range."""
    fine = UserState(**{field: [ENTRY]})
    assert user_state.decode(user_state.encode(fine)) == fine

    with pytest.raises(StateVersionError, match="user state"):
        user_state.decode(user_state.encode(UserState(**{field: [msgspec.structs.replace(ENTRY, **changed)]})))


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
    put_features(state, {one.event.event_id: b"xx" for one in arrived})

    assert user_state.encode(state) == before


@pytest.mark.parametrize(
    "other", [shown(2, "a", "b", event_id="s"), shown(1, "a", event_id="s"), shown(1, "b", "a", event_id="s")]
)
def test_different_impressions_are_different_facts(other):
    """Time, items and their order all count; where it stands in its topic and what waits with it do not."""
    first = shown(1, "a", "b", event_id="s")
    state = folded(logged([first]))

    assert facts(state) != facts(folded(logged([other])))
    assert facts(state) == facts(fold_impression(COLD, first[1], 77, WIDE))
    assert facts(state) == facts(put_features(state, {"s": b"xx"}))


def test_what_was_counted_of_an_impression_stays_when_it_has_left():
    """The last of both events keeps the choice that the impression had; one of long ago finds it no more."""
    did = [shown(0, "a"), came(1, "a"), *(shown(at, "b") for at in (2, 3, 4))]

    assert of_last(*did, came(5, "a"), config=NARROW)[0][3] == []
    assert of_last(*did, shown(0, "c", event_id="late"), config=NARROW) == [(Source.IMPRESSION, "c", 0, [])]
    assert len(events_of(logged(did))) == 1


FULL = [
    came(week * WEEK_MS + number, f"{week}-{number}" + "x" * 250, event_id="e" * 250 + f"{week}{number}")
    for week in range(4)
    for number in range(128)
]


@pytest.mark.parametrize("length", [0, 30, 250], ids=["short ids", "ids of 30 bytes", "ids of 250 bytes"])
def test_a_user_who_floods_a_batch_does_not_outgrow_a_record(length: int):
    """A thousand impressions as large as they may be, of a user who is full already, and nothing acknowledged."""
    ids = [f"{number:03}" + "x" * length for number in range(min(200, MOST_ID_BYTES // (length + 3)))]
    shown_items = [ShownItem(item_id, n) for n, item_id in enumerate(ids, 1)]
    begin_ms = 5 * WEEK_MS
    flood = [Impression("e" * 250 + f"{n:05}", "u", "", shown_items, begin_ms + n) for n in range(1_000)]
    assert not find_fault(flood[0])
    config = UserConfig(training_impressions=1_000)
    before = advance(COLD, logged(FULL), config, ALL_ACKNOWLEDGED).state
    arrived = logged((Source.IMPRESSION, each) for each in flood)
    after = advance(before, arrived, config, {})

    assert len(user_state.encode(after.state)) < 1_000_000
    n_told = len({signal.offset for signal in after.signals})
    assert 20 < n_told < 1_000
    again = advance(after.state, arrived, config, {})
    assert again.signals == after.signals  # after a crash
    later = Arrival(came(10 * WEEK_MS, "a")[1], Source.VIEW, 0, 10_000)
    released = advance(after.state, [later], config, {Source.IMPRESSION: 999, Source.VIEW: 9_999}).state
    assert not released.pending_impressions
