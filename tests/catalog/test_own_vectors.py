"""Vectors that items bring themselves, beside those that encoders make of their texts."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.spaces import Spaces
from stream_rec.embedding.item_embedding import MAX_SPACES
from stream_rec.events.item import Item
from tests.catalog.stock import embedded
from tests.catalog.whitened import texts, whitened

IMAGE, AUDIO = MAX_SPACES, MAX_SPACES + 1


def spaces_of(n: int, *modalities: str) -> Spaces:
    """Return spaces with room for ``n`` items."""
    spaces = Spaces(modalities)
    spaces.ensure_capacity(n)
    return spaces


def test_each_modality_has_a_place_of_its_own_behind_those_of_texts():
    """Whitened by itself; how long vectors are does not matter, and what is not declared is left out."""
    images, sounds = texts(60, 40), texts(60, 20, seed=1)
    spaces = spaces_of(60, "image", "audio")
    for row in range(60):
        spaces.put(row, embedded(images[row]))
        spaces.put_own(row, {"image": (5 * images[row]).tolist(), "audio": sounds[row].tolist(), "smell": [1.0]})
    vectors = spaces.vectors()

    assert vectors.shape[1] == MAX_SPACES + 2
    assert spaces.identities[1:] == ("image/40", "audio/20")
    for position, expected in ((IMAGE, images), (AUDIO, sounds)):
        found = vectors[:60, position]
        np.testing.assert_allclose(found @ found.T, whitened(expected) @ whitened(expected).T, atol=2e-3)
    assert [spaces.modality(position) for position in range(4)] == [None, None, "image", "audio"]


def test_texts_and_own_vectors_leave_one_another_alone():
    """An encoder's record does not empty what the item brought, nor a changed item what the encoder made."""
    spaces = spaces_of(3, "image")
    for row in range(3):
        spaces.put(row, embedded([1, row]))
        spaces.put_own(row, {"image": [row, 1.0]})
    spaces.put(0, embedded([0, 1]))
    assert spaces.vectors()[0, IMAGE].any()
    spaces.delete(0)
    spaces.put_own(1, {})

    vectors = spaces.vectors()
    assert not vectors[0, 0].any() and vectors[0, IMAGE].any()
    assert vectors[1, 0].any() and not vectors[1, IMAGE].any()


def test_without_any_there_is_no_room_for_them():
    """A catalog whose items bring none is as large as before, and one that declares none leaves them out."""
    spaces = spaces_of(3, "image")
    spaces.put_own(0, {})
    spaces.put(0, embedded([1, 0]))
    assert spaces.vectors().shape[1] == 1

    spaces = spaces_of(3)
    spaces.put_own(0, {"image": [1.0]})
    assert spaces.vectors().shape[1] == 1 and spaces.identities == ()


def test_vectors_of_another_length_take_over_when_they_are_as_many():
    """As those of another encoder: until then those of before serve."""
    spaces = spaces_of(4, "image")
    for row in range(4):
        spaces.put_own(row, {"image": [row, 1.0, 2.0]})
    spaces.put_own(0, {"image": [1.0, 2.0]})
    assert spaces.identities == ("image/3",)
    for row in (1, 2, 3):
        spaces.put_own(row, {"image": [row, 2.0]})

    assert spaces.identities == ("image/2",)
    assert spaces.vectors()[:4, IMAGE].any(axis=1).all()


def test_a_catalog_keeps_them_as_arrays_alone():
    """Not in the record; with the item they go, and come again."""
    catalog = Catalog(("image",))
    catalog.put_item(Item("a", vectors={"image": [1.0, 2.0]}))
    catalog.put_item(Item("b", vectors={"image": [2.0, 1.0]}))
    row = catalog.find("a")

    assert catalog.item(row) == Item("a")
    assert catalog.spaces.vectors()[row, IMAGE].any()
    catalog.delete_item("a")
    assert not catalog.spaces.vectors()[row, IMAGE].any()
    catalog.put_item(Item("a", vectors={"image": [1.0, 2.0]}))
    assert catalog.spaces.vectors()[row, IMAGE].any()


@pytest.mark.parametrize("text_first", [True, False])
def test_the_order_in_which_they_come_does_not_matter(text_first: bool):
    """An item's record before the first embedding, or after it."""
    spaces = spaces_of(5, "image")
    puts = [lambda row: spaces.put(row, embedded([row + 1, 1])), lambda row: spaces.put_own(row, {"image": [1.0, row]})]
    for put in puts if text_first else puts[::-1]:
        for row in range(5):
            put(row)

    assert spaces.identities == ("old@1", "image/2")
    assert spaces.vectors()[:5, [0, IMAGE]].any(axis=2).all()
