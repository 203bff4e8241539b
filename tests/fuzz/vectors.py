"""Packed numbers: embeddings, contributions to the shared head, shifts of factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np

from stream_rec.catalog import factors
from stream_rec.catalog.factors import MalformedShift
from stream_rec.embedding import item_embedding
from stream_rec.embedding.item_embedding import MalformedEmbedding
from stream_rec.errors import DimensionMismatch, StateVersionError
from stream_rec.events.interaction import Kind
from stream_rec.ranking import merge
from stream_rec.ranking.merge import MalformedContribution, SharedHead
from stream_rec.recommend.learn import teach
from stream_rec.recommend.rank import rank
from tests.fuzz.damage import damaged_bytes
from tests.fuzz.valid import COLD, HEAD, NOW_MS, OF
from tests.fuzz.world import WORKSPACE, World


def number_bytes(encoded: Callable[[Random], bytes], header: int) -> Callable[[Random], bytes]:
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
        embedding = item_embedding.decode(data)
    except (MalformedEmbedding, StateVersionError):
        return False
    assert all(abs(float(np.linalg.norm(one.vector)) - 1) < 1e-3 for one in embedding.vectors if one is not None)
    again = item_embedding.decode(item_embedding.encode(embedding))
    assert (again.identities, again.content_hash) == (embedding.identities, embedding.content_hash)
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
    learned.decay(0.5)
    merge.encode(learned.own(), OF)
    world.shared = SharedHead(COLD, HEAD)
    return True


def _taught(world: World, shared: SharedHead) -> SharedHead:
    ranked = rank("u", world.user, world.catalog, shared.head, WORKSPACE, now_ms=NOW_MS)
    shared.update(teach(ranked, [(3, HEAD.weigh(Kind.VIEW))], shared.head, HEAD))
    return shared


def take_shift(world: World, data: bytes) -> bool:
    try:
        shift = factors.decode(data)
    except (MalformedShift, StateVersionError):
        return False
    assert factors.encode(shift) == data
    world.catalog.put_shift("w2", "i1", shift)
    world.catalog.restore_shift("i3", shift)
    world.serve()
    factors.decode(factors.encode(world.catalog.factors.own[3]))
    return True
