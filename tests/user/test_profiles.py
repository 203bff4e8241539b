"""What a user's state keeps of profiles, and what its signals say of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.events.slate import AsOf
from stream_rec.events.source import Source
from stream_rec.knowledge.contexts import numbers_of, said
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import ProfileEntry
from stream_rec.user.history import read_history
from stream_rec.user.profiles import youngest_age
from stream_rec.user.seen import RECENT
from stream_rec.user.state import COLD, decode, encode, facts

CONFIG = UserConfig(recent_events=16, context_keys="country,language,birth_decade")
KEYS = CONFIG.context_keys


def declared(offset: int, *interests: str, **fields: object) -> Arrival:
    """Return a profile; one with nothing in it takes the profile back."""
    return Arrival(Profile("ann", 1000 * offset, list(interests), **fields), Source.PROFILE, 0, offset)


def came(offset: int, item_id: str = "a", **context: object) -> Arrival:
    event = Interaction(f"e{offset}", "ann", item_id, 1000 * offset, context=context)
    return Arrival(event, Source(Kind.VIEW), 0, offset)


def test_the_newest_stands():
    """Whole: what it does not say is not known any more. Interests stand in it once each, without blanks around."""
    first = declared(0, " jazz", "hiking", "jazz ", language="pt-BR", birth_year=1988)
    state = advance(COLD, [first], CONFIG, {}).state

    numbers = numbers_of({"language": "pt-br", "birth_decade": "1980"}, KEYS)
    assert state.profile == ProfileEntry(0, ["jazz", "hiking"], "pt-BR", 1988, numbers)
    assert not state.is_cold and decode(encode(state)) == state
    state = advance(state, [declared(1, "chess")], CONFIG, {}).state
    assert state.profile == ProfileEntry(1000, ["chess"])
    assert advance(state, [declared(2)], CONFIG, {}).state == msgspec.structs.replace(
        COLD, offsets={int(Source.PROFILE): 2}
    )


def test_one_that_was_applied_is_not_applied_again():
    """After a crash an older record is read once more, behind a newer one."""
    state = advance(COLD, [declared(0, "jazz"), declared(1, "chess")], CONFIG, {}).state
    again = advance(state, [declared(0, "jazz")], CONFIG, {})

    assert not again.is_changed and again.state == state and again.signals == []


def test_taking_back_what_nobody_had_leaves_nothing():
    """As the worker's own record after an erasure; behind what came in the same batch it is taken like any other."""
    after = advance(COLD, [declared(3), declared(4)], CONFIG, {})
    assert not after.is_changed and after.state == COLD

    after = advance(COLD, [declared(3), came(0), declared(4)], CONFIG, {})
    assert after.is_changed and after.state.offsets == {0: 0, 5: 4} and after.state.profile is None
    moved = msgspec.structs.replace(advance(COLD, [declared(0, "jazz")], CONFIG, {}).state, offsets={})
    assert advance(moved, [declared(0)], CONFIG, {}).state.profile is None  # of a state from a snapshot it is one


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_facts_do_not_depend_on_what_is_read_first(data: st.DataObject):
    """Of events and profiles, each in the order of its topic, in whatever batches."""
    profiles = [declared(n, *data.draw(st.sampled_from([(), ("jazz",), ("chess",)]))) for n in range(4)]
    events = [came(n, f"i{n % 3}", country=data.draw(st.sampled_from(["FR", "JP"]))) for n in range(5)]
    states = []
    for _ in range(2):
        waiting, state = [list(profiles), list(events)], COLD
        while any(waiting):
            batch = []
            for _ in range(data.draw(st.integers(1, 4))):
                topics = [topic for topic in waiting if topic]
                if topics:
                    batch.append(data.draw(st.sampled_from(topics)).pop(0))
            state = advance(state, batch, CONFIG, {}).state
        states.append(state)

    assert facts(states[0]) == facts(states[1])
    assert facts(states[0]) == facts(advance(COLD, [*profiles, *events], CONFIG, {}).state)


