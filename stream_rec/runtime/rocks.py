"""What all RocksDB databases of a process have in common: their limits, bytes for keys and values, None deletes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import rocksdict

WRITE_BUFFER_BYTES = 8 << 20
"""Of one database; there may be two."""
OPEN_FILES = 256
"""Of one database."""


def batch_of(values: Iterable[tuple[bytes, bytes | None]]) -> rocksdict.WriteBatch:
    """Return changes to be written at once; None deletes."""
    batch = rocksdict.WriteBatch(raw_mode=True)
    for key, value in values:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    return batch


def open_database(directory: Path, *, cache: rocksdict.Cache, bloom_bits: int = 0) -> rocksdict.Rdict:
    """Open or make a database.

    Args:
        cache: Of the blocks that are read; several databases may share one.
        bloom_bits: Of a key in the filter that answers for keys which are not there; 0: no filter.

    Raises:
        Exception: it is damaged; RocksDB's errors have no class of their own.
    """
    blocks = rocksdict.BlockBasedOptions()
    if bloom_bits:
        blocks.set_bloom_filter(bloom_bits, block_based=False)
    blocks.set_block_cache(cache)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_max_open_files(OPEN_FILES)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_block_based_table_factory(blocks)
    directory.mkdir(parents=True, exist_ok=True)
    return rocksdict.Rdict(str(directory), options)


def purge(db: rocksdict.Rdict) -> None:
    """Take from the disk what is there of deleted and overwritten values. May take long; reads and writes may go on.

    Forced: files that lie in no other's way are else left as they are, a deletion with its key among them.
    """
    every = rocksdict.CompactOptions()
    every.set_bottommost_level_compaction(rocksdict.BottommostLevelCompaction.force())
    db.flush(wait=True)
    db.compact_range(None, None, every)
