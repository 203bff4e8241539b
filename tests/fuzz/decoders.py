"""Every decoder of bytes that come from topics, files or tables: what valid input is, and what is done with its value.

``Decoder.take`` decodes one input and uses the value as the worker would. It returns whether there was a value; a named
error makes that False. Any other exception is the decoder's fault: it let something through.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np

from stream_rec import changelog
from stream_rec.catalog import factors
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.factors import MalformedMove
from stream_rec.changelog import MOST_CLAIMS, OWNER_BYTES, OWNER_HEADER, Claim, Reading
from stream_rec.client import view
from stream_rec.client.view import RecommendationsView
from stream_rec.config import Settings, as_toml, load
from stream_rec.embedding import codec
from stream_rec.embedding.codec import MalformedEmbedding
from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.stage import embed
from stream_rec.errors import DimensionMismatch, FileProblem, NewerVersion, SettingsError, StateVersionError
from stream_rec.events import validate
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.receipt import Receipt
from stream_rec.events.slate import Slate
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.bounds import KnowledgeConfig
from stream_rec.knowledge.signal import Signal
from stream_rec.ranking import head as heads
from stream_rec.ranking import merge
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.head import HeadConfig
from stream_rec.ranking.merge import MalformedContribution, SharedHead
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend import answer, rank, teach
from stream_rec.replay import embedded as cache
from stream_rec.replay.log import BadLine, content, read_events, read_items
from stream_rec.retrieval.candidates import Workspace
from stream_rec.topics import definition
from stream_rec.user import forgotten
from stream_rec.user import state as user_state
from stream_rec.user.advance import Arrival, advance
from stream_rec.user.forgotten import Forgotten
from stream_rec.user.state import UserConfig, UserState
from stream_rec.wiring import catalog_feed, database
from stream_rec.wiring.factor_exchange import FactorExchange, is_move
from stream_rec.wiring.forgetting import Forgetting, Notes
from stream_rec.wiring.head_exchange import HeadExchange
from tests.catalog.stock import taught
from tests.fuzz.damage import TEXTS, damaged, damaged_bytes, nested, odd, packed
from tests.wiring.stage import Batch, Message

NOW_MS = 1_700_000_000_000
LIMITS = InputLimits()
ITEMS = tuple(f"i{number}" for number in range(12))
HEAD = HeadConfig(hidden=4)
COLD = heads.cold(HEAD, seed=1)
OF = merge.fingerprint(COLD)
WORKSPACE = Workspace()


class World:
    """What one worker holds: a catalog, a shared head, and a folder for files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings()
        self.catalog = Catalog()
        self.shared = SharedHead(COLD, HEAD)
        self.exposures = Exposures()
        for number, item_id in enumerate(ITEMS):
            self.catalog.put_item(Item(item_id, title=f"thing {item_id}", category=f"c{number % 3}"))
            self.catalog.put_knowledge(item_id, valid_knowledge(Random(number)))
        for item_id in ITEMS[:8]:
            self.catalog.put_embedding(item_id, codec.decode(valid_embedding(Random(item_id))))
        self.catalog.factors.choose(np.arange(len(ITEMS)))
        self.user = valid_user(Random(5))
        self.view = _view()

    def serve(self, user: UserState | None = None) -> None:
        """Make a list, teach the head with it and send the list: all numbers in it must be finite."""
        user = self.user if user is None else user
        last = Arrival(Interaction("served", "u", "i3", NOW_MS), Kind.CLICK, 0, 10**6)
        head = self.shared.head
        ranked = rank("u", user, self.catalog, head, WORKSPACE, now_ms=self.catalog.knowledge.now_ms(NOW_MS))
        assert np.isfinite(ranked.scored.log_p).all(), "a score is not finite"
        slate = answer(last, user, self.catalog, head, WORKSPACE, self.exposures, _RANKING, policy="fuzz")
        numbers = [n for item in slate.items for n in (item.score, item.propensity, *item.sources.values())]
        assert all(map(math.isfinite, numbers)), "the list holds what is no number"
        assert msgspec.json.decode(msgspec.json.encode(slate), type=Slate) == slate
        learned = teach(ranked, [(3, Kind.CLICK)], head, HEAD)
        assert np.isfinite(learned.score(ranked.scored.inputs).log_p).all(), "what was learned is not finite"


_RANKING = RankingConfig(explore_share=0.5, tail_every=2)


