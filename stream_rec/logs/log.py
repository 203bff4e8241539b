"""A log: a file of events or items, read line by line. One JSON object a line, or a table (CSV); plain or gzipped.

What the fields mean is said in ``fields/read.py``. A line that cannot be used is data too: a ``BadLine`` says which
it is and why, and reading goes on. A file that is no log at all is a ``FileProblem``.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, overload

from stream_rec.errors import FileProblem
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.fields.names import ITEM_NEEDS, EventFields, Needs, find_needs, name_missing
from stream_rec.fields.read import (
    Record,
    SourcedRecord,
    read_event_line,
    read_event_row,
    read_item_line,
    read_item_row,
)
from stream_rec.logs.cells import make_row_reader
from stream_rec.logs.critiques import Critiques, make_search, name_queries
from stream_rec.logs.csv_rows import Rows, delimiter_of, next_line
from stream_rec.logs.opening import FORMATS, HEAD_BYTES, find_header, open_file, split_header, unpack

T = TypeVar("T")


class BadLine(NamedTuple):
    """One line that cannot be used."""

    line: int
    """Counted from 1; of a row that spans lines, the first."""
    reason: str
    """A word to count by: one of those of ``events/validate.py``, ``missing_field`` or ``not_csv``."""
    detail: str


class Fields(NamedTuple, Generic[T]):
    """How the records of one kind of log are read."""

    names: tuple[str, ...]
    find_needs: Callable[[Collection[str]], Needs]
    """From the columns of a table to those that it needs."""
    of_line: Callable[[int, bytes], Sequence[T] | Rejection]
    """From the number of a line and its JSON to its records."""
    of_row: Callable[[int, dict[str, Any]], Sequence[T] | Rejection]
    """From the number of a row's first line and its fields to its records."""


class Log(Generic[T]):
    """The records and bad lines of one file, in the order of its lines; to be read once.

    Only one line is in memory at a time.
    """

    def __init__(self, path: Path, fields: Fields[T], limits: InputLimits) -> None:
        """Open a file and look at its beginning.

        Raises:
            FileProblem: there is no such file, or it is no log.
        """
        self.path = path
        self._raw = open_file(path)
        self.bytes_total = os.fstat(self._raw.fileno()).st_size
        self._line = 0
        with self._explain():
            lines = unpack(self._raw, path)
            head = lines.peek(HEAD_BYTES)[:HEAD_BYTES]
        header = find_header(path, head)
        self.header = None if header is None else split_header(header)
        """The names of a table's columns; None for JSON lines."""
        if header is None:
            self._records = self._objects(lines, fields, limits.record_bytes)
            return
        rows = Rows(lines, delimiter_of(header), limits.record_bytes)
        with self._explain():
            columns = _check_header(path, next(iter(rows))[1], fields)
        self._records = self._rows(lines, rows, columns, fields)

    @property
    def bytes_read(self) -> int:
        """How much of the file was read, as it lies on the disk; some hundred lines ahead of the last record."""
        return self.bytes_total if self._raw.closed else self._raw.tell()

    def __iter__(self) -> Iterator[T | BadLine]:
        return self._records

    def __next__(self) -> T | BadLine:
        return next(self._records)

    def close_at_end(self) -> closing[io.BufferedReader]:
        """Return a context at whose end the file is closed, also where it was not read to its end."""
        return closing(self._raw)

    def _objects(self, lines: io.BufferedReader, fields: Fields[T], limit: int) -> Iterator[T | BadLine]:
        with self._raw, self._explain(), lines:
            while line := next_line(lines, limit):
                self._line += 1
                if isinstance(line, bytes) and line.isspace():
                    continue
                made = line if isinstance(line, Rejection) else fields.of_line(self._line, line)
                if isinstance(made, Rejection):
                    yield BadLine(self._line, made.reason, made.detail)
                else:
                    yield from made

    def _rows(
        self, lines: io.BufferedReader, rows: Rows, columns: list[str], fields: Fields[T]
    ) -> Iterator[T | BadLine]:
        read = make_row_reader(columns, fields.names)
        with self._raw, self._explain(), lines:
            for number, cells in rows:
                self._line = rows.number
                if isinstance(cells, list) and len(cells) != len(columns):
                    cells = Rejection("not_csv", f"{len(cells)} cells, the header row has {len(columns)}")
                made = cells if isinstance(cells, Rejection) else fields.of_row(number, read(cells))
                if isinstance(made, Rejection):
                    yield BadLine(number, made.reason, made.detail)
                else:
                    yield from made

    @contextmanager
    def _explain(self) -> Iterator[None]:
        """Say of what cannot be unpacked or read where that is."""
        try:
            yield
        except EOFError as error:
            raise FileProblem(
                f"{self.path} is cut off after line {self._line}: its gzip data has no end; get the whole file again"
            ) from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise FileProblem(
                f"{self.path} is damaged after line {self._line} ({error}); get the file again, or unpack it to see"
            ) from error
        except OSError as error:
            raise FileProblem(
                f"{self.path} cannot be read after line {self._line}: {error.strerror or error}"
            ) from error


