"""An inverted index: which items have which keys, such as words, and how often. Updated in place by one owner.

Every list is sorted and holds what is there now, nothing stale: an item that comes again changes what differs. So the
same items give the same lists, whatever was put, changed and deleted before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.count_lists import CountLists, empty_lists, ensure_lists, pack, remove, replace, set_count
from stream_rec.kernel import kernel


class InvertedIndex:
    """Keys of items by catalog row, and the rows by key.

    Example:
        >>> index = InvertedIndex()
        >>> index.put(0, {"tea": 2, "pot": 1})
        >>> index.put(3, {"tea": 1})
        >>> index.rows_of("tea").tolist(), index.rows_of("cup").tolist()
        ([0, 3], [])
        >>> index.delete(0)
        >>> index.rows_of("tea").tolist(), len(index)
        ([3], 1)
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.ids: dict[str, int] = {}
        """By key; for reading. An id is given to another key when no item has its key any more."""
        self._keys: list[str] = []
        """By id."""
        self._free: list[int] = []
        self.postings = empty_lists()
        """By id of a key, the rows of the items that have it and how often; for reading."""
        self.entries = empty_lists()
        """By row, the ids of its item's keys and how often it has them: the same turned round."""

    def __len__(self) -> int:
        """Return the number of distinct keys that items have."""
        return len(self.ids)

    @property
    def n_bytes(self) -> int:
        """Memory of all arrays; a key costs some 120 bytes besides."""
        return sum(array.nbytes for array in (*self.postings, *self.entries))

    def put(self, row: int, counts: Mapping[str, int]) -> None:
        """Give an item these keys in place of those that it had; counts from 1 to ``count_lists.MOST``."""
        try:
            ids = list(map(self.ids.__getitem__, counts))
        except KeyError:
            ids = list(map(self._id_of, counts))
            self.postings = ensure_lists(self.postings, len(self._keys))
        self.entries = ensure_lists(self.entries, row + 1)
        self._exchange(row, np.array(ids, dtype=np.int32), np.array(list(counts.values()), dtype=np.uint8))

    def delete(self, row: int) -> None:
        """Take all keys from an item, if it has any."""
        if row < len(self.entries.sizes) and self.entries.sizes[row]:
            self._exchange(row, _NO_IDS, _NO_COUNTS)

    def key_of(self, number: int) -> str:
        """Return the key that has an id now."""
        return self._keys[number]

    def keys_of(self, row: int) -> NDArray[np.int32]:
        """Return the ids of an item's keys, (w,), ascending; to be read before the next change."""
        if row >= len(self.entries.sizes):
            return _NO_IDS
        start = self.entries.starts[row]
        return self.entries.numbers[start : start + self.entries.sizes[row]]

    def counts_of(self, row: int) -> dict[str, int]:
        """Return an item's keys and how often it has them, ordered by id."""
        ids = self.keys_of(row)
        start = self.entries.starts[row] if len(ids) else 0
        counts = self.entries.counts[start : start + len(ids)].tolist()
        return {self._keys[number]: count for number, count in zip(ids.tolist(), counts)}

    def rows_of(self, key: str) -> NDArray[np.int32]:
        """Return the rows of the items that have a key, (m,), ascending; to be read before the next change."""
        number = self.ids.get(key)
        if number is None:
            return _NO_IDS
        start = self.postings.starts[number]
        return self.postings.numbers[start : start + self.postings.sizes[number]]

    def _exchange(self, row: int, ids: NDArray[np.int32], counts: NDArray[np.uint8]) -> None:
        """Give an item other keys, (w,), with counts, (w,), and forget keys that no item has."""
        order = np.argsort(ids)
        ids, counts = ids[order], counts[order]
        while True:
            missing_postings, missing_entries, emptied = _exchange(self.postings, self.entries, row, ids, counts)
            if missing_postings:
                self.postings = pack(self.postings, missing_postings)
            elif missing_entries:
                self.entries = pack(self.entries, missing_entries)
            else:
                break
        for number in emptied.tolist():
            del self.ids[self._keys[number]]
            self._keys[number] = ""
            self._free.append(number)

    def _id_of(self, key: str) -> int:
        number = self.ids.get(key)
        if number is None:
            if self._free:
                number = self._free.pop()
                self._keys[number] = key
            else:
                number = len(self._keys)
                self._keys.append(key)
            self.ids[key] = number
        return number


_NO_IDS = np.zeros(0, dtype=np.int32)
_NO_COUNTS = np.zeros(0, dtype=np.uint8)


@kernel()
def _exchange(
    postings: CountLists, entries: CountLists, row: int, new_ids: NDArray[np.int32], new_counts: NDArray[np.uint8]
) -> tuple[int, int, NDArray[np.int32]]:
    """Give an item other keys: in its entry, and in the postings of each that differs.

    Args:
        new_ids: (w,) ascending.

    Returns:
        Room missing in postings, and in entries: 0 and 0 when it is done. Else pack, and call again with the same.
        Then ids of keys that no item has now.
    """
    emptied = np.empty(entries.sizes[row], dtype=np.int32)
    n_emptied, new = 0, 0
    start = entries.starts[row]
    for old in range(start, start + entries.sizes[row] + 1):
        is_end = old == start + entries.sizes[row]
        while new < len(new_ids) and (is_end or new_ids[new] <= entries.numbers[old]):
            is_same = not is_end and new_ids[new] == entries.numbers[old] and new_counts[new] == entries.counts[old]
            if not is_same:
                missing = set_count(postings, new_ids[new], row, new_counts[new])
                if missing > 0:
                    return missing, 0, emptied[:0]
            new += 1
        if not is_end and (new == 0 or new_ids[new - 1] != entries.numbers[old]):
            number = entries.numbers[old]
            remove(postings, number, row)
            if postings.sizes[number] == 0:
                emptied[n_emptied] = number
                n_emptied += 1
    missing = replace(entries, row, new_ids, new_counts)
    return 0, missing, emptied[:n_emptied]
