"""One record on ``item-embeddings``: which encoder, which text, which vector.

Little-endian: version (u8), bytes of the identity (u16), dimensions (u16), identity in UTF-8, content hash (16 bytes),
vector in float16. Nothing may follow.
"""

from __future__ import annotations

import struct

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.embedding.text import HASH_BYTES
from stream_rec.errors import StateVersionError

VERSION = 1
MAX_IDENTITY_BYTES = 512
MAX_DIMENSIONS = 4096
"""No text encoder that we know gives more, and a space takes 4 bytes for each and every item, if one has a vector."""


class MalformedEmbedding(ValueError):
    """Bytes are no embedding, or values cannot be one."""


class ItemEmbedding(Struct, frozen=True, eq=False):
    """What the encoder made of one item's text."""

    encoder: str
    """Its identity: name@revision."""
    content_hash: bytes
    """Of the canonical text, 16 bytes."""
    vector: NDArray[np.float32]
    """(d,) of unit length."""


def encode(embedding: ItemEmbedding) -> bytes:
    """Return the record's value.

    Raises:
        MalformedEmbedding: the vector is not finite or zero, or something is longer than the record can say.
    """
    identity = embedding.encoder.encode()
    vector = embedding.vector
    _require(
        0 < len(identity) <= MAX_IDENTITY_BYTES, f"identity of {len(identity)} bytes, 1 to {MAX_IDENTITY_BYTES} fit"
    )
    _require(len(embedding.content_hash) == HASH_BYTES, f"content hash of {len(embedding.content_hash)} bytes")
    _require(vector.ndim == 1 and 0 < vector.size <= MAX_DIMENSIONS, f"vector of shape {vector.shape}")
    with np.errstate(over="ignore"):
        half = vector.astype("<f2")
    _require(0.0 < _squared_length(half.astype(np.float32)) < np.inf, "vector is zero, or not finite")
    return _HEADER.pack(VERSION, len(identity), vector.size) + identity + embedding.content_hash + half.tobytes()


def decode(data: bytes) -> ItemEmbedding:
    """Return the embedding in a record's value, its vector scaled to unit length again after float16.

    Raises:
        StateVersionError: a newer program wrote it.
        MalformedEmbedding: it is no embedding.
    """
    if data and data[0] > VERSION:
        raise StateVersionError(f"embedding has version {data[0]}, this program reads up to {VERSION}: update it")
    if len(data) < _HEADER.size or data[0] != VERSION:
        raise MalformedEmbedding(f"{len(data)} bytes that begin with {data[:1].hex() or 'nothing'}, no embedding")
    _, n_identity, dimensions = _HEADER.unpack_from(data)
    hash_at = _HEADER.size + n_identity
    vector_at = hash_at + HASH_BYTES
    if not 0 < n_identity <= MAX_IDENTITY_BYTES or not 0 < dimensions <= MAX_DIMENSIONS:
        raise MalformedEmbedding(f"identity of {n_identity} bytes and {dimensions} dimensions")
    if len(data) != vector_at + 2 * dimensions:
        raise MalformedEmbedding(f"{len(data)} bytes, {vector_at + 2 * dimensions} expected")
    vector = np.frombuffer(data, "<f2", dimensions, vector_at).astype(np.float32)
    squared = _squared_length(vector)
    if not 0.0 < squared < np.inf:  # NaN is neither
        raise MalformedEmbedding("vector is zero, or not finite")
    vector *= squared**-0.5
    try:
        identity = data[_HEADER.size : hash_at].decode()
    except UnicodeDecodeError as error:
        raise MalformedEmbedding(f"identity is not UTF-8: {error}") from error
    return ItemEmbedding(identity, data[hash_at:vector_at], vector)


def _squared_length(vector: NDArray[np.float32]) -> float:
    """Return a number that is NaN or infinite when any element is. Float16 values cannot overflow it."""
    return float(vector.dot(vector))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise MalformedEmbedding(otherwise)


_HEADER = struct.Struct("<BHH")
