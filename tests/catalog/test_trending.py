"""The most popular items, kept up, against a full sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.trending import TOP, Trending

HALF_LIVES = 2


class World:
    """Trending rows, and all levels as they are."""

    def __init__(self, n_rows: int) -> None:
        self.trending = Trending(HALF_LIVES)
        self.levels = np.full((n_rows, HALF_LIVES), -np.inf)
        self.is_listed = np.ones(n_rows, dtype=bool)

    def put(self, row: int, levels: list[float]) -> None:
        """Change an item, as ``Knowledge`` does."""
        has_sunk = (self.levels[row] > levels).any()
        self.levels[row] = levels
        if has_sunk:
            self.trending.forget()
        elif self.is_listed[row]:
            self.trending.move_up(row, self.levels)

    def switch(self, row: int) -> None:
        """List an item, or take it off."""
        self.is_listed[row] = not self.is_listed[row]
        self.trending.forget()

    def check(self) -> None:
        """Compare with a full sort: ties go to the lower row."""
        rows = np.flatnonzero(self.is_listed & (self.levels[:, 0] > -np.inf))
        for half_life in range(HALF_LIVES):
            expected = rows[np.argsort(-self.levels[rows, half_life], kind="stable")][:TOP]
            assert self.trending.of(self.levels, self.is_listed)[half_life].tolist() == expected.tolist()


changes = st.tuples(st.integers(0, 99), st.sampled_from("rrrrrrrrrsx"), st.integers(0, 4), st.integers(0, 4))


@settings(max_examples=60, deadline=None)
@given(
    n=st.sampled_from([3, TOP, TOP + 6, 100]),
    first=st.integers(0, 3),
    sequence=st.lists(changes, max_size=60),
    looks=st.sets(st.integers(0, 60)),
)
def test_any_sequence_of_changes_is_the_full_sort(n, first, sequence, looks):
    """Items rise, appear, sink, are listed and unlisted; with many ties, also about the last place."""
    world = World(n)
    for row in set(range(n)) - set(range(0, n, 9)):
        world.put(row, [float(first + row % 3), float(row % 5)])
    for step, (row, change, one, two) in enumerate(sequence):
        row %= n
        if step in looks:
            world.check()
        if change == "x":
            world.switch(row)
        elif change == "s":
            world.put(row, [float(one), float(two)])
        else:
            world.put(row, [max(level, 0.0) + more for level, more in zip(world.levels[row].tolist(), (one, two))])
    world.check()


def test_the_half_lives_have_orders_of_their_own():
    """Item 0 leads at one, item 1 at the other."""
    world = World(3)
    world.put(0, [5.0, 1.0])
    world.put(1, [1.0, 5.0])

    assert world.trending.of(world.levels, world.is_listed)[0].tolist() == [0, 1]
    assert world.trending.of(world.levels, world.is_listed)[1].tolist() == [1, 0]


def test_a_tie_for_the_last_place_goes_to_the_lower_row():
    """As a search would find: row 80 stays out, row 5 drives row 73 out."""
    world = World(90)
    for row in range(10, 10 + TOP):
        world.put(row, [1.0, 1.0])
    world.check()
    world.put(80, [1.0, 1.0])
    assert world.trending.of(world.levels, world.is_listed)[0][-1] == 9 + TOP
    world.put(5, [1.0, 1.0])
    assert world.trending.of(world.levels, world.is_listed)[0][[0, -1]].tolist() == [5, 8 + TOP]


def test_an_item_that_rises_is_moved_without_a_search():
    """What is not among the trending and was not announced is not seen: nobody looked."""
    world = World(TOP + 10)
    for row in range(TOP + 10):
        world.put(row, [float(row), float(row)])
    world.check()
    world.levels[0] = 1000.0  # behind its back
    world.put(20, [500.0, 20.0])

    assert world.trending.of(world.levels, world.is_listed)[0][0] == 20
    assert world.trending.of(world.levels, world.is_listed)[1][0] == TOP + 9


@pytest.mark.parametrize("n", [0, 5])
def test_nothing_popular_leads_nothing(n):
    """No items, or none with events."""
    world = World(n)

    assert world.trending.of(world.levels, world.is_listed)[0].tolist() == []
