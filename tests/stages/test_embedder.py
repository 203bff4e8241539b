"""What the embedder remembers, and which group it reads in."""

from __future__ import annotations

import numpy as np
from aiokafka import ConsumerRecord

from stream_rec.embedding import item_embedding
from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.stages.embedder import MOST_SHARED, Known, group_of


def made(*encoders: str) -> ItemEmbedding:
    return ItemEmbedding(bytes(16), tuple(SpaceVector(one, np.ones(2, np.float32)) for one in encoders))


def read(item_id: str, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("item-embeddings", 0, 0, 0, 0, item_id.encode(), value, None, 0, 0, ())


def test_what_is_known_of_an_item_are_its_encoders_and_its_text():
    """A record of all spaces, then of fewer; a tombstone; bytes that are no embedding are to be made anew."""
    known = Known()
    known.take(read("a", item_embedding.encode(made("x", "y"))))
    known.take(read("b", item_embedding.encode(made("x"))))
    assert known == {"a": (("x", "y"), bytes(16)), "b": (("x",), bytes(16))}

    known.take(read("a", None))
    known.take(read("b", b"?"))
    assert known == {}


def test_items_share_the_identities():
    """A million items do not keep a million copies; and identities without end are not kept for good."""
    known = Known()
    for number in range(MOST_SHARED * 3):
        known.put(f"i{number}", made("x", "y"))
        known.put(f"j{number}", made(f"x{number}"))

    assert len({id(known[f"i{number}"][0]) for number in range(10)}) == 1
    assert len(known._identities) <= MOST_SHARED + 1


def test_other_encoders_or_another_order_are_another_group():
    """Which reads all items again. That of one encoder has the name that it had before there could be two."""
    hashing, random = HashingEncoder(), RandomEncoder()
    groups = [group_of(one) for one in ([hashing], [random], [hashing, random], [random, hashing])]

    assert len(set(groups)) == 4
    assert groups[0] == "embedder-hashing-6b5bf3da"
    assert groups[2].startswith("embedder-hashing-random-")


def test_partitions_with_embeddings_of_other_encoders_are_found():
    """Fewer, more, others, another order, or one that failed: murmur2 puts "a" into partition 0 of 2, "d" into 1."""
    known = Known()
    known.put("a", made("x", "y"))
    known.put("d", made("x"))

    assert known.find_outdated(("x", "y"), 2) == {1}
    assert known.find_outdated(("x",), 2) == {0}
    assert known.find_outdated(("y", "x"), 2) == {0, 1}
    known.put("d", ItemEmbedding(bytes(16), (None, *made("y").vectors)))
    assert known.find_outdated(("x", "y"), 2) == {1}
    assert Known().find_outdated(("x",), 2) == set()
