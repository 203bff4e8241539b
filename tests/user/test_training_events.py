"""Which of one user's events others learn from: few of those that are alike, however many come."""

from __future__ import annotations

from collections import defaultdict

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events.interaction import Kind
from stream_rec.user.advance import Advance, advance
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import WEEK_MS
from stream_rec.user.interactions import UNCOUNTED
from stream_rec.user.state import COLD, facts
from tests.user.histories import ALL_ACKNOWLEDGED, arrivals, event_sets, folded, happened

TWO = UserConfig(recent_events=16, weekly_counts=1024, weekly_training_events=2)


def clicks(n: int, *, week: int = 0, item_id: str = "a") -> list:
    return [happened(week * WEEK_MS + at, item_id, Kind.CLICK, event_id=f"{week}-{item_id}-{at}") for at in range(n)]


def taught(advanced: Advance) -> list[tuple[int, int]]:
    """Return kind and offset of each event that is counted by its item."""
    return [(signal.kind, signal.offset) for signal in advanced.signals if signal.seen_ms is not None]


def test_of_events_that_are_alike_two_teach():
    """Of ten thousand clicks on one item in one week; all of them are facts about the user."""
    after = advance(COLD, arrivals(clicks(10_000)), TWO, {})

    assert taught(after) == [(Kind.CLICK, 0), (Kind.CLICK, 1)]
    assert [event.event_id for _, event in after.training_events] == ["0-a-0", "0-a-1"]
    assert after.state.counts == (0, 10_000, 0)


def test_another_kind_another_item_and_another_week_are_not_alike():
    """Each may teach as often again."""
    events = [*clicks(3), *clicks(3, item_id="b"), *clicks(3, week=1), *(happened(9, "a") for _ in range(1))]

    assert len(taught(advance(COLD, arrivals(events), TWO, {}))) == 2 + 2 + 2 + 1


def test_an_event_that_does_not_teach_makes_no_pair():
    """b follows two a, not three; and nothing follows the third b."""
    events = [happened(at, item) for at, item in enumerate(["a", "a", "a", "b", "b", "b", "c"], start=1)]
    signals = advance(COLD, arrivals(events), TWO, {}).signals

    assert [signal.pairs for signal in signals if signal.item_id == "b"] == [[("a", 12 + 11)], [("a", 11 + 10)]]
    assert dict(signals[-1].pairs) == {"b": 12 + 11, "a": 10 + 9}


@settings(max_examples=100, deadline=None)
@given(events=event_sets(items=3, weeks=2), data=st.data())
def test_topics_out_of_step_teach_the_same(events, data):
    """Which events teach depends on the order within each topic alone, as far as the weekly counts reach."""
    in_step = arrivals(events)
    by_topic = {kind: [one for one in in_step if one.source == kind] for kind in Kind}
    order = data.draw(st.permutations([one.source for one in in_step]))
    out_of_step = [by_topic[kind].pop(0) for kind in order]

    first, second = (advance(COLD, arrived, TWO, {}) for arrived in (in_step, out_of_step))

    assert sorted(taught(first)) == sorted(taught(second))
    assert facts(first.state) == facts(second.state)


@settings(max_examples=100, deadline=None)
@given(events=event_sets(items=3, weeks=2), data=st.data())
def test_signals_made_again_are_the_same_signals(events, data):
    """After a crash, whatever the state has counted since, and though the setting has changed meanwhile."""
    arrived = arrivals(data.draw(st.permutations(events)))
    state = COLD
    original = defaultdict(list)
    for one in arrived:
        after = advance(state, [one], TWO, {})
        state = after.state
        original[one.source, one.offset] = after.signals
    replayed = data.draw(st.permutations(arrived))[: data.draw(st.integers(0, len(arrived)))]
    config = msgspec.structs.replace(TWO, weekly_training_events=data.draw(st.sampled_from([1, 2, 5])))
    again = advance(state, replayed, config, {})
    by_source = defaultdict(list)
    for signal in again.signals:
        by_source[signal.kind, signal.offset].append(signal)

    assert again.training_events == []
    assert {source: signals for source, signals in original.items() if source in by_source} == by_source
    assert all(not original[one.source, one.offset] for one in replayed if (one.source, one.offset) not in by_source)


@settings(max_examples=100, deadline=None)
@given(events=event_sets(items=3, weeks=2), data=st.data())
def test_a_batch_is_the_same_as_one_by_one(events, data):
    """Signals and training events do not depend on where batches end."""
    arrived = arrivals(data.draw(st.permutations(events)))
    state, signals, training_events = COLD, [], []
    for one in arrived:
        after = advance(state, [one], TWO, ALL_ACKNOWLEDGED)
        state, signals, training_events = after.state, signals + after.signals, training_events + after.training_events
    batched = advance(COLD, arrived, TWO, {})

    assert (batched.signals, batched.training_events) == (signals, training_events)


def test_what_the_weekly_counts_cannot_count_teaches_no_more_than_so_often():
    """Neither a week too full for its items nor one that has left the counts is a way round: 512 of each user, ever."""
    tiny = UserConfig(recent_events=16, weekly_counts=16)
    full = [happened(8 * WEEK_MS, f"i{n}") for n in range(16)]
    state = folded(arrivals([*full, happened(9 * WEEK_MS, "new")]), tiny)
    assert state.first_week == 9
    late = [happened(8 * WEEK_MS, "i3", event_id=f"late {n}") for n in range(2000)]
    after = advance(state, [msgspec.structs.replace(a, offset=a.offset + 100) for a in arrivals(late)], tiny, {})

    assert len(taught(after)) == UNCOUNTED
    assert after.training_events == []
    assert after.state.n_uncounted == 2000

    overfull = [happened(WEEK_MS, f"i{n % 40}", event_id=str(n)) for n in range(4000)]
    after = advance(COLD, arrivals(overfull), tiny, {})
    assert UNCOUNTED < len(taught(after)) <= UNCOUNTED + 40 * tiny.weekly_training_events


def test_of_a_week_so_many_events_teach_how_lists_are_ranked():
    """However different they are; and what came twice, or was taken before, teaches nothing."""
    three = UserConfig(weekly_choices=3)
    arrived = arrivals([happened(at, f"i{at}") for at in (1, 2, 2, 3, 4, 5)] + [happened(WEEK_MS, "later")])
    after = advance(COLD, arrived, three, {})

    assert [arrival.event.item_id for arrival in after.training_events] == ["i1", "i2", "i3", "later"]
    assert len(after.signals) == 6
    assert advance(after.state, arrived, three, {}).training_events == []