class _NoReader:
    """The edge: a topic from which nothing comes by itself."""

    topic = "recommendations"
    is_ready = True


def _view() -> RecommendationsView:
    made = view.TopicReader
    view.TopicReader = lambda *_: _NoReader()
    try:
        return RecommendationsView("nowhere:9092", follow=False)
    finally:
        view.TopicReader = made


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder under attack."""

    name: str
    made: Callable[[Random], Any]
    """Returns an input, most often a damaged one."""
    take: Callable[[World, Any], bool]
    """Decodes it and uses the value; returns whether there was one."""
    share: float = 1.0
    """How often it is tried, next to the others: less where files are slow."""


# Users' and items' states, and signals: msgpack.


def valid_user(random: Random) -> UserState:
    state = user_state.COLD
    config = UserConfig(ring=16, tally=16)
    for number in range(random.choice((0, 1, 5, 24))):
        item_id, kind = random.choice(ITEMS), random.choice(list(Kind))
        event = Interaction(f"e{number}", "u", item_id, NOW_MS - random.randrange(10**9), random.choice((None, 2.5)))
        state = user_state.fold(state, event, kind, number, config)
    return state


def valid_knowledge(random: Random) -> item_state.ItemState:
    times = [NOW_MS - random.randrange(10**9) for _ in range(random.choice((0, 1, 7)))]
    return msgspec.structs.replace(
        taught(
            *times,
            predecessors={random.choice(ITEMS): random.randint(-3, 20) for _ in range(random.randrange(4))},
            users={f"u{random.randrange(9)}": at for at in times},
        ),
        watermarks={random.randrange(64): random.randrange(1000) for _ in range(random.randrange(3))},
    )


def valid_signals(random: Random) -> list[Signal]:
    return [
        Signal(
            item_id=random.choice(ITEMS),
            kind=random.randrange(3),
            partition=random.randrange(4),
            offset=random.randrange(1000),
            seen_ms=random.choice((None, NOW_MS - random.randrange(10**9))),
            pairs=[(random.choice(ITEMS), random.randint(-3, 12)) for _ in range(random.randrange(4))],
            visitor=random.getrandbits(64),
            again=random.random() < 0.5,
            erases=random.random() < 0.3,
        )
        for _ in range(random.randrange(4))
    ]


def _struct_bytes(encoded: Callable[[Random], bytes]) -> Callable[[Random], bytes]:
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


def take_user(world: World, data: bytes) -> bool:
    try:
        state = user_state.decode(data)
    except StateVersionError:
        return False
    assert user_state.encode(state) == user_state.encode(user_state.decode(user_state.encode(state)))
    user_state.facts(state)
    kinds = [Kind.CLICK, Kind.VIEW]
    arrived = [Arrival(Interaction(f"n{k}", "u", ITEMS[k], NOW_MS - 10**6), k, 0, 2 * 10**6) for k in kinds]
    old = [Arrival(Interaction(e.event_id, "u", e.item_id, 5), Kind(e.kind), 0, e.offset) for e in state.ring[:2]]
    for arrivals in ([*old, *arrived], old, arrived):
        after = advance(state, arrivals, UserConfig(ring=16, tally=16), {0: 10, 1: 10, 2: 10})
        user_state.encode(after.state)
        taught_signals = signals.decode(signals.encode(after.signals))
        for one in taught_signals:
            item_state.encode(item_state.apply(item_state.UNSEEN, [one], KnowledgeConfig()))
    world.serve(state)
    world.serve(after.state)
    return True


def take_knowledge(world: World, data: bytes) -> bool:
    try:
        state = item_state.decode(data)
    except StateVersionError:
        return False
    assert item_state.decode(item_state.encode(state)) == state
    more = [Signal("i2", 0, 1, 10**9, NOW_MS, [("i4", 3)], 7, True), Signal("i2", 2, 3, 10**9, 5, [("i5", -3)], 8)]
    after = item_state.apply(state, more, KnowledgeConfig(predecessors=8, visitors=8))
    encoded = item_state.encode(after)
    if max(*state.counts, state.repeats, *map(abs, state.predecessors.values())) < 2**52:  # else it is now too large
        assert item_state.decode(encoded) == after
    for one in (state, item_state.knowledge(after), state):
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
        after = item_state.apply(state, decoded, KnowledgeConfig(predecessors=8, visitors=8))
        assert item_state.decode(item_state.encode(after)) == after
        world.catalog.put_knowledge("i4", after)
    world.serve()
    return True


def valid_note(random: Random) -> Forgotten:
    kinds = random.sample(range(3), random.randrange(4))
    return Forgotten(forgotten.VERSION, random.randrange(1000), {kind: random.randrange(1000) for kind in kinds})


def take_note(world: World, data: bytes) -> bool:
    try:
        note = forgotten.decode(data)
    except StateVersionError:
        return False
    assert forgotten.decode(forgotten.encode(note)) == note
    batch = Batch([], {forgotten.key_of(b"u"): data})
    notes = Notes(batch, {0})
    for kind, begins in note.begins.items():
        assert not notes.has(Kind(kind), Message(b"u", b"", begins))
        assert begins == 0 or notes.has(Kind(kind), Message(b"u", b"", begins - 1))
    everything = dict.fromkeys(range(3), 2**62)
    assert [state.key for state in notes.over(lambda _: everything, lambda _: 2**62)] == [forgotten.key_of(b"u")]
    world.serve()
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


def valid_meta(random: Random) -> bytes:
    meta = database.Meta(
        database.META_VERSION,
        random.randrange(10**6),
        random.randrange(-1, 10**6),
        random.randrange(9),
        b"A" * 8,
        NOW_MS,
    )
    return msgspec.msgpack.encode(meta)


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


# Vectors and heads: packed numbers.


def valid_embedding(random: Random) -> bytes:
    vector = _noise(random).normal(size=8).astype(np.float32)
    encoder = random.choice(("hashing@8", "hashing@8", "other@1"))
    return codec.encode(codec.ItemEmbedding(encoder, random.randbytes(16), vector / np.linalg.norm(vector)))


def valid_contribution(random: Random) -> bytes:
    p = len(merge.nothing(COLD).moved)
    noise = _noise(random)
    contribution = merge.Contribution(
        noise.normal(0, 0.1, p), noise.random(p), np.abs(noise.normal(0, 5, merge.N_SUMS)), random.randrange(10**6)
    )
    return merge.encode(contribution, OF)


def valid_move(random: Random) -> bytes:
    return factors.encode(_noise(random).normal(0, 0.3, factors.DIMENSIONS).astype(np.float32))


def _noise(random: Random) -> np.random.Generator:
    """Return usual numbers: what hypothesis makes of ``random.gauss`` itself is anything but."""
    return np.random.default_rng(random.getrandbits(32))


def _number_bytes(encoded: Callable[[Random], bytes], header: int) -> Callable[[Random], bytes]:
    """Return a maker of damaged packed numbers: mostly of the right length, as others are refused at once."""

    def made(random: Random) -> bytes:
        data = encoded(random)
        match random.randrange(8):
            case 0:
                return data
            case 1 | 2:
                return damaged_bytes(data, random)
            case 3:
                return data[:header] + random.randbytes(len(data) - header)
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(data)) if random.random() < 0.3 else random.randrange(header, len(data) - 8)
            number = random.choice(_PACKED)
            data = data[:at] + number + data[at + len(number) :]
        return data

    return made


_FLOATS = np.array(
    (0.0, -1.0, 7.9, 60_000.0, 3e38, -3e38, 1e308, -1e308, 1e-40, -60.0, 1e12, math.nan, math.inf, -math.inf)
)
with np.errstate(over="ignore"):
    _PACKED = [number.astype(kind).tobytes() for number in _FLOATS for kind in ("<f2", "<f4", "<f8")]


def take_embedding(world: World, data: bytes) -> bool:
    try:
        embedding = codec.decode(data)
    except (MalformedEmbedding, StateVersionError):
        return False
    assert abs(float(np.linalg.norm(embedding.vector)) - 1) < 1e-3
    again = codec.decode(codec.encode(embedding))
    assert (again.encoder, again.content_hash) == (embedding.encoder, embedding.content_hash)
    try:
        world.catalog.put_embedding("i1", embedding)
    except DimensionMismatch:
        return False
    world.serve()
    return True


def take_contribution(world: World, data: bytes) -> bool:
    try:
        contribution = merge.decode(data, COLD, OF)
    except (MalformedContribution, StateVersionError):
        return False
    merge.decode(merge.encode(contribution, OF), COLD, OF)
    again = SharedHead(COLD, HEAD)
    again.restore(contribution)
    for shared in (again, world.shared):
        shared.take("other", contribution)
        shared.merge()
        before, world.shared = world.shared, shared
        world.serve()
        world.shared = before
    learned = _taught(world, again)
    merge.encode(learned.own(), OF)
    learned.relaxed(0.5)
    merge.encode(learned.own(), OF)
    world.shared = SharedHead(COLD, HEAD)
    return True


def _taught(world: World, shared: SharedHead) -> SharedHead:
    ranked = rank("u", world.user, world.catalog, shared.head, WORKSPACE, now_ms=NOW_MS)
    shared.learned(teach(ranked, [(3, Kind.VIEW)], shared.head, HEAD))
    return shared


def take_move(world: World, data: bytes) -> bool:
    try:
        moved = factors.decode(data)
    except (MalformedMove, StateVersionError):
        return False
    assert factors.encode(moved) == data
    world.catalog.put_moved("w2", "i1", moved)
    world.catalog.restore_moved("i3", moved)
    world.serve()
    factors.decode(factors.encode(world.catalog.factors.own[3]))
    return True


# Events, items and lists: JSON, with the records' keys.


def _json(tree: Any) -> bytes:
    """Return JSON as Python writes it: with NaN, with lone surrogates, with integers of any length."""
    return json.dumps(tree, default=lambda data: data.hex()).encode()


def _json_bytes(valid: Callable[[Random], Any]) -> Callable[[Random], bytes]:
    def made(random: Random) -> bytes:
        tree = valid(random)
        match random.randrange(6):
            case 0:
                return _json(tree)
            case 1:
                return damaged_bytes(_json(tree), random)
            case 2:
                old = random.choice((b"1", b'"', b":", b"e", b"[", b"3", b'"tv"'))
                numbers = (b"9" * 400, b"9" * 4299, b"9" * 4300, b"9" * 5000, b"1e999", b"-")
                new = random.choice((*numbers, b"\\ud800", b"\\u0000", b"\xff", b"[" * 5000))
                return _json(tree).replace(old, new, random.randint(1, 2))
        return _json(damaged(tree, random)).replace(b"\\ufdd0", b"\\ud800")

    return made


def _keyed(values: Callable[[Random], bytes], key: str) -> Callable[[Random], tuple[bytes | None, bytes]]:
    """Return a maker of (key, value), the key most often the right one."""

    def made(random: Random) -> tuple[bytes | None, bytes]:
        value = values(random)
        if random.random() < 0.15:
            return _odd_key(random), value
        try:
            return json.loads(value)[key].encode(), value
        except Exception:
            return b"u", value

    return made


def _odd_key(random: Random) -> bytes | None:
    text = random.choice(TEXTS).encode()
    return random.choice((None, b"", b"\xff", text, text + b"/i1", b"worker-1/" + text, random.randbytes(9), b"w2"))


def valid_interaction(random: Random) -> dict[str, Any]:
    return {
        "event_id": f"e{random.randrange(99)}",
        "user_id": "u",
        "item_id": random.choice(ITEMS),
        "timestamp_ms": NOW_MS - random.randrange(10**9),
        "value": random.choice((None, 1, 2.5)),
        "context": random.choice(({}, {"device": "tv", "deep": nested(random, 1)})),
    }


def valid_wish(random: Random) -> dict[str, Any]:
    wish = {"user_id": "u", "timestamp_ms": NOW_MS - random.randrange(10**9), "request_id": random.choice(TEXTS)}
    if random.random() < 0.3:
        del wish["request_id"]
    return wish


def take_wish(world: World, record: tuple[bytes | None, bytes]) -> bool:
    """Carry it out for a user of whom something is known, and once more, as after a crash."""
    key, value = record
    batch = Batch([Message(key, value, 7, topic="forget")], {key: user_state.encode(world.user)})
    return asyncio.run(_carried_out(batch, world))


async def _carried_out(batch: Batch, world: World) -> bool:
    async def offsets_after(*_: object) -> dict[Kind, int]:
        return dict.fromkeys(Kind, 7)

    forgetting = Forgetting(None, offsets_after, world.settings)
    wishes, rejections = await forgetting.wishes(batch)
    if rejections:
        assert [send.topic for send in rejections] == ["rejected"]
        return False
    (wish,) = wishes
    for n_events in (sum(world.user.counts), 0):
        await forgetting.carry_out(batch, wish)
        assert list(batch._table) == [forgotten.key_of(wish.message.key)]
        topic, key, value = batch.sent[-1]
        assert (topic, key) == ("receipts", wish.request_id.encode())
        assert msgspec.json.decode(value, type=Receipt).n_events == n_events
    for signal in batch.signals:
        world.catalog.put_knowledge("i4", item_state.apply(valid_knowledge(Random(3)), [signal], KnowledgeConfig()))
    world.serve()
    return True


def valid_receipt(random: Random) -> dict[str, Any]:
    numbers = {"n_events": random.randrange(99), "n_items": random.randrange(9)}
    return {"request_id": random.choice(TEXTS), "forgotten_at_ms": NOW_MS, **numbers}


def take_receipt(world: World, data: bytes) -> bool:
    try:
        receipt = _RECEIPT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    assert _RECEIPT.decode(msgspec.json.encode(receipt)) == receipt
    receipt.request_id.encode()
    return True


_RECEIPT = msgspec.json.Decoder(Receipt)


def valid_item(random: Random) -> dict[str, Any]:
    return {
        "item_id": random.choice(ITEMS),
        "title": "A red bicycle",
        "description": "Two wheels, é, 自転車",
        "category": "bikes",
        "tags": ["red", "bike"],
        "attributes": {"brand": "b", "price": 3, "colours": ["red", 4]},
        "relations": {"series": ["i1"]},
        "vectors": {"image": [0.5, 1.0]},
        "available": random.random() < 0.8,
    }


def valid_slate(random: Random) -> dict[str, Any]:
    item = {
        "item_id": random.choice(ITEMS),
        "score": 0.5,
        "propensity": 1.0,
        "sources": {"similar": 0.5},
        "reason": {"kind": "similar", "item_id": "i1", "event_id": "e", "event_kind": "view"},
    }
    as_of = {"topic": "views", "partition": 0, "offset": 3, "event_id": "e", "timestamp_ms": NOW_MS}
    return {
        "list_id": "x",
        "user_id": "u",
        "generated_at_ms": NOW_MS,
        "as_of": random.choice((None, as_of)),
        "seen": {"views": 3},
        "policy": "p",
        "items": [item] * random.randrange(3),
    }


def take_interaction(world: World, record: tuple[bytes | None, bytes]) -> bool:
    key, value = record
    event = validate.interaction(key, value, received_ms=NOW_MS, limits=LIMITS)
    if isinstance(event, Rejection):
        msgspec.json.encode(event)
        return False
    after = advance(world.user, [Arrival(event, Kind.VIEW, 0, 10**6)], UserConfig(), {})
    assert user_state.decode(user_state.encode(after.state)) == after.state
    assert signals.decode(signals.encode(after.signals)) == after.signals
    world.serve(after.state)
    return True


def take_item(world: World, record: tuple[bytes | None, bytes]) -> bool:
    key, value = record
    result = embed([record], {}, _ENCODER, LIMITS)
    assert all(isinstance(rejection, Rejection) for _, rejection in result.rejections)
    for _, embedding in result.embeddings:
        codec.decode(codec.encode(embedding))
    item = validate.item(key, value, limits=LIMITS)
    if isinstance(item, Rejection):
        msgspec.json.encode(item)
        return False
    catalog_feed.take_item(world.catalog, _record("items", key, value), LIMITS)
    world.serve()
    return True


def take_slate(world: World, record: tuple[bytes | None, bytes]) -> bool:
    before = world.view.undecodable
    key, value = record
    world.view._take([_record("recommendations", key, value)])
    if world.view.undecodable > before:
        return False
    slate = world.view.own((key or b"").decode())
    assert isinstance(slate, Slate)
    msgspec.json.decode(msgspec.json.encode(slate), type=Slate)
    return True


def _record(topic: str, key: bytes | None, value: bytes | None) -> SimpleNamespace:
    return SimpleNamespace(topic=topic, key=key, value=value, partition=0, offset=0)


_ENCODER = HashingEncoder(dimensions=8)
_VALUES = (
    lambda random: None,
    lambda random: b"",
    lambda random: item_state.encode(valid_knowledge(random)),
    valid_embedding,
    valid_contribution,
    valid_move,
    lambda random: _json(valid_item(random)),
    lambda random: _json(valid_slate(random)),
)


def made_record(random: Random) -> tuple[str, bytes | None, bytes | None]:
    topic = random.choice(("items", "item-embeddings", "item-knowledge", "head-weights", "recommendations"))
    return topic, _odd_key(random), random.choice(_VALUES)(random)


def take_record(world: World, made: tuple[str, bytes | None, bytes | None]) -> bool:
    """Take a record with any key, or on the wrong topic. What cannot be used is logged by who reads it, not raised."""
    record = _record(*made)
    match record.topic:
        case "items":
            catalog_feed.take_item(world.catalog, record, LIMITS)
        case "item-embeddings":
            catalog_feed.take_embedding(world.catalog, record, LIMITS)
        case "item-knowledge":
            catalog_feed.take_knowledge(world.catalog, record, LIMITS)
        case "recommendations":
            world.view._take([record])
        case _ if is_move(record):
            FactorExchange(None, world.catalog, world.settings).take(record)
        case _:
            HeadExchange(None, world.shared, world.settings).take(record)
    world.serve()
    return True


# Files: settings, topic definitions, logs, the cache of embeddings.

_TOKENS = (
    *("nan", "inf", "-inf", "-1", "0", "1e400", "9" * 30, "9" * 5000, "0x" + "f" * 99, "true", "''", '"\\ud800"', '"'),
    *("[", "[" * 3000, "[" * 90 + "]" * 90, "{}", "{a=" * 900, "1979-05-27", "2021-13-45", "25:61:00", '"""', "1_000"),
    *('"\\u0000"', '"\U0001f600"', '"\x7f"', "\n[kafka]", "\nx = 1", "\n[[worker]]", "\nkafka.partitions = 3", "\0"),
)


