"""A log of any size in the order of time: arrays of who did what when, and the events themselves, read one by one.

The first pass numbers users and items and keeps 17 bytes an event; the arrays lie in a folder and are mapped, so that
several processes share them. The second pass reads the log again. Where events are out of order, they are copied to one
file in the folder, from which the second pass takes them in order.

Searches and impressions are kept apart (``unscored.py``).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.evaluation.spool import SpoolWriter, read_spool
from stream_rec.evaluation.unscored import UnscoredRecords, UnscoredScan
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.events.validate import InputLimits
from stream_rec.logs.log import BadLine, EventLog, read_events, usable

ARRAYS = ("times_ms", "users", "items", "kinds")


class LogFile(Struct, frozen=True):
    """A file of events, and how it is read: the same way each time."""

    path: str
    limits: InputLimits
    received_ms: int
    """The time of the evaluation: events more than ``limits.future_ms`` later are bad lines."""
    limit: int | None = None
    """Take the first so many usable records."""
    critiques: dict[str, str] = {}
    """As of ``read_events``: query by word."""

    def open(self) -> EventLog:
        """Return all its lines; raises as ``read_events`` does."""
        path = Path(self.path)
        return read_events(path, limits=self.limits, received_ms=self.received_ms, critiques=self.critiques)


class _Facts(Struct, frozen=True):
    """What the folder says of the log besides the arrays."""

    file: LogFile
    item_ids: list[str]
    n_users: int
    n_late: int
    n_critiques: dict[str, int]


class ScannedLog:
    """The usable events of a log by time, ties as they stand in the file. Opened again from its folder when pickled."""

    def __init__(self, folder: Path) -> None:
        facts = msgspec.msgpack.decode((folder / "log.msgpack").read_bytes(), type=_Facts)
        # asarray: elements of np.memmap itself cost ten times as much to take.
        arrays = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ARRAYS}
        self.folder = folder
        self.item_ids = facts.item_ids
        """By item number: those that were given, then others in the order of their first event."""
        self.n_users = facts.n_users
        self.n_late = facts.n_late
        """Events that stand after a later one in the file."""
        self.times_ms, self.users, self.items, self.kinds = (arrays[name] for name in ARRAYS)
        """(n,) int64, int32, int32 and int8. Users are numbered in the order of their first event."""
        self.n_critiques: Mapping[str, int] = facts.n_critiques
        """How often each critique was read, of those that there are."""
        self.unscored = UnscoredRecords(folder)
        self._facts = facts

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.times_ms)

    def __reduce__(self) -> tuple[type[ScannedLog], tuple[Path]]:
        return ScannedLog, (self.folder,)

    def events(self) -> Iterator[LoggedEvent]:
        """Yield the events in the order of the arrays, one in memory at a time.

        Raises:
            FileProblem: the file is not what it was.
        """
        n = 0
        for event in self._read_spooled() if _content(self.folder).exists() else self._read_in_order():
            n += 1
            yield event
        if n != len(self):
            raise FileProblem(f"{self._facts.file.path} has changed: {n} of {len(self)} events are left; start again")

    def _read_in_order(self) -> Iterator[LoggedEvent]:
        return islice(_only_events(self._facts.file), len(self))

    def _read_spooled(self) -> Iterator[LoggedEvent]:
        for record in read_spool(_content(self.folder), _bounds(self.folder)):
            yield LoggedEvent(*_SPOOL.decode(record))


def scan(
    file: LogFile,
    folder: Path,
    *,
    item_ids: Sequence[str],
    on_bad: Callable[[BadLine], None],
    on_progress: Callable[[float], None] = lambda share: None,
) -> ScannedLog:
    """Read a log for the first time, and leave what was learned of it in ``folder``, which must be empty.

    Args:
        item_ids: Items that have their numbers whatever the log says.
        on_progress: Called now and then with the share of the file that was read.

    Raises:
        FileProblem: as of ``read_events``, or there is no usable event.
    """
    number_of_item = {item_id: number for number, item_id in enumerate(item_ids)}
    number_of_user: dict[str, int] = {}
    times_ms, users, items, kinds = array("q"), array("i"), array("i"), array("b")
    unscored = UnscoredScan(folder)
    log = file.open()
    for record in islice(usable(log, on_bad), file.limit):
        if not isinstance(record, LoggedEvent):  # asking for a struct takes five times as long
            source = Source.SEARCH if isinstance(record, Search) else Source.IMPRESSION
            unscored.take(source, record, n_before=len(times_ms))
            continue
        kind, event = record
        times_ms.append(event.timestamp_ms)
        users.append(number_of_user.setdefault(event.user_id, len(number_of_user)))
        items.append(number_of_item.setdefault(event.item_id, len(number_of_item)))
        kinds.append(kind)
        if not len(times_ms) % 1000:
            on_progress(log.bytes_read / max(1, log.bytes_total))
    if not times_ms:
        raise FileProblem(f"{file.path} has no event that can be used; docs/reference/formats.md says what is read")
    times = np.frombuffer(times_ms, np.int64)
    order = np.argsort(times, kind="stable")
    n_late = int(np.count_nonzero(times < np.maximum.accumulate(times)))
    if n_late:
        _spool(file, folder, order)
    known = len(item_ids)
    by_user, user_order = _number_by_first(np.frombuffer(users, np.int32)[order], 0)
    by_item, others = _number_by_first(np.frombuffer(items, np.int32)[order], known)
    columns: tuple[NDArray[Any], ...] = (times[order], by_user, by_item, np.frombuffer(kinds, np.int8)[order])
    for name, values in zip(ARRAYS, columns):
        np.save(folder / f"{name}.npy", values)
    by_old = list(number_of_user)
    unscored.save(times, {by_old[old]: number for number, old in enumerate(user_order)})
    names = list(number_of_item)
    facts = _Facts(
        file=file,
        item_ids=[*item_ids, *(names[old] for old in others)],
        n_users=len(number_of_user),
        n_late=n_late,
        n_critiques=dict(log.n_critiques),
    )
    (folder / "log.msgpack").write_bytes(msgspec.msgpack.encode(facts))
    return ScannedLog(folder)


def cut_log(log: ScannedLog, n_events: int, n_known: int, folder: Path) -> ScannedLog:
    """Return the first events of a log as a log of their own: it knows of nothing that comes after them.

    Args:
        n_known: Items that have their numbers whatever the log says.
        n_events: At least 1. Searches and impressions behind the last of them are left out.
        folder: Takes it; must be empty, and the log's own has to stay.
    """
    for name, values in zip(ARRAYS, (log.times_ms, log.users, log.items, log.kinds)):
        np.save(folder / f"{name}.npy", values[:n_events])
    if _content(log.folder).exists():
        _content(folder).symlink_to(_content(log.folder).resolve())
        np.save(_bounds(folder), np.load(_bounds(log.folder), mmap_mode="r")[:n_events])
    n_users = int(log.users[:n_events].max()) + 1  # by first event
    log.unscored.cut(n_events, n_users, folder)
    n_items = max(n_known, int(log.items[:n_events].max()) + 1)  # others by first event too
    facts = msgspec.structs.replace(log._facts, n_users=n_users, item_ids=log.item_ids[:n_items])
    (folder / "log.msgpack").write_bytes(msgspec.msgpack.encode(facts))
    return ScannedLog(folder)


def digest_log(log: ScannedLog, is_listed: NDArray[np.bool_]) -> str:
    """Return 16 hex digits that tell two logs apart, or the same log with other items to recommend."""
    digest = hashlib.blake2b(digest_size=8)
    for values in (log.times_ms, log.users, log.items, log.kinds, is_listed):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _number_by_first(numbers: NDArray[np.int32], known: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return ``numbers`` with those from ``known`` on counted in the order in which they come, and their old ones."""
    old, first = np.unique(numbers, return_index=True)
    is_new = old >= known
    others = old[is_new][np.argsort(first[is_new])]
    renumbered = np.arange(max(known, int(old[-1]) + 1), dtype=np.int32)
    renumbered[others] = np.arange(known, known + len(others))
    return renumbered[numbers], others


def _spool(file: LogFile, folder: Path, order: NDArray[np.int64]) -> None:
    """Copy the events to one file, as they stand, and where each begins and ends to another, in order of time."""
    sink = SpoolWriter(_content(folder))
    for kind, event in islice(_only_events(file), len(order)):
        sink.add(msgspec.msgpack.encode((int(kind), event)))
    sink.finish(_bounds(folder), order)


def _only_events(file: LogFile) -> Iterator[LoggedEvent]:
    """Return the usable events of a file, as they stand."""
    return (record for record in usable(file.open(), lambda line: None) if isinstance(record, LoggedEvent))


def _content(folder: Path) -> Path:
    return folder / "events.spool"


def _bounds(folder: Path) -> Path:
    return folder / "bounds.npy"


_SPOOL = msgspec.msgpack.Decoder(tuple[Kind, Interaction])
