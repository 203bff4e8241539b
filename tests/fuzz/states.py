"""Users' and items' states, signals, notes, digests, changelogs, databases' meta: most of it msgpack."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from stream_rec.errors import NewerVersion, StateVersionError
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.bounds import KnowledgeConfig
from stream_rec.knowledge.queries import numbers_of
from stream_rec.knowledge.signal import Signal
from stream_rec.runtime import changelog, database
from stream_rec.runtime.changelog import MOST_CLAIMS, OWNER_BYTES, OWNER_HEADER, Claim, Reading
from stream_rec.stages.erasure import Markers
from stream_rec.user import forgotten, seen
from stream_rec.user import state as user_state
from stream_rec.user.advance import advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.impressions import put_features
from tests.fuzz.damage import damaged, damaged_bytes, packed
from tests.fuzz.valid import ITEMS, LIMITS, NOW_MS, valid_knowledge
from tests.fuzz.world import World
from tests.stages.stage import Batch, Message


def struct_bytes(encoded: Callable[[Random], bytes]) -> Callable[[Random], bytes]:
    """Return a maker of damaged msgpack: its values, its structure or its bytes."""

    def made(random: Random) -> bytes:
        if random.random() < 0.03:
            return random.randbytes(random.randrange(64))
        data = encoded(random)
        match random.randrange(6):
            case 0:
                return data
            case 1:
                return damaged_bytes(data, random)
            case 2:
                try:
                    return damaged_bytes(packed(damaged(msgspec.msgpack.decode(data), random)), random)
                except OverflowError:
                    return data
        try:
            return packed(damaged(msgspec.msgpack.decode(data, strict=False), random))[: 16 * LIMITS.record_bytes]
        except OverflowError:  # the integer fits nowhere
            return data

    return made


_SMALL = UserConfig(recent_events=16, recent_searches=3, recent_impressions=3, weekly_counts=16, shown_counts=16)


def take_user(world: World, data: bytes) -> bool:
    try:
        state = user_state.decode(data)
    except StateVersionError:
        return False
    assert user_state.encode(state) == user_state.encode(user_state.decode(user_state.encode(state)))
    user_state.facts(state)
    kinds = [Source.CLICK, Source.VIEW]
    arrived = [Arrival(Interaction(f"n{k}", "u", ITEMS[k], NOW_MS - 10**6), k, 0, 2 * 10**6) for k in kinds]
    arrived += [
        Arrival(Search("n3", "u", "red thing", NOW_MS - 10**6 - 1, ITEMS[0]), Source.SEARCH, 0, 2 * 10**6),
        Arrival(Search("n4", "u", "red", 10**9), Source.SEARCH, 0, 2 * 10**6 + 1),
        Arrival(_impression("n5", NOW_MS - 10**6 - 1), Source.IMPRESSION, 0, 2 * 10**6),
        Arrival(_impression("n6", 10**9), Source.IMPRESSION, 0, 2 * 10**6 + 1),
        Arrival(_impression("n7", NOW_MS), Source.IMPRESSION, 0, 2 * 10**6 + 2),
    ]
    old = [
        Arrival(Interaction(e.event_id, "u", e.item_id, 5), Source(e.kind), 0, e.offset)
        for e in state.recent_events[:2]
    ]
    old += [
        Arrival(Search(s.event_id, "u", s.query, s.timestamp_ms, s.item_id), Source.SEARCH, 0, s.offset)
        for s in state.recent_searches[:2]
    ]
    old += [
        Arrival(_impression(each.event_id, each.timestamp_ms), Source.IMPRESSION, 0, each.offset)
        for each in state.recent_impressions[:2]
    ]
    for arrivals in ([*old, *arrived], old, arrived):
        after = advance(state, arrivals, _SMALL, dict.fromkeys(Source, 10))
        user_state.encode(after.state)
        taught_signals = signals.decode(signals.encode(after.signals))
        for one in taught_signals:
            item_state.encode(item_state.apply(item_state.UNSEEN, [one], KnowledgeConfig()))
        for outcome in after.outcomes:
            world.recommender.learn_outcome(outcome)
        if after.showing is not None:
            features = world.recommender.read_features("u", after.showing)
            user_state.decode(user_state.encode(put_features(after.state, {"n7": features})))
    world.serve(state)
    world.serve(after.state)
    return True


def _impression(event_id: str, timestamp_ms: int) -> Impression:
    return Impression(event_id, "u", "", [ShownItem(ITEMS[0], 1), ShownItem(ITEMS[1], 30)], timestamp_ms)


def take_knowledge(world: World, data: bytes) -> bool:
    try:
        state = item_state.decode(data)
    except StateVersionError:
        return False
    assert item_state.decode(item_state.encode(state)) == state
    more = [Signal("i2", 0, 1, 10**9, NOW_MS, [("i4", 3)], 7, True), Signal("i2", 2, 3, 10**9, 5, [("i5", -3)], 8)]
    asked = [*state.queries, *numbers_of("red", None)]
    more.append(Signal("i2", 3, 3, 10**9, answers=[(number, NOW_MS, change) for number in asked for change in (8, -2)]))
    more.append(Signal("i2", 4, 3, 10**9, shown=7, chosen=[(0, -1), (7, 1)]))
    after = item_state.apply(state, more, KnowledgeConfig(predecessors=8, recent_visits=8))
    encoded = item_state.encode(after)
    sums = [abs(number) for answers in state.queries.values() for number in answers[:2]]
    if (
        max(*state.counts, state.repeats, *map(abs, state.predecessors.values()), *sums, *state.shown) < 2**52
        and max(map(abs, state.chosen), default=0) < 2**52
    ):  # else it is now too large
        assert item_state.decode(encoded) == after
    for one in (state, item_state.strip_bookkeeping(after), state):
        world.catalog.put_knowledge("i2", one)
    world.serve()
    return True


def take_signals(world: World, data: bytes) -> bool:
    try:
        decoded = signals.decode(data)
    except StateVersionError:
        return False
    assert signals.decode(signals.encode(decoded)) == decoded
    before = valid_knowledge(Random(3))
    for state in (item_state.UNSEEN, before):
        after = item_state.apply(state, decoded, KnowledgeConfig(predecessors=8, recent_visits=8))
        assert item_state.decode(item_state.encode(after)) == after
        world.catalog.put_knowledge("i4", after)
    world.serve()
    return True


def take_note(world: World, data: bytes) -> bool:
    try:
        note = forgotten.decode(data)
    except StateVersionError:
        return False
    assert forgotten.decode(forgotten.encode(note)) == note
    batch = Batch([], {forgotten.key_of(b"u"): data})
    notes = Markers(batch, {0})
    for kind, begins in note.begins.items():
        assert not notes.has(Source(kind), Message(b"u", b"", begins))
        assert begins == 0 or notes.has(Source(kind), Message(b"u", b"", begins - 1))
    everything = dict.fromkeys(Source, 2**62)
    assert [state.key for state in notes.over(lambda _: everything, lambda _: 2**62)] == [forgotten.key_of(b"u")]
    world.serve()
    return True


def take_chunk(world: World, data: bytes) -> bool:
    """Whatever a user's state says of how much is archived."""
    try:
        chunk = seen.decode(data)
    except StateVersionError:
        return False
    assert seen.decode(seen.encode(chunk)) == chunk
    assert not seen.is_over(data, chunk.newest_ms) and seen.is_over(data, chunk.newest_ms + 1)
    arrived = [Arrival(Interaction(f"n{n}", "u", ITEMS[n % 3], NOW_MS), Kind.VIEW, 0, n) for n in range(200)]
    for n_archived in (1, 5, chunk.begins, chunk.begins + 2):
        state = user_state.UserState(n_archived=min(n_archived, 2**50))
        after = advance(state, arrived, UserConfig(recent_events=16), {}, lambda _: chunk)
        assert user_state.decode(user_state.encode(after.state)) == after.state
        assert all(seen.decode(seen.encode(made)) == made for made in after.chunks.values())
        world.serve(after.state)
    return True


