"""What a user chose from an impression, known once it is over."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.source import Source
from stream_rec.user.advance import Advance, advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import WEEK_MS
from stream_rec.user.impressions import put_features
from stream_rec.user.outcomes import Outcome
from stream_rec.user.state import COLD, UserState, decode, encode
from tests.user.asked import MINUTE_MS, asked, came, in_batches, logged, out_of_step
from tests.user.histories import ALL_ACKNOWLEDGED
from tests.user.shown import NARROW, WIDE, events_of, impressions_of, logs, shown, what_is_converted

HALF_AN_HOUR_MS = 30 * MINUTE_MS


def served(
    arrived: list[Arrival], config: UserConfig = WIDE, state: UserState = COLD
) -> tuple[UserState, list[Advance]]:
    """Return the state after all, and what each came to, where features are put as soon as they may be."""
    made = list[Advance]()
    for one in arrived:
        after = advance(state, [one], config, {})
        made.append(after)
        state = after.state
        if after.showing is not None:
            state = put_features(state, {after.showing.impression.event_id: b"known"})
        state = decode(encode(state))
    return state, made


def told(made: list[Advance]) -> list[list[tuple[str, list[bool]]]]:
    """Return by arrival the outcomes that it brought."""
    return [[(each.impression.event_id, each.is_chosen) for each in after.outcomes] for after in made]


def of_last(*did, config: UserConfig = WIDE) -> list[tuple[str, list[bool]]]:
    """Return the outcomes that the last arrival brings."""
    return told(served(logged(did), config)[1])[-1]


FIRST = shown(0, "a", "b", "c", event_id="s1")


def test_several_impressions_wait_together():
    """Two rows of one page, or what comes on the screen as the user scrolls: what is chosen of any of them counts."""
    page = [shown(0, "a", "b", event_id="s1"), shown(1, "c", "d", event_id="s2"), shown(900, "e", event_id="s3")]

    assert of_last(*page, came(5_000, "a")) == []
    assert of_last(*page, came(5_000, "a"), came(6_000, "d"), came(10**9, "z")) == [
        ("s1", [True, False]),
        ("s2", [False, True]),
        ("s3", [False]),
    ]


def test_what_is_shown_again_is_chosen_from_the_newest():
    """As conversions are counted."""
    again = [shown(0, "a", "b", event_id="s1"), shown(9, "a", event_id="s2"), came(10, "a"), came(11, "b")]

    assert of_last(*again, shown(10**9, "z")) == [("s1", [False, True]), ("s2", [True])]


def test_an_impression_is_over_when_it_leaves_the_recent_ones():
    """It is known what was chosen from it until then; what comes late changes nothing any more."""
    two = UserConfig(recent_impressions=2)

    assert of_last(FIRST, shown(1, "x"), came(2, "b"), config=two) == []
    assert of_last(FIRST, shown(1, "x"), came(2, "b"), shown(3, "y"), config=two) == [("s1", [False, True, False])]
    assert of_last(FIRST, shown(1, "x"), shown(3, "y"), came(2, "b"), shown(4, "z"), config=two)[0][1] == [False]


def test_nothing_is_said_where_choices_may_have_left_the_recent_events():
    """An order of many lines: whether one of them was in the list is not known any more."""
    few = UserConfig(recent_events=16)
    order = [came(2, f"line-{number}", event_id=f"l{number}") for number in range(20)]

    assert of_last(FIRST, came(1, "a"), *order, came(10**9, "z"), config=few) == []
    assert of_last(FIRST, came(1, "a"), *order[:14], came(10**9, "z"), config=few) == [("s1", [True, False, False])]


def test_what_does_not_teach_is_no_choice():
    """A user who comes to one item over and over moves nobody's weights by it."""
    once = UserConfig(weekly_training_events=1)
    first = [shown(0, "a", event_id="s0"), came(1, "a"), came(10**9, "z")]

    assert of_last(*first, config=once) == [("s0", [True])]
    assert of_last(came(-1 + 5, "a"), shown(10, "a"), came(11, "a"), came(10**9, "z"), config=once)[0][1] == [False]


