"""The neighbour index against plain dictionaries."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.neighbour_index import ITEMS, LEAST_VISITS, NeighbourIndex
from stream_rec.knowledge.visits import visitor_of
from tests.catalog.stock import encoded_visits

ROWS = 6
users = st.dictionaries(st.sampled_from([f"u{n}" for n in range(14)]), st.integers(0, 5), max_size=14)


class World:
    """The index and the visits they were made of."""

    def __init__(self, n_rows: int = ROWS) -> None:
        self.neighbour_index = NeighbourIndex()
        self.neighbour_index.ensure_capacity(n_rows)
        self.now: dict[int, dict[str, int]] = {row: {} for row in range(n_rows)}
        self.tie_breaks = np.arange(n_rows, 0, -1, dtype=np.uint32)

    def put(self, row: int, came: dict[str, int]) -> None:
        """Replace the recent visits of one item."""
        self.neighbour_index.put(row, encoded_visits(self.now[row]), encoded_visits(came), self.tie_breaks)
        self.now[row] = came

    def by_user(self) -> dict[str, list[tuple[int, int]]]:
        """Return (time, row) of all that each user is noted for."""
        found = defaultdict(list)
        for row, came in self.now.items():
            for user_id, seen_ms in came.items():
                found[user_id].append((seen_ms, row))
        return found

    def check(self) -> None:
        """Compare all with the visits. Items seen at one time stand by their tie-breaks, whichever came first."""
        index, by_user = self.neighbour_index, self.by_user()
        assert len(index) == len(by_user)
        slot_of = {user_id: index.slot(visitor_of(user_id)) for user_id in by_user}
        assert min(slot_of.values(), default=0) >= 0 and len(set(slot_of.values())) == len(slot_of)
        for row, came in self.now.items():
            slots = index.of_item[row, : index.n_of_item[row]].tolist()
            assert sorted(slots) == sorted(slot_of[user_id] for user_id in came)
        for user_id, seen in by_user.items():
            slot = slot_of[user_id]
            n = index.n_rows[slot]
            times, rows = index.times[slot, :n].tolist(), index.rows[slot, :n].tolist()
            assert list(zip(times, rows)) == sorted(seen, key=lambda visit: (visit[0], self.tie_breaks[visit[1]]))


@settings(max_examples=150, deadline=None)
@given(updates=st.lists(st.tuples(st.integers(0, ROWS - 1), users), max_size=20))
def test_any_sequence_of_visits_is_the_newest_turned_round(updates):
    """By item and by visitor; a visitor is here exactly as long as some item names them."""
    world = World()
    for row, came in updates:
        world.put(row, came)
        world.check()


@settings(max_examples=60, deadline=None)
@given(visits=st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, 9), st.integers(0, 50)), max_size=60))
def test_visits_one_by_one_are_turned_round(visits):
    """As the item stage sends them: one more, or one more and the oldest less; three are kept."""
    world = World()
    for row, user, seen_ms in visits:
        came = dict(world.now[row])
        came[f"u{user}"] = max(seen_ms, came.get(f"u{user}", 0))
        newest = sorted(came.items(), key=lambda one: (one[1], visitor_of(one[0])))[-3:]
        world.put(row, dict(newest))
        world.check()


def test_a_slot_is_free_when_no_item_names_its_visitor():
    """Not when one of two items forgets them; the next newcomer takes the slot, and nothing of what was in it."""
    world = World()
    world.put(0, {"a": 1})
    world.put(1, {"a": 2, "b": 3})
    slot = world.neighbour_index.slot(visitor_of("a"))
    world.put(0, {})
    assert world.neighbour_index.slot(visitor_of("a")) == slot

    world.put(1, {"b": 3})
    assert world.neighbour_index.slot(visitor_of("a")) == -1
    world.put(2, {"c": 9})
    assert world.neighbour_index.slot(visitor_of("c")) == slot
    assert world.neighbour_index.rows[slot, : world.neighbour_index.n_rows[slot]].tolist() == [2]
    assert len(world.neighbour_index) == 2


def test_a_visitor_who_comes_again_keeps_the_slot():
    """Also where this item is the only one that names them: they leave it and come to it at once."""
    world = World()
    world.put(0, {"a": 1})
    slot = world.neighbour_index.slot(visitor_of("a"))
    world.put(0, {"a": 5})

    assert world.neighbour_index.slot(visitor_of("a")) == slot
    assert world.neighbour_index.times[slot, 0] == 5
    world.check()


def test_slots_are_reused():
    """A long stream of users, of whom an item keeps three at any time, takes four slots at most."""
    world = World(n_rows=1)
    for n in range(5000):
        world.put(0, {f"u{k}": k for k in range(max(0, n - 2), n + 1)})

    assert len(world.neighbour_index) == 3
    assert max(world.neighbour_index.slot(visitor_of(f"u{k}")) for k in (4997, 4998, 4999)) <= 3
    assert len(world.neighbour_index.n_rows) == 1024


def test_the_newest_items_of_a_visitor_are_kept():
    """Of 70 items the last 64; one older than those stays out; a user is forgotten when all items forget them."""
    world = World(n_rows=80)
    for row in range(70):
        world.put(row, {"a": 100 + row})
    slot = world.neighbour_index.slot(visitor_of("a"))
    assert world.neighbour_index.rows[slot].tolist() == list(range(70 - ITEMS, 70))

    world.put(70, {"a": 50})
    assert world.neighbour_index.rows[slot].tolist() == list(range(70 - ITEMS, 70))
    assert world.neighbour_index.of_item[70, 0] == slot
    for row in range(71):
        assert world.neighbour_index.slot(visitor_of("a")) == slot
        world.put(row, {})
    assert world.neighbour_index.slot(visitor_of("a")) == -1
    assert world.neighbour_index.n_rows[slot] == 0


def test_what_leaves_makes_room():
    """The oldest of 64 leaves, a newer one comes to its place in time."""
    world = World(n_rows=70)
    for row in range(ITEMS):
        world.put(row, {"a": 10 * row})
    world.put(0, {})
    world.put(65, {"a": 15})
    slot = world.neighbour_index.slot(visitor_of("a"))

    assert world.neighbour_index.rows[slot, :3].tolist() == [1, 65, 2]
    assert world.neighbour_index.n_rows[slot] == ITEMS


@pytest.mark.parametrize("n", [LEAST_VISITS, LEAST_VISITS + 1, 5 * LEAST_VISITS])
def test_an_item_has_room_for_any_number(n):
    """Room doubles for all items together; the others keep what they have."""
    world = World()
    world.put(1, {"z": 1})
    world.put(0, {f"u{k}": k for k in range(n)})
    world.neighbour_index.ensure_capacity(3000)
    world.check()

    assert world.neighbour_index.of_item.shape[0] >= 3000
    assert np.all(world.neighbour_index.n_of_item[2:] == 0)
