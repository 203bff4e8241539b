"""One event of a user counts once, however often and wherever it comes."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.user import seen
from stream_rec.user.advance import Advance, advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import WEEK_MS
from stream_rec.user.seen import Chunk
from stream_rec.user.state import COLD, UserState, decode, encode, facts
from tests.user.histories import ALL_ACKNOWLEDGED, SMALL, arrivals, happened

HOUR_MS = 3_600_000


class User:
    """A user's state and archive, as a table keeps them."""

    def __init__(self, config: UserConfig) -> None:
        self.config = config
        self.state = COLD
        self.chunks: dict[int, Chunk] = {}

    def take(self, arrived: list[Arrival]) -> Advance:
        after = advance(self.state, arrived, self.config, ALL_ACKNOWLEDGED, self.chunks.get)
        self.state = decode(encode(after.state))
        self.chunks |= after.chunks
        return after


def test_old_clicks_that_come_twice_count_once():
    """80 views, then ten clicks from before them, each twice in a row: ten clicks, ten signals of clicks."""
    views = [happened(1000 * HOUR_MS + n, f"i{n}") for n in range(80)]
    clicks = [happened(n, f"i{n}", Kind.CLICK) for n in range(10) for _ in range(2)]
    user = User(UserConfig())
    made = [user.take([one]) for one in arrivals([*views, *clicks])]

    assert user.state.counts == (80, 10, 0)
    assert sum(after.n_duplicates for after in made) == 10
    assert [s.kind for after in made for s in after.signals].count(Kind.CLICK) == 10
    assert [one.kind for after in made for one in after.training_events].count(Kind.CLICK) == 10


def test_twice_in_one_batch_at_any_age():
    """Whether the first of them stays a recent event or leaves at once, and in whichever topic the second comes."""
    full = [happened(1000 * HOUR_MS + n, "a") for n in range(SMALL.recent_events)]
    for at in (5, 2000 * HOUR_MS):
        old, other = happened(at, "b", event_id="x"), happened(at, "b", Kind.CLICK, event_id="x")
        user = User(SMALL)
        after = user.take(arrivals([*full, old, old, other]))

        assert (user.state.counts, after.n_duplicates) == ((SMALL.recent_events + 1, 0, 0), 2)


def test_an_event_older_than_the_weekly_counts_counts_once():
    """What no week counts any more teaches so often of a user, and no more for being sent again."""
    recent = [happened((10 + n) * WEEK_MS, f"i{n}") for n in range(40)]
    old = [happened(n, "old") for n in range(5)]
    user = User(SMALL)
    for one in arrivals([*recent, *old, *old, *old]):
        user.take([one])

    assert user.state.first_week > 0
    assert (sum(user.state.counts), user.state.n_uncounted) == (45, 5)


def test_who_fits_into_the_ring_has_no_digests():
    """Such a user's state is as small as ever, but for when the last event came."""
    user = User(SMALL)
    for one in arrivals(happened(at, "a") for at in range(SMALL.recent_events)):
        user.take([one])
    assert (user.state.recent_ids, user.state.n_archived, user.chunks) == (b"", 0, {})