@pytest.mark.parametrize(
    ("at_ms", "is_over"), [(0, False), (1, False), (HALF_AN_HOUR_MS, False), (HALF_AN_HOUR_MS + 1, True)]
)
def test_an_impression_is_over_when_an_event_is_too_late_to_be_a_choice_from_it(at_ms: int, is_over: bool):
    """One of any item, and it is no choice itself."""
    assert of_last(FIRST, came(at_ms, "a")) == ([("s1", [False] * 3)] if is_over else [])


def test_an_impression_waits_for_nothing_else():
    """A search, what was before it, and what came before are no end of it."""
    assert of_last(FIRST, asked(10**9)) == []
    assert of_last(shown(5, "a"), shown(4, "b")) == []
    assert of_last(shown(10**7, "a"), came(5, "b")) == []


def test_a_duplicate_ends_nothing():
    """Whatever time it says: of an id that is known the first is what happened."""
    view = came(1, "a", event_id="e")

    assert of_last(FIRST, view, came(10**9, "a", event_id="e")) == []
    assert of_last(FIRST, view, shown(9, "z", event_id="e")) == []
    assert of_last(FIRST, view, shown(9, "z", event_id="s1")) == []
    assert of_last(FIRST, view, came(10**9, "a", event_id="e"), shown(10**9, "z")) == [("s1", [True, False, False])]


def test_one_user_teaches_with_a_few_impressions_of_a_week():
    """Those that came first, whatever they show; duplicates and what is of earlier weeks take nobody's place."""
    few = UserConfig(weekly_impressions=2)
    week = [shown(WEEK_MS + n, f"i{n}", event_id=f"s{n}") for n in range(4)]
    late, again = shown(5, "a", event_id="late"), week[0]
    _, made = served(logged([week[0], late, again, *week[1:], shown(2 * WEEK_MS, "b", event_id="next")]), few)

    assert [one.showing is not None for one in made] == [True, False, False, True, False, False, True]
    assert told(made)[-1] == [("s0", [False]), ("s1", [False])]


def test_what_was_counted_is_counted_once_whatever_crashes():
    """A batch that is folded again from the state before it teaches the same; from the state after it, nothing."""
    few = UserConfig(weekly_impressions=3)
    arrived = logged([shown(n, f"i{n}", event_id=f"s{n}") for n in range(6)])
    state, _ = served(arrived[:2], few)
    one, other = (served(arrived[2:], few, state) for _ in range(2))
    again = advance(decode(encode(one[0])), arrived, few, {})

    assert [made.showing is not None for made in one[1]] == [True, False, False, False]
    assert one == other
    assert again.showing is None and again.state.newest_week_shown == one[0].newest_week_shown == (0, 6)


def test_an_impression_without_features_has_no_outcome():
    """Nothing was known of its items when it came: from it nothing can be learned."""
    state = advance(COLD, logged([FIRST]), WIDE, {}).state

    assert advance(state, logged([shown(8, "z"), shown(10**9, "z")])[1:], WIDE, {}).outcomes == []


def test_what_was_chosen_from_another_impression_is_not_chosen_from_this_one():
    """One that came late in the same batch, when this one already was not the newest thing that had happened."""
    batch = logged([shown(10, "a", "b", event_id="s1"), came(20, "b"), shown(15, "a", event_id="s2")])
    after = advance(COLD, batch, WIDE, {})
    assert after.showing is not None and after.showing.impression.event_id == "s1"
    state = put_features(after.state, {"s1": b"known"})
    later = logged([*((one.source, one.event) for one in batch), came(25, "a"), shown(10**9, "z")])[3:]

    assert told([advance(state, later, WIDE, {})]) == [[("s1", [False, True])]]


