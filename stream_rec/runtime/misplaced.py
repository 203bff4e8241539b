"""States in a partition where their keys do not belong: workers of before took events from wherever they came.

Asked of whole batches of keys while a changelog is read: one by one they would double what a record costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from stream_rec.events.partition import MULTIPLIER, SEED

MARKER = b"\0"
"""So keys begin that are no ids: they stand where the state is that they belong to."""
MOST = 10_000
"""Keys that are counted, for they are kept meanwhile."""
REMEDY = (
    "a worker of before took events from partitions where their keys do not belong: neither events nor erasure "
    "requests reach these states; `stream-rec snapshot export` and `import` bring each to the right partition"
)


class Misplaced(set[bytes]):
    """The keys, up to ``MOST``, that stand in one partition and belong to another."""

    def __init__(self, n_partitions: int) -> None:
        super().__init__()
        self._n_partitions = n_partitions

    def take(self, partition: int, values: Mapping[bytes, bytes | None]) -> None:
        """Take what has been read of the partition: each key with its newest value, None if deleted."""
        by_length: dict[int, list[bytes]] = defaultdict(list)
        for key in values:
            if key > MARKER and not key.startswith(MARKER):
                by_length[len(key)].append(key)
        for length, keys in by_length.items():
            hashes = murmur2_of_all(np.frombuffer(b"".join(keys), np.uint8).reshape(-1, length))
            for place in np.flatnonzero((hashes & 0x7FFFFFFF) % self._n_partitions != partition):
                if values[keys[place]] is None:
                    self.discard(keys[place])
                elif len(self) < MOST:
                    self.add(keys[place])


def murmur2_of_all(keys: np.ndarray) -> np.ndarray:
    """Return ``events.partition.murmur2`` of keys of one length, (n, length) uint8, as (n,) uint32."""
    n, length = keys.shape
    multiplier = np.uint32(MULTIPLIER)
    n_words = length // 4
    hashes = np.full(n, SEED ^ length, np.uint32)
    for k in np.ascontiguousarray(keys[:, : 4 * n_words]).view("<u4").T if n_words else ():
        k = k * multiplier
        hashes = hashes * multiplier ^ (k ^ k >> np.uint32(24)) * multiplier
    if length % 4:
        rest = np.zeros((n, 4), np.uint8)
        rest[:, : length % 4] = keys[:, 4 * n_words :]
        hashes = (hashes ^ rest.view("<u4")[:, 0]) * multiplier
    hashes = (hashes ^ hashes >> np.uint32(13)) * multiplier
    return hashes ^ hashes >> np.uint32(15)