def test_an_event_is_counted_where_its_user_is_at_home():
    """Under language and decade of birth as the profile stood when it came, unless the event says otherwise."""
    profile = declared(0, language="de", birth_year=1999)
    after = advance(COLD, [came(0), profile, came(1, "b", country="FR"), came(2, "c", language="fr")], CONFIG, {})

    at_home = {"language": "de", "birth_decade": "1990"}
    assert [signal.contexts for signal in after.signals] == [
        said(numbers_of(context, KEYS)) for context in ({}, at_home | {"country": "FR"}, at_home | {"language": "fr"})
    ]
    assert all("de" not in str(signal) for signal in after.signals)


@pytest.mark.parametrize("n_since", [1, 30])
def test_signals_are_made_again_as_they_were(n_since: int):
    """After a crash, also where the event has left the recent ones, and whatever the profile says by then."""
    first = came(0)
    made = advance(COLD, [declared(0, language="de"), first], CONFIG, {})
    state = advance(made.state, [declared(1, language="fr")], CONFIG, {}).state
    for offset in range(1, 1 + n_since):
        state = advance(state, [came(offset, f"i{offset}")], CONFIG, {}).state

    again = advance(decode(encode(state)), [first], CONFIG, {})
    assert again.signals == made.signals and again.signals[0].contexts


def test_a_choice_was_made_with_the_profile_of_before():
    """One that comes in the same batch before the first event that teaches is known to whoever learns from it."""
    before = advance(COLD, [declared(0, "jazz")], CONFIG, {}).state
    after = advance(before, [declared(1, "chess"), came(0), declared(2, "tea")], CONFIG, {})

    assert after.choosing.profile.interests == ["chess"]
    assert (after.state.profile.interests, after.n_duplicates) == (["tea"], 0)


def test_it_makes_no_room_and_takes_none():
    """Other sources go on as they were: a profile is nobody's event, search or digest."""
    search = Arrival(Search("q", "ann", "pot", 500), Source.SEARCH, 0, 0)
    alone = advance(COLD, [came(0), search, came(1)], CONFIG, {}).state
    among = advance(COLD, [came(0), declared(0, "a"), search, declared(1, "b"), came(1), declared(2)], CONFIG, {}).state

    assert msgspec.structs.replace(among, offsets=alone.offsets) == alone
    state = COLD
    for offset in range(RECENT + 40):  # the archive is in use
        state = advance(state, [came(offset)], CONFIG, {}).state
    after = advance(state, [declared(0, "jazz")], CONFIG, {}, {}.get)
    assert after.state.profile.interests == ["jazz"] and after.chunks == {}


def test_a_list_is_as_of_what_the_user_did_last():
    """Whenever the profile was said; of who did nothing, as of then."""
    said = declared(1_000_000_000, "jazz")
    state = advance(COLD, [came(7), said], CONFIG, {}).state
    assert said.as_of(state) == AsOf("profiles", 0, 1_000_000_000, "profiles/0/1000000000", 7_000)

    search = Arrival(Search("q", "ann", "pot", 9_500), Source.SEARCH, 0, 0)
    assert declared(0, "jazz").as_of(advance(state, [search], CONFIG, {}).state).timestamp_ms == 9_500
    assert said.as_of(advance(COLD, [said], CONFIG, {}).state).timestamp_ms == 1_000_000_000_000


def test_what_a_list_is_made_of():
    """Interests, year of birth and contexts; nothing where nothing was said."""
    state = advance(COLD, [declared(0, "jazz", language="de", birth_year=1990)], CONFIG, {}).state
    history = read_history(state, lambda item_id: None, recent_items=5)

    assert (history.interests, history.birth_year) == (["jazz"], 1990)
    assert history.of_profile == state.profile.contexts and history.contexts == ()
    nothing = read_history(COLD, lambda item_id: None, recent_items=5)
    assert (nothing.interests, nothing.birth_year, nothing.of_profile) == ((), None, ())


def test_nobody_is_taken_for_older_than_they_may_be():
    """Of a year of birth the last day counts."""
    last_day_of_2025 = 1_767_225_599_999
    assert [youngest_age(year, last_day_of_2025) for year in (2007, 2008, 2025)] == [17, 16, 0]
    assert youngest_age(2007, last_day_of_2025 + 1) == 18