def test_bounds():
    """At most RECENT digests between batches, eight bytes for each event that is not recent, whatever its size."""
    user = User(SMALL)
    n_events = 3_000
    came = arrivals(happened(at, "a", event_id=f"{at}-" + "x" * 200) for at in range(n_events))
    for at in range(0, n_events, 50):
        user.take(came[at : at + 50])
        assert len(user.state.recent_ids) <= seen.RECENT * seen.DIGEST_BYTES
    n_left = n_events - SMALL.recent_events
    assert user.state.n_archived + len(user.state.recent_ids) // seen.DIGEST_BYTES == n_left
    assert list(user.chunks) == list(range(-(-user.state.n_archived // seen.CHUNK)))
    assert sum(len(seen.encode(chunk)) for chunk in user.chunks.values()) < 8 * n_left + 100


def test_the_newest_arrival_stands_in_state_and_chunk():
    """Also where topics are read out of step: what came last is not what was read last."""
    user = User(SMALL)
    for at, received_ms in enumerate([5, 9, 7] * 40):
        user.take([Arrival(happened(at, "a")[1], Kind.VIEW, 0, at, received_ms)])
    assert user.state.received_ms == 9
    assert {chunk.newest_ms for chunk in user.chunks.values()} == {9}


def test_facts_leave_digests_out():
    """They depend on the order of arrival, and on batches."""
    came = arrivals(happened(at, "a") for at in range(200))
    one, many = User(SMALL), User(SMALL)
    one.take(came)
    for arrival in came:
        many.take([arrival])
    assert one.state != many.state
    assert facts(one.state) == facts(many.state)


def test_what_was_taken_before_an_update_is_known_as_far_as_the_state_told():
    """A state of version 3 names what has just left its recent events; from there on nothing is forgotten."""
    user = User(SMALL)
    came = arrivals(happened(at, "a") for at in range(20))
    state = advance(COLD, came, SMALL, {}).state
    old = UserState(
        **{f: getattr(state, f) for f in state.__struct_fields__ if f not in ("version", "recent_ids")}, version=3
    )
    user.state = decode(encode(old))
    assert len(user.state.pending) == 4
    for at in range(100, 200):
        user.take([Arrival(happened(at, "a")[1], Kind.VIEW, 0, at)])
    again = [Arrival(one.event, Kind.VIEW, 0, 1000 + n) for n, one in enumerate(came)]

    assert user.take(again).n_duplicates == 20
    assert user.state.counts == (120, 0, 0)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.randoms(use_true_random=False))
def test_any_order_any_distance_any_batches(data, seed):
    """Held against a set of ids: counts by kind of what came first, and as many signals of each item."""
    n_events = data.draw(st.integers(1, 220))
    events = [
        (
            seed.choice(list(Kind)),
            Interaction(
                f"e{seed.randint(0, n_events)}", "u", f"i{seed.randint(0, 5)}", seed.randint(0, 40) * WEEK_MS // 9
            ),
        )
        for _ in range(n_events)
    ]
    config = UserConfig(recent_events=16, weekly_counts=16, weekly_training_events=1_000_000)
    user, came, signals = User(config), arrivals(events), Counter()
    at = 0
    while at < len(came):
        n = data.draw(st.sampled_from([1, 1, 2, 7, 80]))
        after = user.take(came[at : at + n])
        signals.update((s.item_id, s.kind) for s in after.signals if s.seen_ms is not None)
        at += n

    ids: set[str] = set()
    counts, of_items = [0, 0, 0], Counter()
    for kind, event in events:
        if event.event_id not in ids:
            ids.add(event.event_id)
            counts[kind] += 1
            of_items[event.item_id, kind] += 1
    assert list(user.state.counts) == counts
    assert of_items == signals


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), window_ms=st.sampled_from([20, 100, 400]))
def test_within_the_window_an_id_counts_once_whatever_has_expired(seed, window_ms, monkeypatch):
    """Two topics, each in the order of arrival, read out of step; chunks go when nothing to come can need them."""
    rng = random.Random(seed)
    monkeypatch.setattr(seen, "RECENT", 3)
    monkeypatch.setattr(seen, "CHUNK", 5)
    came = [
        Arrival(Interaction(f"e{rng.randint(0, 60)}", "u", "i", rng.randint(0, 9)), Kind(at % 2), 0, at, 5 * at)
        for at in range(300)
    ]
    topics = {kind: [one for one in came if one.source == kind] for kind in (Kind.VIEW, Kind.CLICK)}
    user, counted, n_expired = User(SMALL), {}, 0
    while any(topics.values()):
        topic = topics[max(topics, key=lambda kind: len(topics[kind]) * rng.random())]
        batch, topic[:] = topic[:3], topic[3:]
        for one in batch:
            if not user.take([one]).n_duplicates:
                counted.setdefault(one.event.event_id, []).append(one.received_ms)
        before_ms = min((topic[0].received_ms for topic in topics.values() if topic), default=0) - window_ms
        over = [number for number, chunk in user.chunks.items() if seen.is_over(seen.encode(chunk), before_ms)]
        n_expired += len(over)
        for number in over:
            del user.chunks[number]

    for times in counted.values():
        assert all(abs(later - earlier) > window_ms for earlier, later in pairwise(times))
    assert {one.event.event_id for one in came} == set(counted)
    assert n_expired or window_ms > 20