@settings(max_examples=300, deadline=None)
@given(arrived=logs(), data=st.data())
def test_each_outcome_comes_once_with_what_was_chosen_by_then(arrived, data):
    """In any order: of those that were the newest when they came, as soon as they are over."""
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    state, made = served(order)
    waiting: dict[str, Arrival] = {}
    for at, (one, after) in enumerate(zip(order, made)):
        so_far, event = order[:at], one.event
        ends = {
            waiting_id: each.event
            for waiting_id, each in waiting.items()
            if one.source != Source.SEARCH and event.timestamp_ms > each.event.timestamp_ms + HALF_AN_HOUR_MS
        }
        converted = what_is_converted(so_far)
        assert sorted(told([after])[0]) == sorted(
            (over_id, [(over_id, item.item_id) in converted for item in over.items]) for over_id, over in ends.items()
        )
        for over_id in ends:
            del waiting[over_id]
        is_newest = (
            one.source == Source.IMPRESSION
            and all(event.timestamp_ms > each.event.timestamp_ms for each in events_of(so_far))
            and all(
                (event.timestamp_ms, event.event_id) > (each.event.timestamp_ms, each.event.event_id)
                for each in impressions_of(so_far)
            )
            and all(event.timestamp_ms >= each.event.timestamp_ms for each in so_far if each.source == Source.SEARCH)
        )
        assert (after.showing is not None) == is_newest
        if after.showing is not None:
            assert after.showing.impression.event_id == event.event_id
            assert after.showing.before.arrivals == at
            waiting[event.event_id] = one
    assert {each.event_id for each in state.recent_impressions if each.features} == set(waiting)


@settings(max_examples=200, deadline=None)
@given(arrived=logs(max_size=70), data=st.data())
def test_nothing_that_waits_is_lost_beyond_the_bounds(arrived, data):
    """Each that was shown as the newest has come out, or waits still, while no event has left; none comes twice."""
    config = msgspec.structs.replace(NARROW, recent_impressions=data.draw(st.integers(1, 4)))
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    state, made = served(order, config)
    known = [after.showing.impression.event_id for after in made if after.showing is not None]
    came_out = [event_id for outcomes in told(made) for event_id, _ in outcomes]
    found = sorted(came_out + [each.event_id for each in state.recent_impressions if each.features])

    assert len(set(found)) == len(found) and set(found) <= set(known)
    assert found == sorted(known) or len(events_of(arrived)) >= config.recent_events
    assert not any(each.features for each in state.pending_impressions)


@settings(max_examples=200, deadline=None)
@given(arrived=logs(max_size=60), data=st.data())
def test_a_batch_has_the_outcomes_of_one_by_one(arrived, data):
    """Of what waited before it; and the last showing of all."""
    order = out_of_step(arrived, data.draw(st.permutations(range(len(arrived)))))
    half = data.draw(st.integers(0, len(order)))
    before, _ = served(order[:half], NARROW)
    state, outcomes, showing = before, list[Outcome](), None
    for one in order[half:]:
        after = advance(state, [one], NARROW, {})
        state, outcomes, showing = after.state, outcomes + after.outcomes, after.showing or showing
    batch = advance(before, order[half:], NARROW, {})

    assert batch.outcomes == outcomes
    assert (batch.showing and batch.showing.impression) == (showing and showing.impression)
    assert batch.state == state
    assert advance(batch.state, order, NARROW, ALL_ACKNOWLEDGED).outcomes == []  # applied before: after a crash


@settings(max_examples=100, deadline=None)
@given(arrived=logs(max_size=60), data=st.data())
def test_waiting_changes_no_signal(arrived, data):
    """Features are bookkeeping."""
    _, made = served(arrived, NARROW)

    assert [s for after in made for s in after.signals] == in_batches(data, arrived, NARROW, {})[1]


def test_an_event_of_the_same_moment_is_not_known_before():
    """It may be the choice that is to be foretold; a search of that moment is what it was shown for."""
    assert served(logged([came(5, "a"), shown(5, "a")]))[1][-1].showing is None
    assert served(logged([asked(5), shown(5, "a")]))[1][-1].showing is not None
    assert served(logged([asked(6), shown(5, "a")]))[1][-1].showing is None
