"""One item's state: signals applied once each, in any interleaving of their sources."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.errors import StateVersionError
from stream_rec.events.interaction import Kind
from stream_rec.events.source import Source
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.contexts import key_of
from stream_rec.knowledge.fading import HALF_LIFE_MS
from stream_rec.knowledge.popularity import FIRST_HALF_LIVES_MS, HOUR_MS
from stream_rec.knowledge.signal import Signal, source_number
from stream_rec.knowledge.state import UNSEEN, ItemState, KnowledgeConfig, apply, strip_bookkeeping
from stream_rec.knowledge.visits import decode as decode_visits

NEVER_CUT = KnowledgeConfig(predecessors=1000, recent_visits=4, queries=1000, contexts=1000)
"""Of predecessors, queries and contexts: what visits are cut to does not depend on any order."""
SMALL = KnowledgeConfig(predecessors=8, queries=8)


def viewed(
    offset, *, at=5, pairs=(), partition=0, kind=Kind.VIEW, visitor=0, again=False, is_first=False, answers=()
) -> Signal:
    return Signal(
        "i", int(kind), partition, offset, at, list(pairs), visitor, again, is_first=is_first, answers=list(answers)
    )


def searched(offset, answers, *, partition=0) -> Signal:
    """Return what a late search changed."""
    return Signal("i", int(Source.SEARCH), partition, offset, answers=list(answers))


def shown_in(offset, slot, chosen=(), *, partition=0) -> Signal:
    """Return what an impression of the item teaches."""
    return Signal("i", int(Source.IMPRESSION), partition, offset, shown=slot, chosen=list(chosen))


@st.composite
def sources(draw: st.DrawFn) -> list[list[Signal]]:
    """Return the signals of several sources, each in the order of its offsets."""
    change = st.tuples(st.sampled_from("abcdefgh"), st.integers(-3, 12))
    answer = st.tuples(st.integers(0, 5), st.integers(0, 10**10), st.sampled_from([8, 2, 1, -1, -2, -8]))
    choice = st.tuples(st.integers(0, 7), st.sampled_from([1, 1, -1]))
    made = []
    impressions = [(Source.IMPRESSION, 0), (Source.IMPRESSION, 1)]
    for kind, partition in [(Source.VIEW, 0), (Source.VIEW, 1), (Source.PURCHASE, 0), (Source.SEARCH, 0), *impressions]:
        offsets = sorted(draw(st.sets(st.integers(0, 30), max_size=8)))
        made.append(
            [
                Signal(
                    "i",
                    int(kind),
                    partition,
                    offset,
                    draw(st.none() | st.integers(0, 10**10)) if kind < Source.SEARCH else None,
                    draw(st.lists(change, max_size=4)),
                    draw(st.integers(1, 9)),
                    draw(st.booleans()),
                    is_first=draw(st.booleans()),
                    answers=draw(st.lists(answer, max_size=4)),
                    shown=draw(st.integers(-1, 7)) if kind == Source.IMPRESSION else -1,
                    chosen=draw(st.lists(choice, max_size=3)),
                    contexts=draw(st.lists(st.integers(1, 2**42), max_size=3)),
                )
                for offset in offsets
            ]
        )
    return made


def came_in(state: ItemState) -> dict[int, tuple[int, object, int]]:
    """Return what is counted by context: exactly, and as much of it but for rounding."""
    return {
        number: (n, pytest.approx(total, rel=1e-9, abs=1e-12), at) for number, (n, total, at) in state.contexts.items()
    }


def came_in_by_signals(signals: Iterable[Signal]) -> dict[int, tuple[int, float, int]]:
    """Return the same by the definition: each event once for what it says, and once for each key."""
    times = defaultdict[int, list[int]](list)
    for signal in signals:
        for number in signal.contexts if signal.seen_ms is not None else ():
            times[number].append(signal.seen_ms)
            times[key_of(number)].append(signal.seen_ms)
    return {
        number: (len(at), sum(2.0 ** -((max(at) - each) / HALF_LIFE_MS) for each in at), max(at))
        for number, at in times.items()
    }


def interleaved(data: st.DataObject, parts: list[list[Signal]]) -> list[Signal]:
    """Return one order of all that keeps the order within each source."""
    turns = data.draw(st.permutations([n for n, part in enumerate(parts) for _ in part]))
    waiting = [iter(part) for part in parts]
    return [next(waiting[n]) for n in turns]


def answered(state: ItemState, at_ms: int = 10**10) -> dict[int, float]:
    """Return by query how much answers it as of a moment, zeros left out."""
    half_life_ms = 180 * 24 * HOUR_MS
    sums = {n: total * 0.5 ** ((at_ms - last_ms) / half_life_ms) for n, (_, total, last_ms) in state.queries.items()}
    return {number: total for number, total in sums.items() if abs(total) > 1e-7}


def by_slot(counts: list[int]) -> dict[int, int]:
    """Return the counts of slots that have any."""
    return {slot: n for slot, n in enumerate(counts) if n}


def whole(state: ItemState) -> dict[int, int]:
    """Return by query the summed weight, zeros left out."""
    return {number: weight for number, (weight, _, _) in state.queries.items() if weight}


def test_a_signal_counts_sums_and_pairs():
    """What the event was, when, and what came before it."""
    state = apply(UNSEEN, [viewed(0, at=5, pairs=[("a", 12)]), viewed(3, at=9, kind=Kind.CLICK)], NEVER_CUT)

    assert state.counts == (1, 1, 0)
    assert (state.first_ms, state.last_ms) == (5, 9)
    assert state.predecessors == {"a": 12}
    assert state.watermarks == {source_number(Kind.VIEW, 0): 0, source_number(Kind.CLICK, 0): 3}


def test_a_signal_that_only_moves_pairs_is_no_event_of_this_item():
    """Counts and times stay; the watermark notes it."""
    state = apply(UNSEEN, [Signal("i", 0, 0, 4, None, [("a", 1)])], NEVER_CUT)

    assert (state.counts, state.last_ms, state.sums) == ((0, 0, 0), None, [])
    assert (state.predecessors, state.watermarks) == ({"a": 1}, {0: 4})


@settings(max_examples=100, deadline=None)
@given(parts=sources(), data=st.data())
def test_any_interleaving_of_sources_gives_the_same_state(parts, data):
    """Counts, times, predecessors and watermarks exactly, sums to float rounding; batches may end anywhere."""
    expected = apply(UNSEEN, [s for part in parts for s in part], NEVER_CUT)
    order = interleaved(data, parts)
    cut = data.draw(st.integers(0, len(order)))
    state = apply(apply(UNSEEN, order[:cut], NEVER_CUT), order[cut:], NEVER_CUT)

    assert state.sums == pytest.approx(expected.sums, rel=1e-9)
    assert state.first_sums == pytest.approx(expected.first_sums, rel=1e-9)
    assert answered(state) == pytest.approx(answered(expected), abs=1e-7)
    assert whole(state) == whole(expected)
    assert came_in(state) == came_in(expected) == came_in_by_signals(s for part in parts for s in part)
    exact = {"sums": [], "first_sums": [], "queries": {}, "contexts": {}}
    assert msgspec.structs.replace(state, **exact) == msgspec.structs.replace(expected, **exact)


@settings(max_examples=100, deadline=None)
@given(parts=sources(), data=st.data())
def test_what_was_applied_before_is_skipped(parts, data):
    """Any stretch sent again, in the order of its sources, changes not a byte."""
    order = interleaved(data, parts)
    state = apply(UNSEEN, order, NEVER_CUT)
    again = interleaved(data, [part[data.draw(st.integers(0, len(part))) :] for part in parts])

    assert apply(state, again, NEVER_CUT) == state
    assert item_state.encode(apply(state, again, NEVER_CUT)) == item_state.encode(state)


@settings(max_examples=100, deadline=None)
@given(parts=sources(), data=st.data())
def test_a_prefix_and_then_everything_again_is_everything_once(parts, data):
    """As after a crash in the middle of sending."""
    order = interleaved(data, parts)
    prefix = order[: data.draw(st.integers(0, len(order)))]
    expected = apply(UNSEEN, order, NEVER_CUT)
    state = apply(apply(UNSEEN, prefix, NEVER_CUT), order, NEVER_CUT)

    assert state == expected


def test_a_signal_counts_repeats_and_notes_the_visitor():
    """Two of three views were by somebody who had the item before; each visitor stands there with the latest visit."""
    views = [
        viewed(0, at=5, visitor=1),
        viewed(1, at=7, visitor=1, again=True),
        viewed(2, at=6, visitor=2, again=True),
        viewed(2, at=99, visitor=3, again=True),  # sent twice
    ]
    state = apply(UNSEEN, views, NEVER_CUT)

    assert (state.counts, state.repeats) == ((3, 0, 0), 2)
    assert decode_visits(state.visits).tolist() == [(6, 2), (7, 1)]


def test_first_events_of_users_are_summed_by_themselves():
    """Two of four views were some user's first; what was applied before, and what only moves pairs, is none."""
    week_ms = 7 * 24 * HOUR_MS
    views = [
        viewed(0, at=5, is_first=True),
        viewed(1, at=6),
        viewed(2, at=5 + week_ms, is_first=True),
        viewed(2, at=99, is_first=True),  # sent twice
        viewed(3, at=7 + week_ms),
        Signal("i", 0, 0, 4, None, [("a", 1)], is_first=True),
    ]
    state = apply(UNSEEN, views, NEVER_CUT)

    assert state.first_sums == [1 + 2 ** -(week_ms / half_life) for half_life in FIRST_HALF_LIVES_MS]
    assert (state.last_first_ms, state.last_ms) == (5 + week_ms, 7 + week_ms)
    assert strip_bookkeeping(state).first_sums == state.first_sums


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"first_sums": [1.0, 1.0]}, "first_sums are there, but not last_first_ms"),
        ({"first_sums": [1.0], "last_first_ms": 6}, "1 first_sums, 2 half-lives expected"),
        ({"last_first_ms": 6}, "0 first_sums, 2 half-lives expected"),
        ({"first_sums": [1.0, 1.0], "last_first_ms": 4}, "last_first_ms=4 is not between first_ms and last_ms"),
        ({"first_sums": [1.0, 1.0], "last_first_ms": 8}, "last_first_ms=8 is not between first_ms and last_ms"),
        ({"first_sums": [1.0, 1.0], "last_first_ms": 6, "sums": [], "first_ms": None, "last_ms": None}, "not between"),
    ],
)
def test_first_events_that_cannot_be_are_refused(fields, message):
    """A catalog takes each state as it is."""
    fine = apply(UNSEEN, [viewed(0, at=5), viewed(1, at=7)], NEVER_CUT)
    wrong = item_state.encode(msgspec.structs.replace(fine, **fields))

    with pytest.raises(StateVersionError, match=message):
        item_state.decode(wrong)


