"""The embedding worker's core: item records in, embeddings and tombstones out. No Kafka, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.embedding.encoder import Encoder
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.embedding.text import canonical_text, content_hash
from stream_rec.errors import EncoderUnavailable, StreamRecError
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.validate import InputLimits, Rejection

PROBE = "a red bicycle"
"""Any encoder that works can encode this."""


class ItemRecord(NamedTuple):
    """One record of ``items``; a null value deletes the item. ``place`` is None where there are no partitions."""

    key: bytes | None
    value: bytes | None
    place: Place | None = None


class Result(Struct, frozen=True, kw_only=True):
    """What became of a batch of item records.

    ``n_records + n_partial == n_deleted + n_without_text + n_skipped + n_superseded + len(embeddings) +
    len(rejections)``.
    """

    n_records: int
    embeddings: list[tuple[str, ItemEmbedding]]
    """(item id, embedding) to publish."""
    tombstones: list[str]
    """Item ids whose embedding is to be deleted: deleted items, and items that lost their text."""
    rejections: list[tuple[int, Rejection]]
    """(index of the record, why); ordered by index. An item whose new text failed for every encoder keeps the embedding
    it has."""
    without_text: list[str]
    """Item ids that have no text at all: they stay in the catalog, without an embedding."""
    n_deleted: int
    n_skipped: int
    """Items whose text and encoders are the known ones."""
    n_superseded: int
    """Records with a later one of the same item in this batch."""
    n_partial: int
    """Records with both an embedding and a rejection: some encoder failed for the text, another did not."""
    n_tokens: int
    """Of all encoders."""


def embed(
    records: Sequence[ItemRecord],
    known: Mapping[str, tuple[tuple[str, ...], bytes]],
    encoders: Sequence[Encoder],
    limits: InputLimits,
) -> Result:
    """Return what to publish for a batch of records of ``items``, in order of arrival. The last of an item counts.

    A text that one encoder fails for has the vectors of the others, each in its own place, and a rejection that names
    the encoder.

    Args:
        known: (identities of the encoders, "" where one failed, content hash) of the embedding that each item has now.

    Raises:
        EncoderUnavailable: an encoder fails for a harmless text too, so that no record can be blamed.
    """
    identities = tuple(encoder.identity for encoder in encoders)
    rejections: dict[int, Rejection] = {}
    texts: dict[str, tuple[int, str | None]] = {}
    for index, record in enumerate(records):
        read = _read(record, limits)
        if isinstance(read, Rejection):
            rejections[index] = read
        else:
            item_id, text = read
            texts[item_id] = index, text
    n_superseded = len(records) - len(rejections) - len(texts)

    deleted = [item_id for item_id, (_, text) in texts.items() if text is None]
    without_text = [item_id for item_id, (_, text) in texts.items() if text == ""]
    hashes = {item_id: content_hash(text) for item_id, (_, text) in texts.items() if text}
    wanted = {item_id for item_id, hash_ in hashes.items() if known.get(item_id) != (identities, hash_)}

    tokens_before = sum(encoder.tokens_encoded for encoder in encoders)
    unknown = list(dict.fromkeys(texts[item_id][1] or "" for item_id in hashes if item_id in wanted))
    made = [(encoder, _encode(encoder, unknown)) for encoder in encoders]
    embeddings = []
    n_partial = 0
    for item_id, hash_ in hashes.items():
        index, text = texts[item_id]
        if item_id not in wanted:
            continue
        vectors, failed = _sort_out(made, text or "")
        if failed:
            rejections[index] = Rejection("encoding_failed", "; ".join(failed))
        embedding = ItemEmbedding(hash_, vectors)
        is_news = not failed or known.get(item_id) != (embedding.identities, hash_)
        if any(vectors) and is_news:
            embeddings.append((item_id, embedding))
            n_partial += bool(failed)
    return Result(
        n_records=len(records),
        embeddings=embeddings,
        tombstones=[*deleted, *(item_id for item_id in without_text if item_id in known)],
        rejections=sorted(rejections.items()),
        without_text=without_text,
        n_deleted=len(deleted),
        n_skipped=len(hashes) - len(wanted),
        n_superseded=n_superseded,
        n_partial=n_partial,
        n_tokens=sum(encoder.tokens_encoded for encoder in encoders) - tokens_before,
    )


def _read(record: ItemRecord, limits: InputLimits) -> tuple[str, str | None] | Rejection:
    """Return (item id, text), the text None for a deletion."""
    key, value, place = record
    read = validate.item_record(key, value, limits=limits, place=place)
    if isinstance(read, Rejection):
        return read
    item_id, item = read
    return item_id, None if item is None else canonical_text(item)


Outcomes: TypeAlias = dict[str, NDArray[np.float32] | str]
"""By text: its vector, or what went wrong."""


def _sort_out(made: list[tuple[Encoder, Outcomes]], text: str) -> tuple[tuple[SpaceVector | None, ...], list[str]]:
    """Return the vector of each encoder for a text, None where it failed, and what it failed at."""
    vectors: list[SpaceVector | None] = []
    failed = []
    for encoder, outcomes in made:
        outcome = outcomes[text]
        if isinstance(outcome, str):
            vectors.append(None)
            failed.append(f"{encoder.name}: {outcome}")
        else:
            vectors.append(SpaceVector(encoder.identity, outcome))
    return tuple(vectors), failed


def _encode(encoder: Encoder, texts: list[str]) -> Outcomes:
    """Return each text's vector or why it has none; a bad text fails alone, a broken encoder is an error."""
    vectors = _encode_or_split(encoder, texts)
    if texts and all(isinstance(vector, str) for vector in vectors.values()):
        try:
            works = np.isfinite(encoder.encode_passages([PROBE])).all()
        except Exception as error:
            raise EncoderUnavailable(f"encoder {encoder.identity} fails for every text: {error}") from error
        if not works:
            raise EncoderUnavailable(
                f"encoder {encoder.identity} returns no finite vector for any text: "
                'if [embedder] dtype is "float16", or "auto" on a GPU, set "bfloat16" or "float32"'
            )
    return vectors


def _encode_or_split(encoder: Encoder, texts: list[str]) -> Outcomes:
    """Encode together, and where that fails each half by itself, down to the texts that fail alone."""
    if not texts:
        return {}
    try:
        rows = encoder.encode_passages(texts)
    except StreamRecError:
        raise
    except Exception as error:
        if len(texts) == 1:
            return {texts[0]: f"{type(error).__name__}: {error}"}
        half = len(texts) // 2
        return _encode_or_split(encoder, texts[:half]) | _encode_or_split(encoder, texts[half:])
    not_finite = "the model gave no finite vector"
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(rows), axis=1)
    return {text: row if fine else not_finite for text, row, fine in zip(texts, rows, finite)}
