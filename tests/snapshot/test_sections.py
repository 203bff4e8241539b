"""Records without their bookkeeping."""

from __future__ import annotations

import msgspec

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.slate import AsOf, Slate
from stream_rec.events.source import Source
from stream_rec.events.surfaces import Surfaces
from stream_rec.events.validate import InputLimits
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.queries import numbers_of
from stream_rec.knowledge.state import ItemState
from stream_rec.snapshot.sections import BEFORE, ITEM_STATES, ITEMS, LISTS, SURFACES, USERS, detach, owner_of, portable
from stream_rec.surface_lists import record_of
from stream_rec.user import seen
from stream_rec.user import state as user_state
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.impressions import put_features
from stream_rec.user.interactions import fold
from stream_rec.user.state import COLD, UserState

CONFIG = UserConfig(recent_events=16)
LIMITS = InputLimits()


def arrival(number: int, offset: int, *, timestamp_ms: int | None = None) -> Arrival:
    """Return a click on an item of its own; event ``number`` happens at that second."""
    time_ms = 1000 * number if timestamp_ms is None else timestamp_ms
    event = Interaction(f"e{number}", "ann", f"i{number}", time_ms, context={"country": f"c{number}"})
    return Arrival(event, Kind.CLICK, 0, offset)


def moved(n: int) -> UserState:
    """Return a state of ``n`` events, from offset 100 on, as it is after a move."""
    before = advance(COLD, [arrival(number, 100 + number) for number in range(n)], CONFIG, {}).state
    after = user_state.decode(portable(USERS, LIMITS)(b"ann", user_state.encode(before)))
    assert user_state.facts(after) == user_state.facts(before)
    assert len(before.pending) == max(0, n - 16)
    return after


def test_a_moved_state_has_no_offset_and_nothing_to_send_again():
    """Its facts are what they were; what would make a new event look applied is gone."""
    state = moved(20)

    assert (state.offsets, state.released, state.pending, state.arrivals) == ({}, {}, [], 20)
    assert [entry.item_id for entry in state.recent_events] == [f"i{number}" for number in range(4, 20)]


def test_events_after_a_move_pair_with_those_of_before():
    """The first event of a new cluster stands at offset 0, and follows what came before it in time."""
    made = advance(moved(3), [arrival(3, 0)], CONFIG, {})

    (signal,) = made.signals
    assert (signal.item_id, signal.offset, signal.pairs) == ("i3", 0, [("i2", 12), ("i1", 11), ("i0", 10)])
    assert made.state.offsets == {Kind.CLICK: 0}


def test_what_is_sent_again_after_a_move_teaches_nothing():
    """Not even from an offset at which another event stood before the move, and read again after a crash.

    Offset 101 was that of event 1.
    """
    made = advance(moved(3), [arrival(2, 101)], CONFIG, {})
    again = advance(made.state, [arrival(2, 101), arrival(3, 102)], CONFIG, {})

    assert (made.signals, made.is_changed) == ([], True)
    assert [(signal.item_id, signal.offset) for signal in again.signals] == [("i3", 102)]
    assert again.state.counts == (0, 4, 0)


def test_entries_of_one_moment_keep_their_order():
    """The lines of one purchase stand as they stood in their topic; a second move does not change that."""
    alike = [arrival(number, 50 + at, timestamp_ms=7) for at, number in enumerate((1, 2, 0))]
    state = UserState()
    for one in alike:
        state = fold(state, one.event, Kind(one.source), one.offset, CONFIG)

    for again in (detach(state), detach(detach(state))):
        in_log = sorted(again.recent_events, key=lambda entry: entry.log_order)
        assert [entry.item_id for entry in in_log] == ["i1", "i2", "i0"]
        assert len({entry.offset for entry in again.recent_events}) == 3


def search(number: int, offset: int, *, timestamp_ms: int | None = None) -> Arrival:
    """Return a search; number ``number`` happens at that second."""
    time_ms = 1000 * number if timestamp_ms is None else timestamp_ms
    return Arrival(Search(f"s{number}", "ann", "red", time_ms), Source.SEARCH, 0, offset)


def test_a_moved_state_has_its_searches_without_offsets():
    """Those that had left the recent ones have nothing to send again; the others are what an event may answer."""
    config = UserConfig(recent_events=16, recent_searches=2)
    came = [arrival(1, 101), *(search(number, 500 + number) for number in (2, 3, 4)), arrival(5, 505)]
    before = advance(COLD, came, config, {}).state
    after = detach(before)

    assert [entry.event_id for entry in before.pending_searches] == ["s2"]
    assert (after.pending_searches, after.offsets, after.released) == ([], {}, {})
    assert user_state.facts(after) == user_state.facts(before)
    assert [entry.event_id for entry in after.recent_searches] == ["s3", "s4"]
    assert all(entry.offset >= BEFORE for entry in [*after.recent_searches, *after.recent_events])
    assert user_state.decode(portable(USERS, LIMITS)(b"ann", user_state.encode(before))) == after


