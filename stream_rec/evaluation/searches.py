"""The searches of a log: in the order of time, each with its index among the events. They lie in the log's folder.

A search is no event: it is never scored, and nothing that is counted of a log counts it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.spool import SpoolWriter, read_spool
from stream_rec.events.search import Search


class LoggedSearches:
    """The searches of a log that was scanned; there may be none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        names = _indices(folder), _users(folder)
        indices, users = (np.asarray(np.load(file, mmap_mode="r")) if file.exists() else np.empty(0) for file in names)
        self.indices: NDArray[np.int64] = indices.astype(np.int64, copy=False)
        """(searches,) how many events come before each; ascending."""
        self.users: NDArray[np.int32] = users.astype(np.int32, copy=False)
        """(searches,) the user's number; -1 of one who has no event."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.indices)

    def __iter__(self) -> Iterator[Search]:
        """Yield them in order, one in memory at a time."""
        return map(_DECODER.decode, read_spool(_content(self._folder), _bounds(self._folder)) if len(self) else ())


class SearchScan:
    """Takes the searches of a log while it is read for the first time. Where there are none it leaves no trace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spool: SpoolWriter | None = None
        self._times_ms, self._n_before, self._users = array("q"), array("q"), array("i")
        self._number_of_user: dict[str, int] = {}

    def take(self, search: Search, n_before: int) -> None:
        """Take the next search of the file, behind so many events of the file."""
        self._spool = self._spool or SpoolWriter(_content(self._folder))
        self._spool.add(msgspec.msgpack.encode(search))
        self._times_ms.append(search.timestamp_ms)
        self._n_before.append(n_before)
        self._users.append(self._number_of_user.setdefault(search.user_id, len(self._number_of_user)))

    def save(self, times_ms: NDArray[np.int64], number_of_user: Mapping[str, int]) -> None:
        """Put them in order.

        Args:
            times_ms: (events,) times as they stand in the file.
            number_of_user: Of users who have events.
        """
        if self._spool is None:
            return
        order, indices = _find_indices(
            times_ms, *(np.frombuffer(of, np.int64) for of in (self._times_ms, self._n_before))
        )
        self._spool.finish(_bounds(self._folder), order)
        numbers = np.array([number_of_user.get(user_id, -1) for user_id in self._number_of_user], np.int32)
        np.save(_indices(self._folder), indices)
        np.save(_users(self._folder), numbers[np.frombuffer(self._users, np.int32)][order])


def _find_indices(
    times_ms: NDArray[np.int64], search_times_ms: NDArray[np.int64], n_before: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of the searches, and the index of the event, in the order of time, that each comes before.

    Args:
        times_ms: (events,) as they stand in the file.
        search_times_ms: (searches,) as they stand in the file.
        n_before: (searches,) how many events stand before each in the file: of what has one time, this is the order.

    Example:
        A search stands between two events of its own time, another at the end of the file is the oldest of all.

        >>> order, indices = _find_indices(np.array([7, 7]), np.array([7, 3]), np.array([1, 2]))
        >>> order.tolist(), indices.tolist()
        ([1, 0], [0, 1])
    """
    n_events = len(times_ms)
    stands = np.concatenate([2 * np.arange(n_events) + 1, 2 * n_before])
    together = np.lexsort((stands, np.concatenate([times_ms, search_times_ms])))
    is_search = together >= n_events
    return together[is_search] - n_events, np.cumsum(~is_search, dtype=np.int64)[is_search]


def _content(folder: Path) -> Path:
    return folder / "searches.spool"


def _bounds(folder: Path) -> Path:
    return folder / "search_bounds.npy"


def _indices(folder: Path) -> Path:
    return folder / "search_indices.npy"


def _users(folder: Path) -> Path:
    return folder / "search_users.npy"


_DECODER = msgspec.msgpack.Decoder(Search)
