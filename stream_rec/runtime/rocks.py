"""What all of our RocksDB databases have in common: bytes for keys and for values, and None for what goes."""

from __future__ import annotations

from collections.abc import Iterable

import rocksdict


def batch_of(values: Iterable[tuple[bytes, bytes | None]]) -> rocksdict.WriteBatch:
    """Return changes to be written at once; None deletes."""
    batch = rocksdict.WriteBatch(raw_mode=True)
    for key, value in values:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    return batch