def test_what_only_moves_pairs_is_nobodys_visit():
    """Whoever it names: the event was about another item."""
    state = apply(UNSEEN, [Signal("i", 0, 0, 4, None, [("a", 1)], 7, True)], NEVER_CUT)

    assert (state.repeats, state.visits) == (0, b"")


def test_visits_are_bounded():
    """Of six users the last four stay."""
    state = apply(UNSEEN, [viewed(n, at=n, visitor=n + 1) for n in range(6)], NEVER_CUT)

    assert decode_visits(state.visits).tolist() == [(2, 3), (3, 4), (4, 5), (5, 6)]


def test_a_pair_that_comes_to_nothing_is_forgotten():
    """A weight of 0 takes no room; a correction may overtake what it corrects."""
    early = apply(UNSEEN, [viewed(0, pairs=[("a", -1)])], NEVER_CUT)

    assert early.predecessors == {"a": -1}
    assert apply(early, [viewed(1, pairs=[("a", 1)])], NEVER_CUT).predecessors == {}


def test_the_heaviest_predecessors_stay():
    """Above twice the bound the lightest go; of equal ones the smaller ids stay."""
    at_bound = apply(UNSEEN, [viewed(0, pairs=[(f"p{n:02}", n) for n in range(1, 17)])], SMALL)
    over = apply(at_bound, [viewed(1, pairs=[("p00", 16)])], SMALL)

    assert len(at_bound.predecessors) == 16
    assert set(over.predecessors) == {"p00", *(f"p{n:02}" for n in range(10, 17))}