def test_events_and_searches_after_a_move_know_those_of_before():
    """At the first offsets of a new cluster: an event answers a search of before, a late search takes it away."""
    moved_on = detach(advance(COLD, [search(1, 501), arrival(4, 104)], CONFIG, {}).state)
    made = advance(moved_on, [arrival(5, 0), search(3, 0)], CONFIG, {})
    again = advance(made.state, [search(3, 0), search(1, 1), search(9, 2)], CONFIG, {})

    (red,) = numbers_of("red", None)
    visit, of_i4, of_i5 = made.signals
    assert (visit.item_id, visit.answers) == ("i5", [(red, 5000, 2)])
    assert (of_i4.item_id, of_i4.kind, sorted(of_i4.answers)) == (
        "i4",
        Source.SEARCH,
        [(red, 4000, -8), (red, 4000, 8)],
    )
    assert (of_i5.item_id, sorted(of_i5.answers)) == ("i5", [(red, 5000, -2), (red, 5000, 2)])
    assert (again.n_duplicates, again.signals) == (1, [of_i4, of_i5])
    assert [entry.event_id for entry in again.state.recent_searches] == ["s1", "s3", "s9"]


def test_searches_of_one_moment_keep_apart_after_a_move():
    """Each has an offset of its own in its topic, in the order in which they stood there."""
    state = advance(COLD, [search(n, 50 + at, timestamp_ms=7) for at, n in enumerate((1, 2, 0))], CONFIG, {}).state

    for again in (detach(state), detach(detach(state))):
        assert [entry.event_id for entry in again.recent_searches] == ["s0", "s1", "s2"]
        assert [entry.offset - BEFORE for entry in again.recent_searches] == [2, 0, 1]


def impression(number: int, offset: int, *item_ids: str, timestamp_ms: int | None = None) -> Arrival:
    """Return an impression; number ``number`` happens at that second."""
    time_ms = 1000 * number if timestamp_ms is None else timestamp_ms
    items = [ShownItem(item_id, position) for position, item_id in enumerate(item_ids or ("i1",), 1)]
    return Arrival(Impression(f"p{number}", "ann", "", items, time_ms), Source.IMPRESSION, 0, offset)


def test_a_moved_state_has_its_impressions_without_offsets():
    """What was counted stays; those that had left have nothing to send again, and none waits for what is chosen."""
    config = UserConfig(recent_events=16, recent_impressions=2)
    came = [arrival(1, 101), *(impression(number, 700 + number) for number in (2, 3, 4)), arrival(5, 105)]
    before = put_features(advance(COLD, came, config, {}).state, {"p3": b"xx", "p4": b"xx"})
    after = detach(before)

    assert [entry.event_id for entry in before.pending_impressions] == ["p2"]
    assert (after.pending_impressions, after.offsets, after.released) == ([], {}, {})
    assert user_state.facts(after) == user_state.facts(before)
    assert (after.shown_counts, after.shown_counts[0].n) == (before.shown_counts, 3)
    assert [(each.event_id, each.slots, each.features) for each in after.recent_impressions] == [
        ("p3", [0], b""),
        ("p4", [0], b""),
    ]
    assert [each.offset - BEFORE for each in after.recent_impressions] == [0, 1]
    assert user_state.decode(portable(USERS, LIMITS)(b"ann", user_state.encode(before))) == after


def test_events_and_impressions_after_a_move_know_those_of_before():
    """At the first offsets of a new cluster: an event converts an impression of before, a late one takes it away."""
    moved_on = detach(advance(COLD, [impression(1, 0, "i4", "i5"), arrival(4, 0)], CONFIG, {}).state)
    made = advance(moved_on, [arrival(5, 0), impression(3, 0, "i9", "i7", "i4")], CONFIG, {})
    again = advance(made.state, [impression(3, 0), impression(1, 1), impression(9, 2)], CONFIG, {})

    visit, of_i9, of_i7, of_i4 = made.signals
    assert (visit.item_id, visit.chosen) == ("i5", [(1, 1)])
    assert [(each.item_id, each.shown, each.chosen) for each in (of_i9, of_i7)] == [("i9", 0, []), ("i7", 1, [])]
    assert (of_i4.item_id, of_i4.shown, sorted(of_i4.chosen)) == ("i4", 2, [(0, -1), (2, 1)])
    assert (again.n_duplicates, again.signals[:3]) == (1, [of_i9, of_i7, of_i4])
    assert [each.event_id for each in again.state.recent_impressions] == ["p1", "p3", "p9"]


