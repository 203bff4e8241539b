"""A log of any size in the order of time: arrays of who did what when, and the events themselves, read one by one.

The first pass numbers users and items and keeps 17 bytes an event; the arrays lie in a folder and are mapped, so that
several processes share them. The second pass reads the log again. Where events are out of order, they are copied to one
file in the folder, from which the second pass takes them in order.
"""

from __future__ import annotations

import hashlib
import mmap
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.validate import InputLimits
from stream_rec.logs.log import BadLine, Log, read_events, usable

ARRAYS = ("times_ms", "users", "items", "kinds")


class LogFile(Struct, frozen=True):
    """A file of events, and how it is read: the same way each time."""

    path: str
    limits: InputLimits
    received_ms: int
    """The time of the evaluation: events more than ``limits.future_ms`` later are bad lines."""
    limit: int | None = None
    """Take the first so many usable lines."""

    def open(self) -> Log[LoggedEvent]:
        """Return all its lines; raises as ``read_events`` does."""
        return read_events(Path(self.path), limits=self.limits, received_ms=self.received_ms)


class _Facts(Struct, frozen=True):
    """What the folder says of the log besides the arrays."""

    file: LogFile
    item_ids: list[str]
    n_users: int
    n_late: int


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
        spool = self.folder / "events.spool"
        n = 0
        for event in self._read_spooled(spool) if spool.exists() else self._read_in_order():
            n += 1
            yield event
        if n != len(self):
            raise FileProblem(f"{self._facts.file.path} has changed: {n} of {len(self)} events are left; start again")

    def _read_in_order(self) -> Iterator[LoggedEvent]:
        return islice(usable(self._facts.file.open(), lambda line: None), len(self))

    def _read_spooled(self, spool: Path) -> Iterator[LoggedEvent]:
        bounds = np.load(self.folder / "bounds.npy", mmap_mode="r")
        with spool.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for start, end in bounds:
                yield LoggedEvent(*_SPOOL.decode(content[start:end]))


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
    log = file.open()
    for kind, event in islice(usable(log, on_bad), file.limit):
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
    by_user, _ = _number_by_first(np.frombuffer(users, np.int32)[order], 0)
    by_item, others = _number_by_first(np.frombuffer(items, np.int32)[order], known)
    columns: tuple[NDArray[Any], ...] = (times[order], by_user, by_item, np.frombuffer(kinds, np.int8)[order])
    for name, values in zip(ARRAYS, columns):
        np.save(folder / f"{name}.npy", values)
    names = list(number_of_item)
    facts = _Facts(
        file=file,
        item_ids=[*item_ids, *(names[old] for old in others)],
        n_users=len(number_of_user),
        n_late=n_late,
    )
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
    ends = array("q", [0])
    with (folder / "events.spool").open("wb") as sink:
        for logged in islice(usable(file.open(), lambda line: None), len(order)):
            ends.append(ends[-1] + sink.write(msgspec.msgpack.encode((int(logged.kind), logged.event))))
    starts_and_ends = np.frombuffer(ends, np.int64)
    np.save(folder / "bounds.npy", np.stack([starts_and_ends[:-1], starts_and_ends[1:]], axis=1)[order])


_SPOOL = msgspec.msgpack.Decoder(tuple[Kind, Interaction])