@settings(max_examples=60, deadline=None)
@given(weights=st.lists(st.tuples(st.integers(0, 99), st.integers(-3, 12)), max_size=150))
def test_predecessors_are_bounded(weights):
    """At most twice the bound after every batch."""
    state = UNSEEN
    for offset, (item, weight) in enumerate(weights):
        state = apply(state, [viewed(offset, pairs=[(f"p{item}", weight)])], SMALL)
        assert len(state.predecessors) <= 16


@settings(max_examples=60, deadline=None)
@given(parts=sources())
def test_applying_leaves_the_old_state_as_it_was(parts):
    """State in, state out."""
    state = apply(UNSEEN, parts[0], NEVER_CUT)
    before = item_state.encode(state)
    apply(state, [*parts[1], *parts[2]], SMALL)

    assert item_state.encode(state) == before
    assert item_state.encode(UNSEEN) == item_state.encode(ItemState())


@settings(max_examples=60, deadline=None)
@given(parts=sources())
def test_a_state_survives_its_bytes(parts):
    """And equal states give equal bytes, whatever order their dictionaries have."""
    state = apply(UNSEEN, [s for part in parts for s in part], NEVER_CUT)
    turned = msgspec.structs.replace(
        state,
        predecessors=dict(reversed(state.predecessors.items())),
        watermarks=dict(reversed(state.watermarks.items())),
        queries=dict(reversed(state.queries.items())),
    )

    assert item_state.decode(item_state.encode(state)) == state
    assert item_state.encode(turned) == item_state.encode(state)


