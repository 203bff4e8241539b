"""Events, erasure requests, receipts, items and lists: JSON, with the records' keys; and any record on any topic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec

from stream_rec.embedding import item_embedding
from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.stage import ItemRecord, embed
from stream_rec.events import validate
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.partition import Place
from stream_rec.events.receipt import Receipt
from stream_rec.events.slate import Slate
from stream_rec.events.source import SOURCE_OF_TOPIC, Source
from stream_rec.events.validate import Rejection
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.bounds import KnowledgeConfig
from stream_rec.stages import catalog_feed
from stream_rec.stages.erasure import Erasure
from stream_rec.stages.factor_exchange import FactorExchange, is_shift
from stream_rec.stages.head_exchange import HeadExchange
from stream_rec.telemetry.counts import Counts
from stream_rec.user import forgotten
from stream_rec.user import state as user_state
from stream_rec.user.advance import Advance, advance
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import LONGEST_FEATURES
from stream_rec.user.impressions import put_features
from tests.fuzz.damage import TEXTS, damaged, damaged_bytes
from tests.fuzz.valid import (
    LIMITS,
    NOW_MS,
    valid_contribution,
    valid_embedding,
    valid_item,
    valid_knowledge,
    valid_shift,
    valid_slate,
)
from tests.fuzz.world import World
from tests.stages.stage import Batch, Message


def _json(tree: Any) -> bytes:
    """Return JSON as Python writes it: with NaN, with lone surrogates, with integers of any length."""
    return json.dumps(tree, default=lambda data: data.hex()).encode()


def json_bytes(valid: Callable[[Random], Any]) -> Callable[[Random], bytes]:
    """Return a maker of damaged JSON: its values, its bytes, or a token that JSON or Python does not bear."""

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


def keyed(values: Callable[[Random], bytes], key: str) -> Callable[[Random], tuple[bytes | None, bytes]]:
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


def _assert_read_back(after: Advance) -> None:
    """Assert that what a batch leads to can be written and read again."""
    assert user_state.decode(user_state.encode(after.state)) == after.state
    assert signals.decode(signals.encode(after.signals)) == after.signals


def take_interaction(world: World, record: tuple[bytes | None, bytes]) -> bool:
    key, value = record
    event = validate.interaction(key, value, received_ms=NOW_MS, limits=LIMITS)
    if isinstance(event, Rejection):
        msgspec.json.encode(event)
        return False
    after = advance(world.user, [Arrival(event, Kind.VIEW, 0, 10**6)], UserConfig(), {})
    _assert_read_back(after)
    world.serve(after.state)
    return True


def take_search(world: World, record: tuple[bytes | None, bytes]) -> bool:
    key, value = record
    search = validate.search(key, value, received_ms=NOW_MS, limits=LIMITS)
    if isinstance(search, Rejection):
        msgspec.json.encode(search)
        return False
    view = Interaction("new", "u", "i3", search.timestamp_ms)
    after = advance(
        world.user, [Arrival(search, Source.SEARCH, 0, 10**6), Arrival(view, Source.VIEW, 0, 10**6)], UserConfig(), {}
    )
    _assert_read_back(after)
    world.serve(after.state)
    return True


def take_impression(world: World, record: tuple[bytes | None, bytes]) -> bool:
    """Show it, with what is known of its items, and let it be over."""
    key, value = record
    impression = validate.impression(key, value, received_ms=NOW_MS, limits=LIMITS)
    if isinstance(impression, Rejection):
        msgspec.json.encode(impression)
        return False
    first = advance(world.user, [Arrival(impression, Source.IMPRESSION, 0, 10**6)], UserConfig(), {})
    state = first.state
    if first.showing is not None:
        features = world.recommender.read_features("u", first.showing)
        state = put_features(state, {impression.event_id: features})
        assert len(features) <= LONGEST_FEATURES
    view = Interaction("new", "u", impression.items[0].item_id, impression.timestamp_ms)
    later = Interaction("later", "u", "i3", impression.timestamp_ms + 10**7)
    arrived = [Arrival(view, Source.VIEW, 0, 10**6), Arrival(later, Source.VIEW, 0, 10**6 + 1)]
    after = advance(state, arrived, UserConfig(), {})
    for each in (first, after):
        _assert_read_back(each)
    for outcome in after.outcomes:
        world.recommender.learn_outcome(outcome)
    world.serve(after.state)
    return True


def take_profile(world: World, record: tuple[bytes | None, bytes]) -> bool:
    """Follow it, of a user of whom something is known and of one of whom nothing else is."""
    key, value = record
    profile = validate.profile(key, value, received_ms=NOW_MS, limits=LIMITS)
    if isinstance(profile, Rejection):
        msgspec.json.encode(profile)
        return False
    view = Interaction("new", "u", "i3", NOW_MS)
    arrived = [Arrival(profile, Source.PROFILE, 0, 10**6), Arrival(view, Source.VIEW, 0, 10**6)]
    for before, came in ((world.user, arrived), (user_state.COLD, arrived[:1])):
        after = advance(before, came, UserConfig(), {})
        _assert_read_back(after)
        world.serve(after.state)
    return True


def take_erasure_request(world: World, record: tuple[bytes | None, bytes]) -> bool:
    """Carry it out for a user of whom something is known, and once more, as after a crash."""
    key, value = record
    batch = Batch([Message(key, value, 7, topic="forget")], {key: user_state.encode(world.user)})
    return asyncio.run(_carried_out(batch, world))


async def _carried_out(batch: Batch, world: World) -> bool:
    async def offsets_after(*_: object) -> dict[str, int]:
        return dict.fromkeys(SOURCE_OF_TOPIC, 7)

    erasure = Erasure(None, offsets_after, world.settings, Counts())
    requests, rejections = await erasure.requests(batch)
    if rejections:
        assert [send.topic for send in rejections] == ["rejected"]
        return False
    (request,) = requests
    for n_events in (sum(world.user.counts), 0):
        await erasure.carry_out(batch, request)
        assert list(batch._table) == [forgotten.key_of(request.key)]
        topic, key, value = batch.sent[-1]
        assert (topic, key) == ("receipts", request.request_id.encode())
        assert msgspec.json.decode(value, type=Receipt).n_events == n_events
    for signal in batch.signals:
        world.catalog.put_knowledge("i4", item_state.apply(valid_knowledge(Random(3)), [signal], KnowledgeConfig()))
    world.serve()
    return True


def take_receipt(world: World, data: bytes) -> bool:
    try:
        receipt = _RECEIPT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    assert _RECEIPT.decode(msgspec.json.encode(receipt)) == receipt
    receipt.request_id.encode()
    return True


_RECEIPT = msgspec.json.Decoder(Receipt)


def take_item(world: World, record: tuple[bytes | None, bytes]) -> bool:
    key, value = record
    result = embed([ItemRecord(*record)], {}, [_ENCODER], LIMITS)
    assert all(isinstance(rejection, Rejection) for _, rejection in result.rejections)
    for _, embedding in result.embeddings:
        item_embedding.decode(item_embedding.encode(embedding))
    item = validate.item(key, value, limits=LIMITS)
    if isinstance(item, Rejection):
        msgspec.json.encode(item)
        return False
    catalog_feed.take_item(world.catalog, _record("items", key, value), LIMITS, _PLACE)
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


_PLACE = Place(0, 1)


def _record(topic: str, key: bytes | None, value: bytes | None) -> SimpleNamespace:
    return SimpleNamespace(topic=topic, key=key, value=value, partition=0, offset=0)


_ENCODER = HashingEncoder(dimensions=8)
_VALUES = (
    lambda random: None,
    lambda random: b"",
    lambda random: item_state.encode(valid_knowledge(random)),
    valid_embedding,
    valid_contribution,
    valid_shift,
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
            catalog_feed.take_item(world.catalog, record, LIMITS, _PLACE)
        case "item-embeddings":
            catalog_feed.take_embedding(world.catalog, record, LIMITS)
        case "item-knowledge":
            catalog_feed.take_knowledge(world.catalog, record, LIMITS)
        case "recommendations":
            world.view._take([record])
        case _ if is_shift(record):
            FactorExchange(None, world.catalog, world.settings).take(record)
        case _:
            HeadExchange(None, world.shared, world.settings).take(record)
    world.serve()
    return True
