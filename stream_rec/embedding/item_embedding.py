"""One record on ``item-embeddings``: which text of an item, and its vector in each of 1 or 2 embedding spaces.

Little-endian: version (u8), number of spaces (u8), content hash (16 bytes); then of each space bytes of the identity
(u16), dimensions (u16), identity in UTF-8, vector in float16; both sizes are 0 where the encoder failed for the text.
Nothing may follow.

Version 1 had one space: version (u8), bytes of the identity (u16), dimensions (u16), identity, content hash, vector.
"""

from __future__ import annotations

import struct

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.embedding.text import HASH_BYTES
from stream_rec.errors import StateVersionError
from stream_rec.events.item import MAX_MODALITIES

VERSION = 2
MAX_SPACES = 2
"""One for meaning and one for words. A space costs a vector for each and every item, and each list reads it."""
ALL_SPACES = MAX_SPACES + MAX_MODALITIES
"""Of texts first, then of what items bring themselves, which stands in their own records."""
MAX_IDENTITY_BYTES = 512
MAX_DIMENSIONS = 4096
"""No text encoder that we know gives more, and a space takes 4 bytes for each and every item, if one has a vector."""


class MalformedEmbedding(ValueError):
    """Bytes are no embedding, or values cannot be one."""


class SpaceVector(Struct, frozen=True, eq=False):
    """What one encoder made of one item's text."""

    encoder: str
    """Its identity: name@revision."""
    vector: NDArray[np.float32]
    """(d,) of unit length."""


class ItemEmbedding(Struct, frozen=True, eq=False):
    """What the encoders made of one item's text."""

    content_hash: bytes
    """Of the canonical text, 16 bytes."""
    vectors: tuple[SpaceVector | None, ...]
    """1 to ``MAX_SPACES``, no encoder twice, in the order of the setting `embedder.encoder`. An encoder that failed for
    the text keeps its place: None, and the other's vector does not move there."""

    @property
    def identities(self) -> tuple[str, ...]:
        """Those of the encoders, in order; "" where one failed."""
        return tuple("" if one is None else one.encoder for one in self.vectors)


def encode(embedding: ItemEmbedding) -> bytes:
    """Return the record's value.

    Raises:
        MalformedEmbedding: a vector is not finite or zero, an encoder comes twice, there are no vectors or more places
            than ``MAX_SPACES``, or something is longer than the record can say.
    """
    _require(len(embedding.content_hash) == HASH_BYTES, f"content hash of {len(embedding.content_hash)} bytes")
    _require_spaces(embedding)
    head = _HEADER.pack(VERSION, len(embedding.vectors)) + embedding.content_hash
    return head + b"".join(map(_encode_space, embedding.vectors))


def decode(data: bytes) -> ItemEmbedding:
    """Return the embedding in a record's value, each vector scaled to unit length again after float16.

    Raises:
        StateVersionError: a newer program wrote it.
        MalformedEmbedding: it is no embedding.
    """
    if data and data[0] > VERSION:
        raise StateVersionError(f"embedding has version {data[0]}, this program reads up to {VERSION}: update it")
    if data[:1] == b"\x01":
        return _decode_version_1(data)
    if len(data) < _HEADER.size + HASH_BYTES or data[0] != VERSION:
        raise MalformedEmbedding(f"{len(data)} bytes that begin with {data[:1].hex() or 'nothing'}, no embedding")
    _, n_spaces = _HEADER.unpack_from(data)
    _require(0 < n_spaces <= MAX_SPACES, f"{n_spaces} spaces, 1 to {MAX_SPACES} fit")
    at = _HEADER.size + HASH_BYTES
    content_hash = data[_HEADER.size : at]
    vectors: list[SpaceVector | None] = []
    for _ in range(n_spaces):
        if data[at : at + _SIZES.size] == _FAILED:
            vectors.append(None)
            at += _SIZES.size
            continue
        n_identity, dimensions = _unpack_sizes(data, at)
        vector_at = at + _SIZES.size + n_identity
        end = vector_at + 2 * dimensions
        _require(end <= len(data), f"{len(data)} bytes, at least {end} expected")
        vectors.append(SpaceVector(_identity(data[at + _SIZES.size : vector_at]), _vector(data[vector_at:end])))
        at = end
    _require(at == len(data), f"{len(data)} bytes, {at} expected")
    embedding = ItemEmbedding(content_hash, tuple(vectors))
    _require_spaces(embedding)
    return embedding


def _decode_version_1(data: bytes) -> ItemEmbedding:
    n_identity, dimensions = _unpack_sizes(data, 1)
    hash_at = 1 + _SIZES.size + n_identity
    vector_at = hash_at + HASH_BYTES
    end = vector_at + 2 * dimensions
    _require(len(data) == end, f"{len(data)} bytes, {end} expected")
    one = SpaceVector(_identity(data[1 + _SIZES.size : hash_at]), _vector(data[vector_at:]))
    return ItemEmbedding(data[hash_at:vector_at], (one,))


def _encode_space(one: SpaceVector | None) -> bytes:
    if one is None:
        return _FAILED
    identity = one.encoder.encode()
    vector = one.vector
    _require(
        0 < len(identity) <= MAX_IDENTITY_BYTES, f"identity of {len(identity)} bytes, 1 to {MAX_IDENTITY_BYTES} fit"
    )
    _require(vector.ndim == 1 and 0 < vector.size <= MAX_DIMENSIONS, f"vector of shape {vector.shape}")
    with np.errstate(over="ignore"):
        half = vector.astype("<f2")
    _require(0.0 < _squared_length(half.astype(np.float32)) < np.inf, "vector is zero, or not finite")
    return _SIZES.pack(len(identity), vector.size) + identity + half.tobytes()


def _unpack_sizes(data: bytes, at: int) -> tuple[int, int]:
    """Return the bytes of an identity and the dimensions of its vector."""
    _require(at + _SIZES.size <= len(data), f"{len(data)} bytes, at least {at + _SIZES.size} expected")
    n_identity, dimensions = _SIZES.unpack_from(data, at)
    fits = 0 < n_identity <= MAX_IDENTITY_BYTES and 0 < dimensions <= MAX_DIMENSIONS
    _require(fits, f"identity of {n_identity} bytes and {dimensions} dimensions")
    return n_identity, dimensions


def _identity(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedEmbedding(f"identity is not UTF-8: {error}") from error


def _vector(data: bytes) -> NDArray[np.float32]:
    vector = np.frombuffer(data, "<f2").astype(np.float32)
    squared = _squared_length(vector)
    _require(0.0 < squared < np.inf, "vector is zero, or not finite")  # NaN is neither
    vector *= squared**-0.5
    return vector


def _squared_length(vector: NDArray[np.float32]) -> float:
    """Return a number that is NaN or infinite when any element is. Float16 values cannot overflow it."""
    return float(vector.dot(vector))


def _require_spaces(embedding: ItemEmbedding) -> None:
    identities = embedding.identities
    _require(0 < len(identities) <= MAX_SPACES, f"{len(identities)} spaces, 1 to {MAX_SPACES} fit")
    _require(any(embedding.vectors), "every encoder failed")
    _require(len(set(identities)) == len(identities), f"two vectors of the same encoder {identities[0][:80]!r}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise MalformedEmbedding(otherwise)


_HEADER = struct.Struct("<BB")
_SIZES = struct.Struct("<HH")
_FAILED = _SIZES.pack(0, 0)