def test_answers_add_up_by_query():
    """Of events and searches alike; each once, though its signal comes twice."""
    state = apply(UNSEEN, [viewed(0, at=9, answers=[(7, 9, 8), (8, 9, 8)]), searched(0, [(7, 9, -6)])], NEVER_CUT)
    again = apply(state, [searched(0, [(7, 9, -6)]), viewed(0, at=9, answers=[(7, 9, 8)])], NEVER_CUT)

    assert state.queries == {7: (2, 2.0, 9), 8: (8, 8.0, 9)}
    assert (state.counts, state.last_ms) == ((1, 0, 0), 9)
    assert state.watermarks == {source_number(Kind.VIEW, 0): 0, source_number(Source.SEARCH, 0): 0}
    assert again == state


def test_a_late_search_is_no_event_of_an_item():
    """It counts nothing but answers."""
    state = apply(UNSEEN, [searched(4, [(7, 9, 8)])], NEVER_CUT)

    assert state == ItemState(queries={7: (8, 8.0, 9)}, watermarks={source_number(Source.SEARCH, 0): 4})


def test_an_answer_that_comes_to_nothing_is_forgotten():
    """A correction may come before what it corrects, and the same query may be taken and given in one signal."""
    early = apply(UNSEEN, [searched(0, [(7, 9, -8)])], NEVER_CUT)

    assert early.queries == {7: (-8, -8.0, 9)}
    assert apply(early, [viewed(0, at=9, answers=[(7, 9, 8)])], NEVER_CUT).queries == {}
    assert apply(UNSEEN, [searched(0, [(7, 9, 8), (7, 9, -8)])], NEVER_CUT).queries == {}
    assert apply(UNSEEN, [searched(0, [(7, 9, 0)])], NEVER_CUT).queries == {}


def test_the_queries_that_are_answered_most_stay():
    """As of one moment: 8 of years ago are less than 1 of now. Of equal ones the smaller numbers stay."""
    long_after_ms = 10 * 180 * 24 * HOUR_MS
    old = apply(UNSEEN, [viewed(0, answers=[(number, 5, 8) for number in range(8)])], SMALL)
    at_bound = apply(old, [viewed(1, answers=[(10 + n, long_after_ms, 1) for n in range(8)])], SMALL)
    over = apply(at_bound, [viewed(2, answers=[(99, 5, -8)])], SMALL)
    equal = apply(UNSEEN, [viewed(0, answers=[(n, 5, 1) for n in range(17)])], SMALL)

    assert len(at_bound.queries) == 16
    assert set(over.queries) == set(range(10, 18))
    assert set(equal.queries) == set(range(8))


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 10**10), st.integers(-8, 8)), max_size=150))
def test_queries_are_bounded(answers):
    """At most twice the bound after every batch, and each such state can be read."""
    state = UNSEEN
    for offset, answer in enumerate(answers):
        state = apply(state, [searched(offset, [answer])], SMALL)
        assert len(state.queries) <= 16
    assert item_state.decode(item_state.encode(state)) == state


