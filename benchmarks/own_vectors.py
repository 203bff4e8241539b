"""Give items vectors of their own, made of their texts by two encoders: what two modalities are worth, on real logs.

    python benchmarks/own_vectors.py --items ITEMS --out OUT [--withhold 0.5]
    stream-rec evaluate --items OUT --events EVENTS --limit 10000 --baselines none --no-control \
        --without vectors --without text --without text+vectors

No public log here has images or sounds. So `image` is what `e5-small` says of an item's text, and `audio` what
`hashing` does: without the texts, lists made of these two have to be as good as those made of texts. `--withhold`
takes so large a share of the items, drawn with a seed, their `image`.
"""

from __future__ import annotations

import argparse
import gzip
import random
from pathlib import Path

import msgspec

from stream_rec.config import Settings
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits
from stream_rec.logs.log import read_items, usable
from stream_rec.replay.embedded import embed_items

MODALITIES = ("image", "audio")
DIGITS = 4


def main() -> None:
    """Write the items."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--withhold", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    limits, rng = InputLimits(), random.Random(arguments.seed)
    items = list(usable(read_items(arguments.items, limits=limits), print))
    embedder = msgspec.structs.replace(Settings().embedder, encoder="e5-small+hashing")
    embedded = embed_items(items, embedder, limits)
    with gzip.open(arguments.out, "wb") as file:
        for item in embedded.items:
            vectors: dict[str, list[float]] = {}
            if (embedding := embedded.embeddings.get(item.item_id)) is not None:
                for name, vector in zip(MODALITIES, embedding.vectors):
                    if vector is not None and not (name == "image" and rng.random() < arguments.withhold):
                        vectors[name] = [round(number, DIGITS) for number in vector.vector.tolist()]
            file.write(msgspec.json.encode(add_vectors(item, vectors)) + b"\n")


def add_vectors(item: Item, vectors: dict[str, list[float]]) -> Item:
    """Return the item as it would be if it brought these."""
    return msgspec.structs.replace(item, vectors=vectors)


if __name__ == "__main__":
    main()