def _toml_bytes(text: str) -> Callable[[Random], bytes]:
    lines = text.splitlines()

    def made(random: Random) -> bytes:
        changed = list(lines)
        for _ in range(random.randint(0, 2)):
            at = random.randrange(len(changed))
            name, equals, _ = changed[at].partition(" = ")
            if equals and random.random() < 0.9:
                changed[at] = f"{name} = {random.choice((random.choice(_TOKENS), json.dumps(random.choice(TEXTS))))}"
            else:
                changed[at] = random.choice((random.choice(_TOKENS), changed[random.randrange(len(changed))], ""))
        data = "\n".join(changed).encode()
        return damaged_bytes(data, random) if random.random() < 0.15 else data

    return made


SETTINGS_TOML = as_toml({s: dict(v) for s, v in msgspec.to_builtins(Settings()).items()})
TOPIC_TOML = (definition.FOLDER / "views.toml").read_text(encoding="utf-8")


def take_settings(world: World, data: bytes) -> bool:
    file = world.folder / "settings.toml"
    file.write_bytes(data)
    try:
        settings = load(file, environ={})
    except SettingsError:
        return False
    again = world.folder / "again.toml"
    again.write_text(as_toml(msgspec.to_builtins(settings)), encoding="utf-8")
    assert load(again, environ={}) == settings
    return True