@pytest.mark.parametrize(
    ("number", "answers"),
    [
        (7, (1, float("nan"), 9)),
        (7, (1, float("inf"), 9)),
        (7, (1, float("-inf"), 9)),
        (7, (1, 2.0**54, 9)),
        (7, (1, -(2.0**54), 9)),
        (7, (2**53 + 1, 1.0, 9)),
        (7, (-(2**53) - 1, 1.0, 9)),
        (7, (1, 1.0, -1)),
        (7, (1, 1.0, 2**53 + 1)),
        (7, (1, 1.0)),
        (7, (1.5, 1.0, 9)),
        (7, (1, None, 9)),
        (-1, (1, 1.0, 9)),
        (2**56, (1, 1.0, 9)),
        ("7", (1, 1.0, 9)),
    ],
)
def test_answers_that_cannot_be_are_refused(number, answers):
    """What is no number, or none that the sums of a log can reach; the integer 1 for a sum of 1.0 is fine."""
    fine = msgspec.msgpack.decode(item_state.encode(apply(UNSEEN, [searched(0, [(7, 9, 1)])], NEVER_CUT)), strict=False)
    assert item_state.decode(msgspec.msgpack.encode(fine)).queries == {7: (1, 1.0, 9)}
    fine[11] = {number: answers}

    with pytest.raises(StateVersionError, match="item state cannot be read"):
        item_state.decode(msgspec.msgpack.encode(fine))


def test_a_state_of_before_searches_is_read():
    """Version 3 ended with users' first events: nothing was asked."""
    state = apply(UNSEEN, [viewed(0, at=5, is_first=True)], NEVER_CUT)
    old = msgspec.msgpack.decode(item_state.encode(state), strict=False)[:-3]
    old[0] = 3

    assert msgspec.structs.replace(item_state.decode(msgspec.msgpack.encode(old)), version=item_state.VERSION) == state


@settings(max_examples=100, deadline=None)
@given(parts=sources(), data=st.data())
def test_slots_are_counted_exactly(parts, data):
    """The plain sums of what all signals say, in any interleaving, whatever stretch comes twice."""
    shown = Counter(signal.shown for part in parts for signal in part if signal.shown >= 0)
    chosen: Counter[int] = Counter()
    for part in parts:
        for signal in part:
            for slot, change in signal.chosen:
                chosen[slot] += change
    order = interleaved(data, parts)
    state = apply(UNSEEN, order[: data.draw(st.integers(0, len(order)))], NEVER_CUT)
    state = apply(item_state.decode(item_state.encode(state)), order, NEVER_CUT)

    assert by_slot(state.shown) == dict(shown)
    assert by_slot(state.chosen) == {slot: n for slot, n in chosen.items() if n}
    assert {len(state.shown), len(state.chosen)} <= {0, 8}


def test_where_an_item_was_shown_and_chosen_from_is_counted_by_slot():
    """An impression is no event; a choice from it comes with its event, or with what came late. Each counts once."""
    taught = [
        shown_in(0, 0),
        shown_in(1, 7, [(0, -1), (7, 1)]),
        shown_in(1, 7, [(7, 1)]),  # sent twice
        Signal("i", int(Source.CLICK), 0, 4, 9, chosen=[(0, 1)]),
        Signal("i", int(Source.IMPRESSION), 0, 2, chosen=[(3, 1)]),  # shown too often to be counted, but not chosen
    ]
    state = apply(UNSEEN, taught, NEVER_CUT)

    assert by_slot(state.shown) == {0: 1, 7: 1}
    assert by_slot(state.chosen) == {3: 1, 7: 1}
    assert (state.counts, state.last_ms) == ((0, 1, 0), 9)
    assert state.watermarks == {source_number(Source.IMPRESSION, 0): 2, source_number(Source.CLICK, 0): 4}


def test_a_choice_may_be_known_before_the_impression():
    """They come from several topics: until then it is chosen more often than shown, or less often than never."""
    early = apply(UNSEEN, [Signal("i", int(Source.CLICK), 0, 0, 9, chosen=[(2, 1)])], NEVER_CUT)
    taken = apply(UNSEEN, [shown_in(0, 1, [(2, -1), (1, 1)])], NEVER_CUT)

    assert (early.shown, by_slot(early.chosen)) == ([], {2: 1})
    assert by_slot(taken.chosen) == {1: 1, 2: -1}
    assert item_state.decode(item_state.encode(taken)) == taken
    assert apply(early, [shown_in(0, 3, [(2, -1)])], NEVER_CUT).chosen == []


