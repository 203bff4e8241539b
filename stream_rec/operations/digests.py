"""A compact set of 64-bit digests, for knowing millions of ids: 8 bytes for each, up to 20 while parts are merged."""

from __future__ import annotations

import hashlib

import numpy as np

NEW = 1 << 16
"""So many are kept in a set of Python's, at some 70 bytes each, before they become an array."""


class Digests:
    """A set of whole numbers below 2**64 that only grows: sorted arrays, each more than twice as long as the next.

    Example:
        >>> seen = Digests()
        >>> seen.add(digest_of("ann", "e-1")), seen.add(digest_of("ann", "e-1"))
        (True, False)
        >>> digest_of("bob", "e-1") in seen, len(seen)
        (False, 1)
    """

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._new: set[int] = set()

    def add(self, digest: int) -> bool:
        """Take one in; return whether it is new."""
        if digest in self:
            return False
        self._new.add(digest)
        if len(self._new) >= NEW:
            self._merge()
        return True

    def __contains__(self, digest: int) -> bool:
        return digest in self._new or any(_has(part, np.uint64(digest)) for part in self._parts)

    def __len__(self) -> int:
        return len(self._new) + sum(map(len, self._parts))

    def _merge(self) -> None:
        part = np.fromiter(self._new, dtype=np.uint64, count=len(self._new))
        part.sort()
        self._new.clear()
        while self._parts and len(self._parts[-1]) <= 2 * len(part):
            part = np.concatenate([self._parts.pop(), part])
            part.sort(kind="stable")  # merges what is sorted already
        self._parts.append(part)


def digest_of(*texts: str) -> int:
    """Return a number for some texts, of which none holds NUL.

    Of two different ones that have the same number there is one pair in 18,000,000,000,000,000,000.
    """
    return int.from_bytes(hashlib.blake2b("\0".join(texts).encode(), digest_size=8).digest(), "little")


def _has(part: np.ndarray, digest: np.uint64) -> bool:
    index = part.searchsorted(digest)
    return bool(index < len(part) and part[index] == digest)