def take_topic(world: World, data: bytes) -> bool:
    file = world.folder / "views.toml"
    file.write_bytes(data)
    try:
        topic = definition._read(file)
    except FileProblem:
        return False
    assert all(isinstance(value, str) for value in topic.spec(world.settings.kafka).config.values())
    return True


def valid_line(random: Random) -> dict[str, Any]:
    time = {"timestamp": random.choice((1.7e9, 1_700_000_000, "2023-01-02T03:04:05Z", "0001-01-01T00:00:00+23:59"))}
    kind = random.choice(("view", "click", "purchase"))
    line = valid_interaction(random) | {"event_type": kind}
    if random.random() < 0.7:
        del line["timestamp_ms"]
    return line | time


def made_log(random: Random) -> bytes:
    lines = _json_bytes(random.choice((valid_line, valid_line, valid_item)))
    data = b"\n".join(lines(random) for _ in range(random.randint(1, 3)))
    match random.randrange(6):
        case 0:
            return gzip.compress(data, 1)
        case 1:
            return damaged_bytes(gzip.compress(data, 1), random)
        case 2:
            return data + b"\n" + b"x" * (LIMITS.record_bytes + random.randrange(9))
    return data


def take_log(world: World, data: bytes) -> bool:
    file = world.folder / "log.jsonl"
    file.write_bytes(data)
    try:
        records = [*read_events(file, limits=LIMITS, received_ms=NOW_MS), *read_items(file, limits=LIMITS)]
        content(file, limits=LIMITS)
    except FileProblem:
        return False
    usable = [record for record in records if not isinstance(record, BadLine)]
    for record in usable:
        if not isinstance(record, Item):
            event = record.event
            key, value = event.user_id.encode(), msgspec.json.encode(event)
            again = validate.interaction(
                key, value, received_ms=NOW_MS, limits=msgspec.structs.replace(LIMITS, record_bytes=10**7)
            )
            assert again == event
    return bool(usable)