def test_a_state_of_before_impressions_is_read():
    """Version 4 ended with queries: the item was shown nowhere, and the first impression is counted."""
    state = apply(UNSEEN, [viewed(0, at=5, answers=[(7, 5, 8)])], NEVER_CUT)
    old = msgspec.msgpack.decode(item_state.encode(state), strict=False)[:-2]
    old[0] = 4
    read = item_state.decode(msgspec.msgpack.encode(old))

    assert msgspec.structs.replace(read, version=item_state.VERSION) == state
    assert by_slot(apply(read, [shown_in(0, 5)], NEVER_CUT).shown) == {5: 1}


@pytest.mark.parametrize("field", [12, 13])
@pytest.mark.parametrize(
    "counts", [[1], [0] * 7, [0] * 9, [0.5, *[0] * 7], [None, *[0] * 7], [2**53 + 1, *[0] * 7], {0: 1}, None]
)
def test_slots_that_cannot_be_are_refused(field, counts):
    """There are eight, or none; their counts are whole numbers that a log can reach."""
    fine = msgspec.msgpack.decode(item_state.encode(apply(UNSEEN, [shown_in(0, 0, [(0, 1)])], NEVER_CUT)), strict=False)
    assert by_slot(item_state.decode(msgspec.msgpack.encode(fine)).shown) == {0: 1}
    fine[field] = counts

    with pytest.raises(StateVersionError, match="item state cannot be read"):
        item_state.decode(msgspec.msgpack.encode(fine))


def test_an_item_that_was_shown_less_often_than_never_is_refused():
    """Chosen may be negative for a while, shown never."""
    negative = [-1, *[0] * 7]
    assert item_state.decode(item_state.encode(ItemState(chosen=negative))).chosen == negative

    with pytest.raises(StateVersionError, match="item state cannot be read"):
        item_state.decode(item_state.encode(ItemState(shown=negative)))


def test_knowledge_leaves_bookkeeping_out():
    """What goes to the world does not say where it came from."""
    state = apply(UNSEEN, [viewed(7, pairs=[("a", 2)], visitor=3, again=True, answers=[(7, 5, 8)])], NEVER_CUT)

    assert strip_bookkeeping(state).queries == {7: (8, 8.0, 5)}
    shown = apply(state, [shown_in(0, 0, [(0, 1)])], NEVER_CUT)
    assert (strip_bookkeeping(shown).shown, strip_bookkeeping(shown).chosen) == (shown.shown, shown.chosen)
    assert by_slot(shown.shown) == by_slot(shown.chosen) == {0: 1}
    assert strip_bookkeeping(state).watermarks == {}
    assert (strip_bookkeeping(state).predecessors, strip_bookkeeping(state).repeats) == ({"a": 2}, 1)
    assert strip_bookkeeping(state).visits == state.visits != b""


def test_a_newer_version_is_refused():
    """A program must not guess at what a newer one wrote."""
    with pytest.raises(StateVersionError, match=f"version {item_state.VERSION + 1}"):
        item_state.decode(item_state.encode(ItemState(version=item_state.VERSION + 1)))


def test_an_older_version_is_read():
    """Version 1 knew neither repeats nor visits: none were seen; the next event writes the new version."""
    old = item_state.decode(msgspec.msgpack.encode([1, [2, 0, 0], [2.0] * 7, 5, 9, {"a": 3}, {0: 4}]))

    assert (old.counts, old.predecessors, old.watermarks, old.repeats, old.visits) == (
        (2, 0, 0),
        {"a": 3},
        {0: 4},
        0,
        b"",
    )
    new = apply(old, [viewed(5, at=10, visitor=7, again=True)], NEVER_CUT)
    assert (new.version, new.counts, new.repeats) == (item_state.VERSION, (3, 0, 0), 1)
    assert decode_visits(new.visits).tolist() == [(10, 7)]


@pytest.mark.parametrize("data", [b"", b"\xc1", b"{}", b"\x92\x01\xa1x"])
def test_bytes_that_are_no_state_are_refused(data):
    """Never a half-read state."""
    with pytest.raises(StateVersionError, match="cannot be read"):
        item_state.decode(data)