# Changelogs and databases: who wrote them, and how far.


def _owner(random: Random) -> bytes:
    return random.choice((b"A" * OWNER_BYTES, b"B" * OWNER_BYTES, random.randbytes(random.randrange(12))))


def made_changelog(random: Random) -> list[tuple[bytes, bytes | None, list[tuple[str, Any]]]]:
    records = []
    for _ in range(random.randint(1, 4)):
        claim = Claim(random.choice((0, 1, 2, 127, 128, MOST_CLAIMS, random.randrange(2**60))), _owner(random))
        key = random.choice((claim.key, claim.key, b"ann", forgotten.key_of(b"ann"), damaged_bytes(claim.key, random)))
        value = random.choice((claim.value, claim.value, damaged_bytes(claim.value, random), None))
        headers = [(OWNER_HEADER, random.choice((_owner(random), None))) for _ in range(random.randrange(3))]
        records.append((key, value, headers))
    return records


def take_changelog(world: World, records: list[tuple[bytes, bytes | None, list[tuple[str, Any]]]]) -> bool:
    """Read a changelog, and be able to claim it afterwards, whatever stood there."""
    reading, has_counted = Reading(), False
    for key, value, headers in records:
        before = reading.claim
        try:
            has_counted |= reading.counts(key, value, headers)
        except NewerVersion:
            return False
        assert before.epoch <= reading.claim.epoch <= MOST_CLAIMS
    mine = Claim(reading.claim.epoch + 1, b"C" * OWNER_BYTES)
    assert changelog.is_claim(mine.key)
    if mine.epoch <= MOST_CLAIMS:
        assert not reading.counts(mine.key, mine.value, []) and reading.claim == mine
    return has_counted


def take_meta(world: World, data: bytes) -> bool:
    try:
        meta = database.read_meta(data)
    except StateVersionError:
        return False
    assert database.read_meta(msgspec.msgpack.encode(meta)) == meta
    assert min(meta.next_offset, meta.claim_offset + 1, meta.epoch, meta.written_ms) >= 0
    assert len(meta.claim.value) == len(Claim(0, b"").value)
    assert meta.epoch <= MOST_CLAIMS, "the claim after it would not count"
    return True
