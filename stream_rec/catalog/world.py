"""The world that a list was made in: how much of the catalog there was, and in whose embeddings.

A list is outdated when its world has changed so much that another would be made today: embeddings have arrived, or are
another encoder's; there are many more items; the owner's rules are others; or it is short, and more items could fill
it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

GROWN = 1.25
"""How many times as many items, or embeddings, make another world."""

Number = Annotated[int, Meta(ge=-1, le=2**56)]


class World(Struct, frozen=True, array_like=True):
    """What lists depend on that events do not change."""

    encoder: Number
    """Digest of the names of the encoders in use; 0 without one, -1 where they are not known."""
    n_embedded: Number
    n_listed: Number
    rules: Number = 0
    """Digest of the owner's rules; 0 without any."""


UNKNOWN = World(-1, 0, 0)
"""That of a list which says nothing of it, or which was made from another by leaving something out: outdated."""


def encode(world: World) -> bytes:
    """Return the bytes that travel beside a list."""
    return msgspec.msgpack.encode(world)


def decode(data: bytes) -> World:
    """Return the world in ``data``, ``UNKNOWN`` where there is none to be read."""
    try:
        return _WORLD.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UNKNOWN


@lru_cache(maxsize=8)
def encoder_number(identities: tuple[str, ...]) -> int:
    """Return the number of some encoders, in order."""
    return 1 + int.from_bytes(hashlib.blake2b("\0".join(identities).encode(), digest_size=6).digest(), "little")


def find_outdated(worlds: NDArray[np.int64], lengths: NDArray[np.int32], now: World, n: int) -> NDArray[np.bool_]:
    """Return which lists should be made anew, (k,) bool.

    Args:
        worlds: (k, 4) int64, the fields of the world of each.
        lengths: (k,) items in each.
        n: Items that a list may have.
    """
    encoders, n_embedded, n_listed, rules = worlds.T
    is_short = (lengths < n) & (now.n_listed > np.maximum(n_listed, lengths))
    has_grown = (now.n_embedded > GROWN * n_embedded) | (now.n_listed > GROWN * n_listed)
    is_outdated: NDArray[np.bool_] = (encoders != now.encoder) | (rules != now.rules) | has_grown | is_short
    return is_outdated


_WORLD = msgspec.msgpack.Decoder(World)