def test_impressions_of_one_moment_keep_apart_after_a_move():
    """Each has an offset of its own in its topic, in the order in which they stood there."""
    came = [impression(n, 50 + at, timestamp_ms=7) for at, n in enumerate((1, 2, 0))]
    state = advance(COLD, came, CONFIG, {}).state

    for again in (detach(state), detach(detach(state))):
        assert [entry.event_id for entry in again.recent_impressions] == ["p0", "p1", "p2"]
        assert [entry.offset - BEFORE for entry in again.recent_impressions] == [2, 0, 1]


def test_an_old_state_is_written_as_one_of_now():
    """What a program of now wrote says so: its other fields are of now."""
    old = msgspec.structs.replace(moved(1), version=2)

    assert detach(old).version == user_state.VERSION


def test_what_a_moved_user_sent_before_is_still_known():
    """What is no recent event any more, its digest in the state or in the archive, which moves with it."""
    came, chunks = [arrival(number, 100 + number) for number in range(120)], {}
    state = COLD
    for one in came:
        after = advance(state, [one], CONFIG, {}, chunks.get)
        state, chunks = after.state, chunks | after.chunks
    assert state.recent_ids and state.n_archived
    make = portable(USERS, LIMITS)
    kept = {number: make(seen.key_of(b"ann", number), seen.encode(chunk)) for number, chunk in chunks.items()}
    chunks = {number: seen.decode(value) for number, value in kept.items()}
    state = user_state.decode(make(b"ann", user_state.encode(state)))
    again = advance(state, [arrival(number, number) for number in range(120)], CONFIG, {}, chunks.get)

    assert (again.n_duplicates, again.signals) == (120, [])
    assert user_state.facts(again.state) == user_state.facts(state)


def test_what_is_kept_beside_a_state_goes_to_its_partition():
    """On another cluster, whatever the number of partitions; every other record by its own key."""
    assert owner_of(USERS, seen.key_of(b"ann", 7)) == owner_of(USERS, b"ann") == b"ann"
    assert owner_of(ITEMS, seen.key_of(b"ann", 7)) == seen.key_of(b"ann", 7)


def test_an_item_state_loses_its_watermarks():
    """And nothing else."""
    state = ItemState(
        counts=(1, 0, 0),
        sums=[1.0] * 7,
        first_ms=5,
        last_ms=5,
        watermarks={1: 9},
        repeats=1,
        queries={7: (8, 8.0, 5)},
        contexts={9: (1, 1.0, 5)},
    )

    value = portable(ITEM_STATES, LIMITS)(b"i", item_state.encode(state))

    assert item_state.decode(value) == msgspec.structs.replace(state, watermarks={})


def test_a_list_has_seen_no_event_of_another_cluster():
    """An app that waits for a list which knows its event does not take an old one for it."""
    seen = Slate("id", "ann", 7, AsOf("clicks", 0, 9, "e", 5), {"clicks": 9}, "p", [])

    value = portable(LISTS, LIMITS)(b"ann", msgspec.json.encode(seen))

    after = msgspec.json.decode(value, type=Slate)
    assert (after.seen, after.as_of, after.user_id, after.generated_at_ms) == ({}, None, "ann", 7)
    assert after.list_id not in ("id", "")


def test_the_default_list_is_left_to_the_first_worker():
    """It publishes one as soon as it runs."""
    assert portable(LISTS, LIMITS)(b"*", msgspec.json.encode(Slate("id", "*", 7, None, {}, "p", []))) is None


def test_a_list_that_cannot_be_read_is_left_out():
    """The user's next event makes a new one."""
    assert portable(LISTS, LIMITS)(b"ann", b'{"items": 7}') is None


def test_moved_surfaces_have_seen_no_event():
    """As lists; those of users without any, and what cannot be read, are left out."""
    as_of = AsOf("clicks", 0, 9, "e", 5)
    before = record_of("ann", [("a", []), ("b", [])], policy="p", generated_at_ms=7, as_of=as_of, seen={"clicks": 9})
    move = portable(SURFACES, LIMITS)

    after = msgspec.json.decode(move(b"ann", msgspec.json.encode(before)), type=Surfaces)
    assert after == record_of("ann", [("a", []), ("b", [])], policy="p", generated_at_ms=7)
    assert move(b"*", msgspec.json.encode(before)) is None
    assert move(b"ann", b'{"surfaces": 7}') is None


def test_an_item_that_was_rejected_is_left_out():
    """It would only be rejected again."""
    good = portable(ITEMS, LIMITS)

    assert good(b"i", b'{"item_id": "i", "title": "Teapot"}') == b'{"item_id": "i", "title": "Teapot"}'
    assert good(b"i", b'{"item_id": "j"}') is None
    assert good(b"i", b"{") is None
