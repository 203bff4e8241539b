"""When a list's world has changed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream_rec.catalog import world as worlds
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.world import UNKNOWN, World, find_outdated
from stream_rec.events.item import Item
from tests.catalog.stock import embedded

NOW = World(7, 100, 200)


@pytest.mark.parametrize(
    ("made_in", "length", "expected"),
    [
        (NOW, 20, False),
        (World(7, 90, 180), 20, False),
        (World(0, 0, 200), 20, True),  # the first embeddings have come
        (World(7, 40, 200), 20, True),  # many more
        (World(8, 100, 200), 20, True),  # another encoder's
        (World(7, 100, 150), 20, True),  # many more items
        (World(7, 100, 199), 19, True),  # short, and there is one item more
        (NOW, 19, False),  # short, and nothing new to fill it with
        (World(7, 120, 300), 20, False),  # fewer items: what is gone is left out, which is another matter
        (UNKNOWN, 20, True),
    ],
)
def test_a_list_is_outdated(made_in: World, length: int, expected: bool):
    """See ``world.py``."""
    made = np.array([msgspec.structs.astuple(made_in)], dtype=np.int64)
    assert find_outdated(made, np.array([length]), NOW, 20).tolist() == [expected]


def test_a_short_list_of_all_there_is_is_not_outdated():
    """Else it would be made again for ever."""
    made = np.array([msgspec.structs.astuple(World(0, 0, 3))], dtype=np.int64)
    assert not find_outdated(made, np.array([3]), World(0, 0, 3), 20).any()
    assert not find_outdated(made, np.array([0]), World(0, 0, 0), 20).any()


def test_the_catalog_says_in_which_world_lists_are_made():
    """What is not available is not counted; a space that takes over is another world."""
    catalog = Catalog()
    assert catalog.world() == World(0, 0, 0)
    for name in "abc":
        catalog.put_item(Item(name, available=name != "c"))
    assert catalog.world() == World(0, 0, 2)
    catalog.put_embedding("a", embedded([1, 0], "one"))
    one = catalog.world()
    assert (one.n_embedded, one.n_listed) == (1, 2)
    catalog.put_embedding("a", embedded([1, 0], "two"))
    assert catalog.world().encoder not in (0, one.encoder)
    rows = [-2 if (row := catalog.find(name)) is None else row for name in "abcd"]
    assert catalog.may_be_shown(np.array(rows)).tolist() == [True, True, False, False]


def test_nothing_may_be_shown_of_a_catalog_that_is_empty():
    """Lists on the topic can name items that the catalog has never heard of, also before it has heard of any."""
    assert Catalog().may_be_shown(np.array([-2, -2], dtype=np.int32)).tolist() == [False, False]


def test_a_world_survives_its_bytes_and_what_is_none_is_unknown():
    """A record without it, or of another program, costs one list made anew."""
    assert worlds.decode(worlds.encode(NOW)) == NOW
    for data in (b"", b"\xff", b"\x93\x01\x02", msgspec.msgpack.encode([2**60, 1, 1]), msgspec.msgpack.encode("x")):
        assert worlds.decode(data) == UNKNOWN
