"""Which partition a key belongs to: by murmur2, as Java's default partitioner has it, and every producer of ours."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
_BITS = 0xFFFFFFFF
KEYS_KNOWN = 1 << 15
"""Keys whose hash is remembered, for users and items come again: 240 bytes each with ids of 32."""
LONGEST_KNOWN = 256
"""Bytes of a key that is remembered: the default limit of an id."""


class Place(NamedTuple):
    """Where a record stands: a partition, of so many that its topic has."""

    partition: int
    n_partitions: int


def partition_of(key: bytes, n_partitions: int) -> int:
    """Return the partition that a key belongs to, of a topic with so many."""
    return ((_known(key) if len(key) <= LONGEST_KNOWN else murmur2(key)) & 0x7FFFFFFF) % n_partitions


def murmur2(key: bytes) -> int:
    """Return the hash of a key, 32 bits without sign.

    Source:
        A. Appleby, MurmurHash2, with the seed and the constants of org.apache.kafka.common.utils.Utils.murmur2.
    """
    n_words = len(key) // 4
    h = SEED ^ len(key)
    for k in struct.unpack_from(f"<{n_words}I", key):
        k = k * MULTIPLIER & _BITS
        h = h * MULTIPLIER & _BITS ^ (k ^ k >> 24) * MULTIPLIER & _BITS
    if rest := key[4 * n_words :]:
        h = (h ^ int.from_bytes(rest, "little")) * MULTIPLIER & _BITS
    h = (h ^ h >> 13) * MULTIPLIER & _BITS
    return h ^ h >> 15


_known = lru_cache(maxsize=KEYS_KNOWN)(murmur2)
