"""Vectors that were made once, kept in a folder and found again by the digest of their text.

One ``.npz`` file an encoder: the encoder's identity, and for each text its content hash and its vector. It is written
whole or not at all. Runs at the same time add to one file in turn; none takes from it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_rec.embedding.text import HASH_BYTES

log = logging.getLogger(__name__)

VERSION = 1
"""Of the file. Count up when its arrays change."""
Vectors = dict[bytes, NDArray[np.float32]]
"""By content hash."""


def name_file(source: str) -> str:
    """Return the name of the file for an encoder, or for what stands for it."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', source)[:80]}-{digest(source)}.npz"


def digest(text: str) -> str:
    """Return twelve hex digits that tell texts apart."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def read(file: Path) -> tuple[str, Vectors]:
    """Return the identity and the vectors by content hash; nothing where there is no file, or none that can be used."""
    if not file.exists():
        return "", {}
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if int(arrays["version"]) != VERSION:
                raise ValueError(f"version {arrays['version']}, {VERSION} expected")
            identity, hashes, vectors = str(arrays["encoder"]), arrays["hashes"], arrays["vectors"]
        if hashes.dtype != np.uint8 or hashes.shape != (len(vectors), HASH_BYTES) or vectors.ndim != 2:
            raise ValueError(f"hashes of shape {hashes.shape} and vectors of shape {vectors.shape}")
        if vectors.dtype != np.float32 or not np.isfinite(vectors).all():
            raise ValueError("vectors that are not finite float32")
    except Exception as error:  # what numpy, zipfile and the decompressors raise has no end, MemoryError included
        log.warning("cache_unreadable file=%s error=%s; the items are embedded again", file, error)
        return "", {}
    return identity, {hash_.tobytes(): vector for hash_, vector in zip(hashes, vectors)}


def write(file: Path, identity: str, vectors: Vectors) -> None:
    """Add vectors to a cache, which is written whole or not at all."""
    if not vectors:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _lock(file.parent):
            other, kept = read(file)  # another run may have written it since
            _replace(file, identity, kept | vectors if other == identity else vectors)
    except OSError as error:
        log.warning("cache_unwritable file=%s error=%s; the next run embeds again", file, error)


def _replace(file: Path, identity: str, vectors: Vectors) -> None:
    hashes = np.frombuffer(b"".join(vectors), np.uint8).reshape(-1, HASH_BYTES)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=file.stem, suffix=".tmp", delete=False) as part:
        try:
            rows = np.stack(list(vectors.values()))
            np.savez(part, version=VERSION, encoder=identity, hashes=hashes, vectors=rows)
            part.flush()
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder; the lock is the folder's own, so that no file is left for it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