class EventLog(Log[Record]):
    """What users did and were shown, as one file has it: events, and searches and impressions among them."""

    def __init__(self, path: Path, limits: InputLimits, received_ms: int, critiques: Critiques) -> None:
        """Open a file, as ``read_events`` does."""
        self.n_critiques: Counter[str] = Counter()
        """How often each critique was read so far."""
        self._query_of, self._id_bytes = name_queries(critiques), limits.id_bytes
        stem = path.name.partition(".")[0]
        fields = Fields(
            EventFields.__struct_fields__,
            find_needs,
            lambda number, line: self._follow(read_event_line(line, f"{stem}-{number}", received_ms, limits)),
            lambda number, row: self._follow(read_event_row(row, f"{stem}-{number}", received_ms, limits)),
        )
        super().__init__(path, fields, limits)

    def _follow(self, read: SourcedRecord | Rejection) -> Sequence[Record] | Rejection:
        """Return an event and, if a critique came of it, that as a search."""
        if isinstance(read, Rejection):
            return read
        record, word = read
        if not isinstance(word, str) or word not in self._query_of or not isinstance(record, LoggedEvent):
            return [record]
        self.n_critiques[word] += 1
        return [record, make_search(record.event, self._query_of[word], self._id_bytes)]


def read_events(path: Path, *, limits: InputLimits, received_ms: int, critiques: Critiques = ()) -> EventLog:
    """Return the events, searches and impressions of a log; iterate to read them.

    A line without ``event_id`` gets one from the file's name and the line's number, so that the same file read twice
    has the same events. Fields that an event does not have are left out.

    Args:
        critiques: An event with one of these as ``source_type`` is followed by a search for what that says.
        received_ms: The time now: events more than ``limits.future_ms`` later are bad lines.

    Raises:
        FileProblem: there is no such file, or it is no log; while iterating: its gzip data is cut off or damaged, or a
            table lacks a column.
    """
    return EventLog(path, limits, received_ms, critiques)


def read_items(path: Path, *, limits: InputLimits) -> Log[Item]:
    """Return the items of a file; iterate to read them. Fields that an ``Item`` does not have are left out.

    Raises:
        FileProblem: as of ``read_events``.
    """
    fields = Fields(
        Item.__struct_fields__,
        lambda names: ITEM_NEEDS,
        lambda number, line: _alone(read_item_line(line, limits)),
        lambda number, row: _alone(read_item_row(row, limits)),
    )
    return Log(path, fields, limits)


@overload
def usable(lines: Log[T], on_bad: Callable[[BadLine], None]) -> Iterator[T]: ...
@overload
def usable(lines: Iterable[T | BadLine], on_bad: Callable[[BadLine], None]) -> Iterator[T]: ...
def usable(lines: Iterable[T | BadLine], on_bad: Callable[[BadLine], None]) -> Iterator[T]:
    """Yield the records of a log; hand its bad lines to ``on_bad``."""
    for line in lines:
        if isinstance(line, BadLine):
            on_bad(line)
        else:
            yield line


def _alone(record: T | Rejection) -> Sequence[T] | Rejection:
    """Return the records of a line that has one."""
    return record if isinstance(record, Rejection) else [record]


def _check_header(path: Path, cells: list[str] | Rejection, fields: Fields[T]) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        FileProblem: some that are needed are missing, or one is there twice.
    """
    if isinstance(cells, Rejection):
        raise FileProblem(f"{path}:1: the header row cannot be read: {cells.detail}; {FORMATS}")
    names = [cell.strip() for cell in cells]
    if lacking := name_missing(names, fields.find_needs(names)):
        raise FileProblem(f"{path}:1: the header row names the columns; {lacking}; {FORMATS}")
    if twice := sorted({name for name in names if name in fields.names and names.count(name) > 1}):
        raise FileProblem(f"{path}:1: the header row names {', '.join(twice)} more than once; remove all but one")
    return names
