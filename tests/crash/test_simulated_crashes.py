"""Both stages, with processes that die between any two steps: nothing is lost or doubled."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_rec.events.interaction import Kind
from stream_rec.events.source import Source
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.state import UNSEEN
from stream_rec.user.arrival import Arrival
from stream_rec.user.state import facts
from tests.crash.simulation import (
    FEW_TRAINING_EVENTS,
    USER,
    Broker,
    Topics,
    answers,
    answers_by_arrival,
    answers_of,
    both_stages,
    contexts,
    contexts_by_arrival,
    counted,
    first_events,
    first_events_by_arrival,
    item_stage,
    pairs,
    repeats,
    repeats_by_arrival,
    slots,
    slots_by_arrival,
    summed,
    user_stage,
    visits,
    world,
)
from tests.user.asked import what_is_taught
from tests.user.histories import in_log_order, pairs_by_arrival, pairs_by_distance
from tests.user.shown import CHOSEN, SHOWN, all_slots, events_of, what_is_chosen, what_is_shown

seeds = st.integers(0, 2**32)


def everything(seed: int, *, n_items: int) -> Topics:
    """Return all topics of three users with far more of everything than is kept."""
    return world(
        seed,
        n_events=150,
        users=["u1", "u2", "u3"],
        kinds=list(Kind),
        n_items=n_items,
        n_searches=60,
        n_impressions=60,
        n_profiles=30,
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=seeds)
@example(seed=569)  # a replayed signal that differed reached an item whose watermark had not noted the first
@example(seed=1357)
def test_every_event_counts_once_whatever_dies_when(seed):
    """Facts, counts, popularity, visits: as without a crash. Pairs, repeats, answers and slots: each once, in the order
    in which events, searches and impressions reached the state.

    Six topics in any interleaving, few users with far more of each than are kept, large batches.
    """
    sources = everything(seed, n_items=12)
    broker, users, items = both_stages(sources, seed, crash_rate=0.12)
    _, users_without, items_without = both_stages(sources, seed + 1, crash_rate=0.0)

    assert {u: facts(s) for u, s in users.items()} == {u: facts(s) for u, s in users_without.items()}
    assert counted(items) == counted(items_without)
    for item_id, state in items.items():
        assert state.sums == pytest.approx(items_without[item_id].sums, rel=1e-9)
    assert visits(items) == visits(items_without)
    assert repeats(items) == {item_id: repeats_by_arrival(broker.applied)[item_id] for item_id in items}
    assert first_events(items) == first_events_by_arrival(broker.applied)
    assert pairs(items) == summed(
        pairs_by_arrival(events_of(applied), USER.recent_events) for applied in broker.applied.values()
    )
    assert answers(items) == answers_by_arrival(broker.applied)
    assert contexts(items) == contexts_by_arrival(broker.applied)
    assert slots(items) == slots_by_arrival(broker.applied)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_the_same_events_teach_whatever_dies_when(seed):
    """Where only two of those that are alike teach: counts, popularity and visits are those of a run without crash.

    And slots those of the order in which all reached the state.
    """
    sources = everything(seed, n_items=6)
    broker, users, items = both_stages(sources, seed, crash_rate=0.12, config=FEW_TRAINING_EVENTS)
    _, users_without, items_without = both_stages(sources, seed + 1, crash_rate=0.0, config=FEW_TRAINING_EVENTS)

    assert sum(sum(state.counts) for state in items.values()) < 150
    assert {u: facts(s) for u, s in users.items()} == {u: facts(s) for u, s in users_without.items()}
    assert (counted(items), visits(items)) == (counted(items_without), visits(items_without))
    for item_id, state in items.items():
        assert state.sums == pytest.approx(items_without.get(item_id, UNSEEN).sums, rel=1e-9)
    assert slots(items) == slots_by_arrival(broker.applied, FEW_TRAINING_EVENTS)
    assert contexts(items) == contexts_by_arrival(broker.applied, FEW_TRAINING_EVENTS)


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_one_topic_ends_in_the_same_bytes(seed):
    """One topic has one order, so the item states are those of a run without crash to the last byte."""
    sources = world(seed, n_events=150, users=["u1", "u2"], kinds=[Kind.VIEW], n_items=8)
    _, users, items = both_stages(sources, seed, crash_rate=0.12)
    _, users_without, items_without = both_stages(sources, seed + 1, crash_rate=0.0)

    assert {u: facts(s) for u, s in users.items()} == {u: facts(s) for u, s in users_without.items()}
    assert {i: item_state.encode(s) for i, s in items.items()} == {
        i: item_state.encode(s) for i, s in items_without.items()
    }


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_pairs_do_not_depend_on_any_order_while_every_event_is_kept(seed):
    """Of users with no more events than are kept the pairs are those of the order in time, whatever died when."""
    sources = world(seed, n_events=60, users=[f"u{n}" for n in range(8)], kinds=list(Kind), n_items=12)
    by_user = defaultdict(list)
    for kind, log in sources.items():
        kept = []
        for event in log:
            if len(by_user[event.user_id]) < USER.recent_events:
                by_user[event.user_id].append(event)
                kept.append(event)
        sources[kind] = kept
    broker, _, items = both_stages(sources, seed, crash_rate=0.12)

    assert {u: len(applied) for u, applied in broker.applied.items()} == {u: len(e) for u, e in by_user.items()}
    assert pairs(items) == summed(pairs_by_distance(in_log_order(applied)) for applied in broker.applied.values())


@pytest.mark.parametrize("n_searches", [10, 40, 100])
@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_answers_are_exact_whatever_dies_when(seed, n_searches):
    """Events minutes apart, late ones among them, and late searches: what one takes from another is taken once."""
    users = ["u1", "u2", "u3"]
    sources = world(
        seed, n_events=100, users=users, kinds=list(Kind), n_items=6, n_searches=n_searches, step_ms=4 * 60_000
    )
    broker, states, items = both_stages(sources, seed, crash_rate=0.12)
    _, states_without, _ = both_stages(sources, seed + 1, crash_rate=0.0)

    assert {u: facts(s) for u, s in states.items()} == {u: facts(s) for u, s in states_without.items()}
    assert sum(sum(state.counts) for state in items.values()) == 100
    assert answers(items) == answers_by_arrival(broker.applied)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_answers_do_not_depend_on_any_order_while_all_is_kept(seed):
    """Of users with no more events and searches than are kept they are those of the order in time."""
    users = [f"u{n}" for n in range(8)]
    sources = world(seed, n_events=70, users=users, kinds=list(Kind), n_items=6, n_searches=50, step_ms=4 * 60_000)
    config = msgspec.structs.replace(USER, recent_events=64, recent_searches=64)
    broker, _, items = both_stages(sources, seed, crash_rate=0.12, config=config)

    by_user = defaultdict(list)
    for source, log in sources.items():
        for offset, event in enumerate(log):
            by_user[event.user_id].append(Arrival(event, source, 0, offset))
    expected = answers_of(what_is_taught(came) for came in by_user.values())
    assert {u: len(applied) for u, applied in broker.applied.items()} == {u: len(came) for u, came in by_user.items()}
    assert answers(items) == expected
    assert len(expected) > 5


@pytest.mark.parametrize("n_impressions", [10, 40, 100])
@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_slots_are_exact_whatever_dies_when(seed, n_impressions):
    """Events minutes apart, late ones among them, and late impressions: what one takes from another is taken once."""
    sources = world(
        seed,
        n_events=100,
        users=["u1", "u2", "u3"],
        kinds=list(Kind),
        n_items=6,
        n_impressions=n_impressions,
        step_ms=4 * 60_000,
    )
    broker, states, items = both_stages(sources, seed, crash_rate=0.12)
    _, states_without, items_without = both_stages(sources, seed + 1, crash_rate=0.0)

    assert {u: facts(s) for u, s in states.items()} == {u: facts(s) for u, s in states_without.items()}
    found = slots(items)
    assert found == slots_by_arrival(broker.applied)
    assert {key: n for key, n in found.items() if key[0] == SHOWN} == {
        key: n for key, n in slots(items_without).items() if key[0] == SHOWN
    }
    assert all(0 < n <= found[SHOWN, item_id, slot] for (_, item_id, slot), n in found.items())


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_slots_do_not_depend_on_any_order_while_all_is_kept(seed):
    """Of users with no more events and impressions than are kept they are those of the order in time."""
    users = [f"u{n}" for n in range(8)]
    sources = world(seed, n_events=70, users=users, kinds=list(Kind), n_items=6, n_impressions=50, step_ms=4 * 60_000)
    config = msgspec.structs.replace(USER, recent_events=64, recent_impressions=64)
    broker, _, items = both_stages(sources, seed, crash_rate=0.12, config=config)

    by_user = defaultdict(list)
    for source, log in sources.items():
        for offset, event in enumerate(log):
            by_user[event.user_id].append(Arrival(event, source, 0, offset))
    expected = sum(
        (what_is_shown(all_slots(came)) + what_is_chosen(came, all_slots(came)) for came in by_user.values()), Counter()
    )
    assert {u: len(applied) for u, applied in broker.applied.items()} == {u: len(came) for u, came in by_user.items()}
    assert slots(items) == expected
    assert sum(n for (what, _, _), n in expected.items() if what == CHOSEN) > 2


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_items_end_in_the_same_bytes_whatever_their_stage_dies_of(seed):
    """The same messages lead to the same states, answers, slots and all, though some are taken twice."""
    sources = world(
        seed,
        n_events=60,
        users=["u1"],
        kinds=[Kind.VIEW],
        n_items=6,
        n_searches=30,
        n_impressions=30,
        step_ms=4 * 60_000,
    )
    rng = random.Random(seed)
    broker = Broker(sources)
    user_stage(broker, rng, USER, crash_rate=0.3)
    for messages in broker.signals:
        stormy = item_stage(messages, rng, crash_rate=0.4)
        calm = item_stage(messages, rng, crash_rate=0.0)
        assert {i: item_state.encode(s) for i, s in stormy.items()} == {
            i: item_state.encode(s) for i, s in calm.items()
        }


def test_the_simulation_does_crash_and_send_again():
    """Otherwise the tests above would prove nothing."""
    sources = everything(7, n_items=12)
    calm, _, _ = both_stages(sources, 7, crash_rate=0.0)
    stormy, _, _ = both_stages(sources, 7, crash_rate=0.12)

    def n_signals(broker):
        return sum(len(message) for messages in broker.signals for message in messages)

    def n_of_searches(broker):
        sent = [signal for messages in broker.signals for message in messages for signal in message]
        return sum(signal.kind == Source.SEARCH for signal in sent), sum(len(signal.answers) for signal in sent)

    def n_of_impressions(broker):
        sent = [signal for messages in broker.signals for message in messages for signal in message]
        return sum(signal.kind == Source.IMPRESSION for signal in sent), sum(len(signal.chosen) for signal in sent)

    assert n_signals(stormy) > 1.2 * n_signals(calm)
    assert n_of_searches(calm) > (5, 20)
    assert n_of_searches(stormy) > n_of_searches(calm)
    assert n_of_impressions(calm) > (100, 10)
    assert n_of_impressions(stormy) > n_of_impressions(calm)