def made_cache(random: Random) -> bytes:
    vectors = np.ones((2, 8), dtype=np.float32)
    arrays: dict[str, Any] = {
        "version": 1,
        "encoder": "hashing@8",
        "hashes": np.arange(32, dtype=np.uint8).reshape(2, 16),
        "vectors": vectors,
    }
    for _ in range(random.randint(0, 2)):
        name = random.choice(list(arrays))
        arrays[name] = random.choice(
            (
                vectors,
                *(vectors.astype(np.float64), vectors * np.nan, vectors[:1], vectors[:, :0], vectors.ravel()),
                *(np.array("x" * 9), np.array(["a", "b"]), np.array([1, 2]), np.array(odd(random), dtype=object)),
                *(np.zeros((0, 0)), np.array(2), np.array(b"\xff"), np.array(math.nan), np.array("2021", "M8[D]")),
            )
        )
        if random.random() < 0.1:
            del arrays[name]
            if not arrays:
                break
    file = io.BytesIO()
    random.choice((np.savez, np.savez, np.savez_compressed))(file, **arrays)
    data = file.getvalue()
    match random.randrange(4):
        case 0:
            return damaged_bytes(data, random)
        case 1:
            old = random.choice((b"'shape': (", b"(2, 8)", b"<f4", b"descr", b"False", b"NUMPY", b"{"))
            same_length = random.choice((b"9" * 40, b"(" * 40, b"-1" * 20, b"|O8" * 9, b"\0" * 40, b"[" * 40))[
                : len(old)
            ]
            return data.replace(old, same_length)
        case 2:
            return _with_damaged_zip_fields(data, random)
    return data


