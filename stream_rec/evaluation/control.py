"""The control: the engine on random vectors in place of the encoder's. What its lists lack is what text brings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_rec.config import Settings
from stream_rec.embedding.item_embedding import MAX_SPACES, ItemEmbedding, SpaceVector
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.embedding.text import canonical_text, content_hash
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.method import World
from stream_rec.events.item import Item


def make_control(world: World, seed: int, *, settings: Settings, items: Sequence[Item], n_spaces: int = 1) -> Engine:
    """Return the engine that knows of each item's text only whether it is the same as another's.

    The same items have vectors, so that it can do all that the engine does: two texts are as similar as chance has it.

    Args:
        items: Those of the item file, in the order of ``world.item_ids``.
        n_spaces: As many as the engine's items have.
    """
    encoders = [RandomEncoder(seed=MAX_SPACES * seed + number) for number in range(n_spaces)]
    known = [item for item, has_vector in zip(items, np.any(world.vectors, axis=1)) if has_vector]
    texts = [canonical_text(item) for item in known]
    embeddings = {
        item.item_id: ItemEmbedding(content_hash(text), vectors)
        for item, text, vectors in zip(known, texts, zip(*(_encode(encoder, texts) for encoder in encoders)))
    }
    return Engine(world, seed, settings=settings, items=items, embeddings=embeddings)


def _encode(encoder: RandomEncoder, texts: Sequence[str]) -> list[SpaceVector]:
    return [SpaceVector(encoder.identity, vector) for vector in encoder.encode_passages(texts)]
