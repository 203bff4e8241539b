"""What a log holds besides events: searches and impressions, in the order of time, each with its index among events.

They lie in the log's folder. None is ever scored, and nothing that is counted of a log's events counts them.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.spool import SpoolWriter, read_spool
from stream_rec.events.impression import Impression
from stream_rec.events.search import Search
from stream_rec.events.source import Source

RecordT = TypeVar("RecordT", Search, Impression)


class Unscored(NamedTuple, Generic[RecordT]):
    """A search or an impression."""

    user: int
    """The user's number; -1 of one who has no event."""
    record: RecordT


AnyUnscored = Unscored[Search] | Unscored[Impression]


class UnscoredRecords:
    """The searches and impressions of a log that was scanned; there may be none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        is_there = _indices(folder).exists()
        indices, users, sources = (
            np.asarray(np.load(file, mmap_mode="r")) if is_there else np.empty(0)
            for file in (_indices(folder), _users(folder), _sources(folder))
        )
        self.indices: NDArray[np.int64] = indices.astype(np.int64, copy=False)
        """(records,) how many events come before each; ascending."""
        self.users: NDArray[np.int32] = users.astype(np.int32, copy=False)
        """(records,) the user's number; -1 of one who has no event."""
        self.sources: NDArray[np.int8] = sources.astype(np.int8, copy=False)
        """(records,) ``Source`` of each."""

    def count(self, source: Source) -> int:
        """Return how many there are of a source."""
        return int(np.count_nonzero(self.sources == source))

    def cut(self, n_events: int, n_users: int, folder: Path) -> None:
        """Leave in an empty folder those that come before the last of the first events; this one's own has to stay.

        Args:
            n_users: Who have one of these events; of all others nothing is known.
        """
        n = int(np.searchsorted(self.indices, n_events))
        if not n:
            return
        _content(folder).symlink_to(_content(self._folder).resolve())
        np.save(_bounds(folder), np.load(_bounds(self._folder), mmap_mode="r")[:n])
        np.save(_indices(folder), self.indices[:n])
        np.save(_users(folder), np.where(self.users[:n] < n_users, self.users[:n], -1).astype(np.int32))
        np.save(_sources(folder), self.sources[:n])

    def read(self, sources: Collection[Source]) -> Iterator[tuple[int, AnyUnscored]]:
        """Yield those of some sources in order, each with its index, one in memory at a time."""
        if not np.isin(self.sources, list(sources)).any():
            return
        facts = zip(self.indices.tolist(), self.users.tolist(), self.sources.tolist())
        for (index, user, source), record in zip(facts, read_spool(_content(self._folder), _bounds(self._folder))):
            if source in sources:
                yield index, Unscored(user, _DECODERS[source].decode(record))


class UnscoredScan:
    """Takes searches and impressions while a log is first read. Where there are none it leaves no trace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spool: SpoolWriter | None = None
        self._times_ms, self._n_before, self._users, self._sources = array("q"), array("q"), array("i"), array("b")
        self._number_of_user: dict[str, int] = {}

    def take(self, source: Source, record: Search | Impression, n_before: int) -> None:
        """Take the next one of the file, behind so many events of the file."""
        self._spool = self._spool or SpoolWriter(_content(self._folder))
        self._spool.add(msgspec.msgpack.encode(record))
        self._times_ms.append(record.timestamp_ms)
        self._n_before.append(n_before)
        self._users.append(self._number_of_user.setdefault(record.user_id, len(self._number_of_user)))
        self._sources.append(source)

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
        np.save(_sources(self._folder), np.frombuffer(self._sources, np.int8)[order])


def _find_indices(
    times_ms: NDArray[np.int64], unscored_ms: NDArray[np.int64], n_before: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of what is unscored, and the index of the event, in the order of time, that each comes before.

    Args:
        times_ms: (events,) as they stand in the file.
        unscored_ms: (records,) as they stand in the file.
        n_before: (records,) how many events stand before each in the file: of what has one time, this is the order.

    Example:
        A search stands between two events of its own time, another at the end of the file is the oldest of all.

        >>> order, indices = _find_indices(np.array([7, 7]), np.array([7, 3]), np.array([1, 2]))
        >>> order.tolist(), indices.tolist()
        ([1, 0], [0, 1])
    """
    n_events = len(times_ms)
    stands = np.concatenate([2 * np.arange(n_events) + 1, 2 * n_before])
    together = np.lexsort((stands, np.concatenate([times_ms, unscored_ms])))
    is_unscored = together >= n_events
    return together[is_unscored] - n_events, np.cumsum(~is_unscored, dtype=np.int64)[is_unscored]


def _content(folder: Path) -> Path:
    return folder / "unscored.spool"


def _bounds(folder: Path) -> Path:
    return folder / "unscored_bounds.npy"


def _indices(folder: Path) -> Path:
    return folder / "unscored_indices.npy"


def _users(folder: Path) -> Path:
    return folder / "unscored_users.npy"


def _sources(folder: Path) -> Path:
    return folder / "unscored_sources.npy"


_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    Source.SEARCH: msgspec.msgpack.Decoder(Search),
    Source.IMPRESSION: msgspec.msgpack.Decoder(Impression),
}