def _with_damaged_zip_fields(data: bytes, random: Random) -> bytes:
    """Return an archive one of whose entries says something else of itself: flags, method, sizes, offsets."""
    mark = random.choice((b"PK\1\2", b"PK\3\4", b"PK\5\6"))
    at = data.find(mark) + 4 + random.randrange(40)
    written = random.randbytes(random.choice((1, 2, 4)))
    return data[:at] + written + data[at + len(written) :]


def take_cache(world: World, data: bytes) -> bool:
    file = world.folder / "cache.npz"
    file.write_bytes(data)
    identity, vectors = cache._read(file)
    assert isinstance(identity, str)
    if vectors:
        cache._write(file, identity, vectors)
        again = cache._read(file)
        assert again[0] == identity and again[1].keys() == vectors.keys()
    return bool(vectors)


DECODERS = (
    Decoder("user state", _struct_bytes(lambda r: user_state.encode(valid_user(r))), take_user),
    Decoder("item state", _struct_bytes(lambda r: item_state.encode(valid_knowledge(r))), take_knowledge),
    Decoder("signals", _struct_bytes(lambda r: signals.encode(valid_signals(r))), take_signals),
    Decoder("note", _struct_bytes(lambda r: forgotten.encode(valid_note(r))), take_note, 0.5),
    Decoder("changelog", made_changelog, take_changelog),
    Decoder("meta", _struct_bytes(valid_meta), take_meta, 0.5),
    Decoder("embedding", _number_bytes(valid_embedding, 30), take_embedding),
    Decoder("contribution", _number_bytes(valid_contribution, 25), take_contribution, 0.5),
    Decoder("move", _number_bytes(valid_move, 1), take_move),
    Decoder("interaction", _keyed(_json_bytes(valid_interaction), "user_id"), take_interaction),
    Decoder("wish", _keyed(_json_bytes(valid_wish), "user_id"), take_wish),
    Decoder("receipt", _json_bytes(valid_receipt), take_receipt, 0.5),
    Decoder("item", _keyed(_json_bytes(valid_item), "item_id"), take_item),
    Decoder("slate", _keyed(_json_bytes(valid_slate), "user_id"), take_slate),
    Decoder("record", made_record, take_record, 0.5),
    Decoder("settings", _toml_bytes(SETTINGS_TOML), take_settings, 0.1),
    Decoder("topic", _toml_bytes(TOPIC_TOML), take_topic, 0.2),
    Decoder("log", made_log, take_log, 0.4),
    Decoder("cache", made_cache, take_cache, 0.1),
)
