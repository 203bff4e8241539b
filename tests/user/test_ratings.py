"""Which values are ratings, and what a user's state keeps of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.config import Settings, override
from stream_rec.errors import SettingsError
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.source import Source
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.rated import NOTHING_RATED, read_rated
from stream_rec.user.ratings import NO_RATINGS, RatingsConfig, read_rating
from stream_rec.user.state import COLD, decode, encode, facts

CONFIG = UserConfig(recent_events=16)
STARS = RatingsConfig(scale="1,5")


def rates(offset: int, value: float | None, item_id: str = "a", event_id: str | None = None) -> Arrival:
    event = Interaction(event_id or f"e{offset}", "ann", item_id, 1000 * offset, value=value)
    return Arrival(event, Source.VIEW, 0, offset)


def fold(arrivals: list[Arrival], ratings: RatingsConfig = STARS, state=COLD):
    return advance(state, arrivals, CONFIG, {}, ratings=ratings)


@pytest.mark.parametrize(
    ("value", "kind", "action", "rating"),
    [
        (4.5, Kind.VIEW, None, 4500),
        (1.0, Kind.CLICK, None, 1000),
        (5.0, Kind.VIEW, "rated", 5000),
        (5.001, Kind.VIEW, None, None),
        (0.5, Kind.VIEW, None, None),
        (None, Kind.VIEW, None, None),
        (4.0, Kind.PURCHASE, None, None),
        (4.0, Kind.PURCHASE, "rated", None),
        (3.33333, Kind.VIEW, None, 3333),
    ],
)
def test_what_is_a_rating(value: float | None, kind: Kind, action: str | None, rating: int | None):
    """A value on the scale, of a view or a click: what a purchase is worth is most often its price."""
    event = Interaction("e", "ann", "a", 1000, value=value, context={"action": action} if action else {})

    assert read_rating(event, kind, STARS) == rating
    assert read_rating(event, kind, NO_RATINGS) is None


def test_an_action_can_be_named_in_place_of_a_kind():
    """Of a shop that sends ratings as clicks among others: only those that say so."""
    config = RatingsConfig(scale="1,5", events="rated,reviewed")
    events = [
        Interaction("e", "ann", "a", 1000, value=3.0, context=context)
        for context in ({"action": "rated"}, {"action": "wished"}, {"action": 7}, {})
    ]

    assert [read_rating(event, Kind.CLICK, config) for event in events] == [3000, None, None, None]


@pytest.mark.parametrize("scale", ["5,1", "3,3", "1", "1,2,3", "low,high", "1,99999", "1.2345,5"])
def test_a_scale_that_is_none_is_refused(scale: str):
    """With a word on what is expected."""
    with pytest.raises(SettingsError, match="scale"):
        override(Settings(), {"ratings.scale": scale})


@given(
    values=st.lists(st.one_of(st.none(), st.floats(0, 6)), min_size=1, max_size=40),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_sums_are_those_of_the_ratings_in_whatever_order_they_come(values: list[float | None], order):
    """Each once, also where it is sent twice; what has left the recent events still counts."""
    arrivals = [rates(offset, value, f"i{offset}") for offset, value in enumerate(values)]
    shuffled = order.sample([a.event for a in arrivals], len(arrivals))
    again = [Arrival(event, Source.VIEW, 0, offset) for offset, event in enumerate([*shuffled, *shuffled])]
    on_scale = [round(1000 * value) for value in values if value is not None and 1 <= value <= 5]

    straight, mixed = fold(arrivals).state, fold(again).state
    assert straight.ratings == mixed.ratings == (len(on_scale), sum(on_scale))
    assert [e.rating for e in straight.recent_events] == [e.rating for e in mixed.recent_events]
    assert fold(arrivals, NO_RATINGS).state.ratings == (0, 0)


def test_ratings_are_facts():
    """Two users of whom one rated are told apart; an event that was no rating when it came is none later."""
    rated, seen = fold([rates(0, 4.0)]).state, fold([rates(0, 4.0)], NO_RATINGS).state

    assert facts(rated) != facts(seen)
    other = msgspec.structs.replace(
        rated, recent_events=[msgspec.structs.replace(e, rating=None) for e in rated.recent_events]
    )
    assert facts(rated) != facts(other)  # of as many, another one
    assert fold([rates(1, 5.0)], state=seen).state.ratings == (1, 5000)
    assert decode(encode(rated)) == rated


@pytest.mark.parametrize("n_since", [1, 30])
def test_signals_are_made_again_as_they_were(n_since: int):
    """After a crash, also where the event has left the recent ones, and whatever is a rating by then."""
    made = fold([rates(0, 4.0)])
    state = made.state
    for offset in range(1, 1 + n_since):
        state = fold([rates(offset, None, f"i{offset}")], state=state).state
    again = fold([rates(0, 4.0)], NO_RATINGS, decode(encode(state)))

    assert again.signals == made.signals and [signal.rating for signal in made.signals] == [4000]


def test_what_a_user_rated():
    """The recent ratings by row, the newest last, and all of them by number and sum; no row, no place."""
    state = fold([rates(0, 4.0, "a"), rates(1, None, "b"), rates(2, 2.0, "gone"), rates(3, 1.5, "c")]).state
    rated = read_rated(state, {"a": 7, "b": 8, "c": 9}.get)

    assert (rated.rows.tolist(), rated.values.tolist(), rated.n, rated.total) == ([7, 9], [4.0, 1.5], 3, 7.5)
    assert read_rated(COLD, {}.get) is NOTHING_RATED
    assert read_rated(fold([rates(0, 4.0, "gone")]).state, {}.get).n == 1


def test_a_state_of_before_has_no_ratings():
    """Its events had values, but nobody had said that they are ratings."""
    old = msgspec.msgpack.decode(encode(fold([rates(0, 4.0)]).state))
    old[0], old[1] = 9, [entry[:-1] for entry in old[1]]
    state = decode(msgspec.msgpack.encode(old[:-1]))

    assert state.ratings == (0, 0) and [entry.rating for entry in state.recent_events] == [None]
