"""Who is shown what, within its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.catalog.world import UNKNOWN, World
from stream_rec.upkeep.shown import UNHEARD_OF, Shown

WORLD = World(1, 50, 100)


def put(shown: Shown, user: str, *rows: int, active_ms: int = 0, world: World = WORLD) -> int:
    return shown.put(user.encode(), rows, world=world, active_ms=active_ms)[0]


def gone(*rows: int, of: int = 100) -> np.ndarray:
    is_gone = np.zeros(of, dtype=bool)
    is_gone[list(rows)] = True
    return is_gone


EVERY = slice(0, 10_000)


def test_exactly_the_lists_that_show_it_are_found():
    """In whatever place it stands; a user's newest list alone counts."""
    shown = Shown(100, 3)
    first, second = put(shown, "ann", 1, 2, 3), put(shown, "bob", 4, 5)
    put(shown, "carl", 3)
    put(shown, "carl", 6)
    shown.mark(gone(3), EVERY)
    assert list(shown.find_stale()) == [first]
    shown.mark(gone(5, 9), EVERY)
    assert list(shown.find_stale()) == [first, second]
    put(shown, "ann", 1, 2)
    assert list(shown.find_stale()) == [second]
    shown.unmark(second)
    assert shown.n_stale == 0


def test_an_item_that_was_never_heard_of_is_gone_and_the_end_of_a_list_is_not():
    """What the catalog does not know cannot be shown; where a list is short there is nothing to leave out."""
    shown = Shown(100, 3)
    put(shown, "ann", 1)
    unheard_of = put(shown, "bob", 1, UNHEARD_OF)
    shown.mark(gone(), EVERY)
    assert list(shown.find_stale()) == [unheard_of]


def test_a_list_longer_than_lists_are_now_is_kept_whole():
    """As after a change of `ranking.n`."""
    shown = Shown(100, 2)
    put(shown, "ann", 1, 2)
    number = put(shown, "bob", 1, 2, 3, 4, 5)
    shown.mark(gone(5), EVERY)
    assert list(shown.find_stale()) == [number]


def test_who_was_inactive_longest_leaves():
    """The bound holds whatever comes; those who are left are found, and their numbers are their own."""
    shown = Shown(50, 2)
    for number in range(200):
        put(shown, f"u{number}", number % 100, active_ms=number if number % 2 else 1000 + number)
        assert len(shown) <= 50
    assert shown.n_left == 150
    assert shown.n_numbers <= 51
    left = [number for number in range(200) if shown.find(f"u{number}".encode()) is not None]
    assert sum(number % 2 for number in left) <= 1  # the last one put
    numbers = [shown.find(f"u{number}".encode()) for number in left]
    assert len(set(numbers)) == 50
    assert [shown.key(number) for number in numbers] == [f"u{number}".encode() for number in left]


def test_a_user_who_is_taken_out_is_in_nothing():
    """The number goes to another user, who inherits nothing."""
    shown = Shown(100, 2)
    number = put(shown, "ann", 3)
    shown.mark(gone(3), EVERY)
    version = shown.version(number)
    assert shown.remove(b"ann") == number
    assert shown.remove(b"ann") is None
    assert shown.n_stale == 0
    shown.mark(gone(3), EVERY)
    assert shown.n_stale == 0
    assert shown.find_outdated(World(2, 1, 1), 10)[1] == 0
    assert put(shown, "bob", 4) == number
    assert shown.version(number) != version
    shown.mark(gone(3), EVERY)
    assert shown.n_stale == 0


def test_what_was_found_in_the_topic_can_be_left_out():
    """Until all of it was read, a list from there may not be the newest."""
    shown = Shown(100, 2)
    shown.put(b"ann", [3], world=WORLD, active_ms=0, is_live=False)
    live = put(shown, "bob", 3)
    shown.mark(gone(3), EVERY)
    assert list(shown.find_stale(live_only=True)) == [live]
    assert len(shown.find_stale()) == 2


def test_outdated_lists_come_with_the_newest_active_users_first():
    """As many as are asked for; all of them are counted."""
    shown = Shown(1000, 2)
    for number in range(500):
        put(shown, f"u{number}", 1, 2, active_ms=number * 7919 % 500, world=UNKNOWN if number % 2 else WORLD)
    numbers, n_outdated = shown.find_outdated(WORLD, 20)
    assert n_outdated == 250
    active = sorted((number * 7919 % 500 for number in range(1, 500, 2)), reverse=True)[:20]
    found = [int(shown.key(number)[1:]) * 7919 % 500 for number in map(int, numbers)]
    assert found == active
    for number in map(int, numbers):
        shown.set_world(number, WORLD)
    assert shown.find_outdated(WORLD, 20)[1] == 230


def test_what_it_takes_of_memory():
    """The arrays' part of what docs/concepts/architecture.md says of a user; the rest is the id, in two containers."""
    shown = Shown(10_000, 20)
    for number in range(1000):
        put(shown, f"u{number}", *range(20))
    arrays = [value for value in vars(shown).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) / len(arrays[0]) == pytest.approx(126, abs=10)
