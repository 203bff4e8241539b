"""Which of a user's searches each event answers, and how much."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.source import Source
from stream_rec.user import answers
from stream_rec.user.answers import REACH_MS, WEIGHTS, count_answers, find_answered, weigh, weigh_newest
from stream_rec.user.state import UserState
from tests.user.asked import asked, by_ids, came, entries, logged, logs, what_answers


def weights(*did) -> dict[tuple[str, str], int]:
    return by_ids(weigh(*entries(logged(did))))


def answered(at_ms: int, item_id: str, *searches) -> str | None:
    """Return the id of the search that an event answers."""
    found = find_answered(entries(logged(searches))[1], at_ms, item_id)
    return found and found.event_id


def test_the_first_three_events_after_a_search_answer_it():
    """The first most, a few more less, and those behind nothing."""
    events = [came(at, f"i{at}", event_id=f"e{at}") for at in (1, 2, 3, 4, 5)]

    assert weights(asked(0, event_id="s"), *events) == {("s", "e1"): 8, ("s", "e2"): 2, ("s", "e3"): 1}
    assert WEIGHTS == (8, 2, 1)


def test_the_same_item_twice_answers_twice():
    """Events answer, not items."""
    events = [came(at, "a", event_id=f"e{at}") for at in (1, 2)]

    assert weights(asked(0, event_id="s"), *events) == {("s", "e1"): 8, ("s", "e2"): 2}


def test_lines_of_one_order_answer_as_they_stand_in_the_log():
    """Of one moment the order is that of topics and offsets, not that of ids."""
    lines = [came(5, f"i{n}", Source.PURCHASE, event_id=f"e{9 - n}") for n in range(3)]
    view = came(5, "v", event_id="z")

    assert weights(asked(0, event_id="s"), *lines, view) == {("s", "z"): 8, ("s", "e9"): 2, ("s", "e8"): 1}


def test_an_event_answers_the_newest_search_before_it():
    """Each search begins anew; what came before it answered the one before."""
    did = [asked(0, event_id="s0"), came(1, "a", event_id="e1"), asked(2, event_id="s2"), came(3, "b", event_id="e3")]

    assert weights(*did) == {("s0", "e1"): 8, ("s2", "e3"): 8}
    assert answered(-1, "a", *did[::2]) is None


@pytest.mark.parametrize(("after_ms", "is_answer"), [(0, True), (1, True), (1_800_000, True), (1_800_001, False)])
def test_half_an_hour_is_the_reach(after_ms, is_answer):
    """An event at the time of the search is an answer, one at the end of the half hour too, and no later one."""
    assert answered(7 + after_ms, "a", asked(7, event_id="s")) == ("s" if is_answer else None)
    assert REACH_MS == 30 * 60 * 1000


def test_a_newer_search_hides_one_that_is_in_reach():
    """Whoever asked again did not choose what the first search found, though the second's item is no answer to it."""
    searches = asked(0, event_id="s0"), asked(1, item_id="a", event_id="s1")

    assert answered(2, "a", *searches) is None
    assert answered(2, "b", *searches) == "s1"


def test_the_item_that_a_search_is_about_came_before_it():
    """At the very time of the search it answers an older one, if that is about something else and not too long ago."""
    about_a = asked(10, item_id="a", event_id="s10")

    assert answered(10, "a", about_a) is None
    assert answered(10, "a", asked(5, event_id="s5"), about_a) == "s5"
    assert answered(10, "a", asked(5, item_id="a", event_id="s5"), about_a) is None
    assert answered(10 + REACH_MS, "a", asked(9, event_id="s9"), asked(10 + REACH_MS, item_id="a")) is None
    assert answered(10, "b", asked(5, event_id="s5"), about_a) == "s10"


def test_of_several_searches_of_one_moment_the_last_by_id_is_answered():
    """And where that is about the event's item, another of the moment."""
    searches = [asked(3, event_id="s1"), asked(3, item_id="a", event_id="s3"), asked(3, item_id="b", event_id="s2")]

    assert answered(4, "c", *searches) == answered(3, "c", *searches) == "s3"
    assert answered(3, "a", *searches) == "s2"
    assert answered(4, "a", *searches) is None


def test_without_searches_nothing_is_answered():
    """Nor without events."""
    events, searches = entries(logged([asked(0), came(1, "a")]))

    assert weigh(events, []) == weigh([], searches) == weigh_newest([], [], events[0]) == {}
    assert find_answered([], 1, "a") is None


def test_changes_name_what_came_what_changed_and_what_went():
    """What stayed as it was is no change."""
    (one, two, three, four), (search,) = entries(logged([asked(0), *(came(at, "a") for at in (1, 2, 3, 4))]))
    before = {(search, one): 8, (search, two): 2, (search, three): 1}

    assert answers.changes(before, {(search, one): 8, (search, four): 2, (search, two): 1}) == {
        (search, four): 2,
        (search, two): -1,
        (search, three): -1,
    }


@settings(max_examples=300, deadline=None)
@given(arrived=logs())
def test_all_events_answer_what_each_answers(arrived):
    """Held against a look at every search for every event."""
    events, searches = entries(arrived)
    expected = what_answers(arrived)

    assert by_ids(weigh(events, searches)) == expected
    for place, entry in enumerate(events):
        found = find_answered(searches, entry.timestamp_ms, entry.item_id)
        ids = {search_id for search_id, event_id in expected if event_id == entry.event_id}
        assert not ids or {found.event_id} == ids
        alone = what_answers(
            [one for one in arrived if one.source == Source.SEARCH or one.event.event_id == entry.event_id]
        )
        assert alone == ({} if found is None else {(found.event_id, entry.event_id): 8})
        earlier = events[:place]
        newest = weigh_newest(sorted(earlier, key=lambda e: e.order), searches, entry)
        assert newest == {a: w for a, w in weigh(events[: place + 1], searches).items() if a[1] is entry}


@settings(max_examples=200, deadline=None)
@given(arrived=logs(), data=st.data())
def test_what_is_added_makes_the_one_the_other(arrived, data):
    """Of any two sets of events and searches."""
    before, after = (
        weigh(*entries(data.draw(st.lists(st.sampled_from(arrived), unique_by=lambda one: one.event.event_id))))
        if arrived
        else {}
        for _ in range(2)
    )
    changed = answers.changes(before, after)

    assert 0 not in changed.values()
    assert {a: before.get(a, 0) + changed.get(a, 0) for a in {*before, *after, *changed}} == {
        a: after.get(a, 0) for a in {*before, *after, *changed}
    }


@settings(max_examples=300, deadline=None)
@given(arrived=logs().filter(lambda arrived: any(one.source == Source.SEARCH for one in arrived)))
def test_the_newest_search_has_as_many_answers_as_events_answer_it(arrived):
    """The fourth and those behind it count too."""
    events, searches = entries(arrived)
    state = UserState(recent_events=sorted(events, key=lambda e: e.order), recent_searches=searches)
    newest = max(
        (one.event for one in arrived if one.source == Source.SEARCH), key=lambda s: (s.timestamp_ms, s.event_id)
    )
    n_answers = 0
    for one in arrived:
        if one.source != Source.SEARCH:
            others = [each for each in arrived if each.source == Source.SEARCH]
            n_answers += (newest.event_id, one.event.event_id) in what_answers([*others, one])

    assert count_answers(state) == n_answers
