"""Who is shown what: the newest published list of each user of one partition as rows of the catalog, bounded.

Users have numbers, which those who come later get again from those who left. When there are too many users, those
leave who have been inactive longest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.world import World, find_outdated

NOTHING, UNHEARD_OF = -1, -2
"""In place of a row: where a list has ended, and for an item that the catalog has never heard of."""
LEAVING = 1024
"""One of so many users leaves when there are too many: finding out who costs time for each user there is."""


class Shown:
    """The lists, by user's number. Changed in place."""

    def __init__(self, most_users: int, n: int) -> None:
        """Begin without users.

        Args:
            n: Items that a list has at most; a longer one makes room for itself.
        """
        self._most_users = most_users
        self._n = n
        self._number_of: dict[bytes, int] = {}
        self._keys: list[bytes] = []
        """By number; empty where it is free."""
        self._free: list[int] = []
        self._rows = np.full((0, n), NOTHING, dtype=np.int32)
        self._lengths = np.zeros(0, dtype=np.int32)
        self._worlds = np.zeros((0, 4), dtype=np.int64)
        self._active_ms = np.zeros(0, dtype=np.int64)
        self._versions = np.zeros(0, dtype=np.int64)
        """Another at each change of a number's list or owner."""
        self._is_stale = np.zeros(0, dtype=bool)
        self._is_live = np.zeros(0, dtype=bool)
        self._last_version = 0
        self.n_left = 0
        """How many users have left because there were too many."""

    def __len__(self) -> int:
        return len(self._number_of)

    def find(self, key: bytes) -> int | None:
        """Return a user's number, or None."""
        return self._number_of.get(key)

    def key(self, number: int) -> bytes:
        """Return the user who has a number, empty where nobody has."""
        return self._keys[number]

    def rows(self, number: int) -> NDArray[np.int32]:
        """Return the rows of a list's items, in the order of the list."""
        return self._rows[number, : self._lengths[number]]

    def active_ms(self, number: int) -> int:
        """Return when the user was last active."""
        return int(self._active_ms[number])

    def version(self, number: int) -> int:
        """Return what changes whenever a number gets another list or user."""
        return int(self._versions[number])

    def is_live(self, number: int) -> bool:
        """Return whether the list was put by who made it, and not found in the topic."""
        return bool(self._is_live[number])

    def put(
        self, key: bytes, rows: Sequence[int] | NDArray[np.int32], *, world: World, active_ms: int, is_live: bool = True
    ) -> tuple[int, list[int]]:
        """Take a user's newest list; return the user's number, and the numbers of those who left for it.

        Args:
            rows: Of its items, ``UNHEARD_OF`` for an item without.
            active_ms: When the user was last active.
        """
        left: list[int] = []
        number = self._number_of.get(key)
        if number is None:
            if len(self._number_of) >= self._most_users:
                left = self._let_leave()
            number = self._free.pop() if self._free else self._new_number()
            self._number_of[key] = number
            self._keys[number] = key
        k = len(rows)
        if k > self._rows.shape[1]:
            more = np.full((len(self._rows), k - self._rows.shape[1]), NOTHING, dtype=np.int32)
            self._rows = np.concatenate([self._rows, more], axis=1)
        self._rows[number, :k] = rows
        self._rows[number, k:] = NOTHING
        self._lengths[number] = k
        self._worlds[number] = (world.encoder, world.n_embedded, world.n_listed, world.rules)
        self._active_ms[number] = active_ms
        self._is_stale[number] = False
        self._is_live[number] = is_live
        self._touch(number)
        return number, left

    def set_world(self, number: int, world: World) -> None:
        """Note that in ``world``, too, this list is the one that would be made."""
        self._worlds[number] = (world.encoder, world.n_embedded, world.n_listed, world.rules)

    def remove(self, key: bytes) -> int | None:
        """Take a user out; return the number that is free now, None where there was no such user."""
        number = self._number_of.pop(key, None)
        if number is not None:
            self._keys[number] = b""
            self._free.append(number)
            self._lengths[number] = 0
            self._rows[number] = NOTHING
            self._is_stale[number] = False
            self._touch(number)
        return number

    def mark(self, is_gone: NDArray[np.bool_], numbers: slice) -> None:
        """Note which of some lists show an item that is gone.

        Args:
            is_gone: (>= rows,) bool by row.
        """
        by_row = np.append(is_gone, [True, False])  # the last two are those of UNHEARD_OF and NOTHING
        self._is_stale[numbers] |= by_row[self._rows[numbers]].any(axis=1)

    def mark_one(self, number: int) -> None:
        """Note that a list shows an item that is gone."""
        self._is_stale[number] = True

    def unmark(self, number: int) -> None:
        """Unmark a list that is being sent without what is gone."""
        self._is_stale[number] = False

    @property
    def n_numbers(self) -> int:
        """Numbers given so far, free ones included."""
        return len(self._keys)

    @property
    def n_stale(self) -> int:
        """Lists that are known to show what is gone."""
        return int(np.count_nonzero(self._is_stale))

    def find_stale(self, *, live_only: bool = False) -> NDArray[np.int64]:
        """Return the numbers of the lists that are known to show what is gone.

        Args:
            live_only: Only of those lists that were put by who made them.
        """
        return np.flatnonzero(self._is_stale & self._is_live if live_only else self._is_stale)

    def find_outdated(self, now: World, most: int) -> tuple[NDArray[np.int64], int]:
        """Return the numbers of lists that should be made anew, the newest active users first, and how many there are.

        Args:
            most: Numbers to return.
        """
        k = len(self._keys)
        is_outdated = find_outdated(self._worlds[:k], self._lengths[:k], now, self._n)
        is_outdated[self._free] = False
        numbers = np.flatnonzero(is_outdated)
        n_outdated = len(numbers)
        if n_outdated > most:
            numbers = numbers[np.argpartition(-self._active_ms[numbers], most)[:most]]
        return numbers[np.argsort(-self._active_ms[numbers], kind="stable")], n_outdated

    def is_outdated(self, number: int, now: World) -> bool:
        """Return whether one list should be made anew."""
        only = slice(number, number + 1)
        return bool(find_outdated(self._worlds[only], self._lengths[only], now, self._n)[0])

    def _new_number(self) -> int:
        number = len(self._keys)
        self._keys.append(b"")
        if number >= len(self._rows):
            self._rows = grow(self._rows, number + 1, fill=NOTHING)
            for name in ("_lengths", "_worlds", "_active_ms", "_versions", "_is_stale", "_is_live"):
                setattr(self, name, grow(getattr(self, name), number + 1))
        return number

    def _touch(self, number: int) -> None:
        self._last_version += 1
        self._versions[number] = self._last_version

    def _let_leave(self) -> list[int]:
        """Take those out who have been inactive longest; return their numbers."""
        n = max(1, self._most_users // LEAVING)
        numbers = np.fromiter(self._number_of.values(), dtype=np.int64, count=len(self._number_of))
        longest = np.argpartition(self._active_ms[numbers], min(n, len(numbers) - 1))[:n]
        left = [int(number) for number in numbers[longest]]
        for number in left:
            self.remove(self._keys[number])
        self.n_left += len(left)
        return left
