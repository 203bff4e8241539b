"""What a user's state keeps of contexts, and what its signals say of them."""

from __future__ import annotations

from typing import Any

import pytest

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge.contexts import numbers_of, said
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.state import COLD, decode, encode, facts

CONFIG = UserConfig(recent_events=16, weekly_training_events=2, context_keys="country,hour")
KEYS = CONFIG.context_keys


def came(offset: int, item_id: str, event_id: str = "", at_ms: int | None = None, **context: Any) -> Arrival:
    """Return a view; the time of one with offset ``offset`` is that second."""
    time_ms = 1000 * offset if at_ms is None else at_ms
    event = Interaction(event_id or f"e{offset}", "ann", item_id, time_ms, context=context)
    return Arrival(event, Source(Kind.VIEW), 0, offset)


def test_what_is_declared_is_kept_and_taught():
    """With each event and search, as numbers; texts, and what is not declared, stay out of the state."""
    search = Search("q", "ann", "pot", 9000, context={"hour": 7, "note": "x"})
    arrived = [
        came(0, "a", country="Rwanda", hour=5, note="secret"),
        came(1, "b"),
        Arrival(search, Source.SEARCH, 0, 0),
    ]
    after = advance(COLD, arrived, CONFIG, {})

    numbers = numbers_of({"country": "Rwanda", "hour": 5}, KEYS)
    assert [entry.contexts for entry in after.state.recent_events] == [numbers, ()]
    assert after.state.recent_searches[0].contexts == numbers_of({"hour": 7}, KEYS)
    assert [signal.contexts for signal in after.signals] == [said(numbers), []]
    assert decode(encode(after.state)) == after.state
    assert not any(text in encode(after.state) for text in (b"Rwanda", b"secret", b"country"))


def test_without_keys_nothing_is_kept():
    """The state is that of events which say nothing."""
    config = UserConfig(context_keys="")
    states = [advance(COLD, [came(0, "a", **context)], config, {}).state for context in ({}, {"country": "FR"})]

    assert states[0] == states[1]
    other = advance(COLD, [came(0, "a", country="FR")], CONFIG, {}).state
    assert facts(other) != facts(states[0])


def test_the_context_of_a_choice_is_that_of_the_first_event_that_teaches():
    """A duplicate, and a third of those that are alike, teach nothing; nothing is chosen without one."""
    before = advance(COLD, [came(0, "a", "e0", country="FR")], CONFIG, {}).state
    duplicate, other = came(1, "b", "e0", country="JP"), came(2, "b", country="BR")
    assert advance(before, [duplicate], CONFIG, {}).choosing_contexts == ()
    after = advance(before, [duplicate, other, came(3, "c", country="CA")], CONFIG, {})
    assert after.choosing_contexts == numbers_of({"country": "BR"}, KEYS)

    alike = [came(offset, "b", country="JP") for offset in (4, 5)]
    after = advance(after.state, [*alike, came(6, "d", hour=1)], CONFIG, {})
    assert after.choosing_contexts == numbers_of({"country": "JP"}, KEYS)  # one of the two was the second of "b"
    assert [signal.item_id for signal in after.signals] == ["b", "d"]


@pytest.mark.parametrize("n_since", [1, 30])
def test_signals_are_made_again_as_they_were(n_since: int):
    """After a crash, also where the event has left the recent ones, and whatever is declared by then."""
    first = came(0, "a", country="FR", hour=3)
    made = advance(COLD, [first], CONFIG, {})
    state = made.state
    for offset in range(1, 1 + n_since):
        state = advance(state, [came(offset, f"i{offset}", country="JP")], CONFIG, {}).state

    again = advance(decode(encode(state)), [first], UserConfig(recent_events=16, context_keys="device"), {})
    assert again.signals == made.signals and again.signals[0].contexts
