"""A log: a file of events or items, read line by line. One JSON object a line, or a table (CSV); plain or gzipped.

What the fields mean is said in ``logs/fields.py``. A line that cannot be used is data too: a ``BadLine`` says which
it is and why, and reading goes on. A file that is no log at all is a ``FileProblem``.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from stream_rec.errors import FileProblem
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.logs.fields import (
    EVENT_NEEDS,
    ITEM_NEEDS,
    LOOKED_AT,
    EventFields,
    event_of_line,
    event_of_row,
    is_near,
    item_of_line,
    item_of_row,
    missing,
    row_reader,
)
from stream_rec.logs.table import Rows, delimiter_of, next_line

T = TypeVar("T")

GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 4096
"""How much of a file is looked at before it is taken for a log. Binary data of this length holds a NUL byte."""
SAMPLE_LINES = 100
"""How many lines may be unusable before a file is taken for something else than a log."""
TABLES = {".csv", ".tsv"}
"""Ends of names of tables, before ``.gz``. Others are seen to be tables by their header row."""
PACKED = {
    b"PK\x03\x04": "a ZIP archive, or a spreadsheet: unpack it, or save the sheet as CSV",
    b"PAR1": "a Parquet file: write it as JSON lines, with to_json(..., orient='records', lines=True) of pandas",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it with `zstd -d`",
    b"BZh": "packed with bzip2: unpack it with `bunzip2`",
    b"\xfd7zXZ": "packed with xz: unpack it with `unxz`",
    codecs.BOM_UTF16_LE: "UTF-16: save it as UTF-8, or `iconv -f UTF-16 -t UTF-8`",
    codecs.BOM_UTF16_BE: "UTF-16: save it as UTF-8, or `iconv -f UTF-16 -t UTF-8`",
}
"""What files of other kinds begin with, and what to do."""
FORMATS = "docs/reference/formats.md says what is read"


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
    needs: tuple[tuple[str, ...], ...]
    """Groups of names, of each of which one is needed."""
    of_line: Callable[[int, bytes], T | Rejection]
    """From the number of a line and its JSON."""
    of_row: Callable[[int, dict], T | Rejection]
    """From the number of a row's first line and its fields."""


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
        self._raw = _opened(path)
        self.bytes_total = os.fstat(self._raw.fileno()).st_size
        self._line = 0
        with self._explained():
            lines = _text_lines(self._raw, path)
            head = lines.peek(HEAD_BYTES)[:HEAD_BYTES]
        header = _header(path, head)
        self.header = None if header is None else _cells(header)
        """The names of a table's columns; None for JSON lines."""
        if header is None:
            self._records = self._objects(lines, fields, limits.record_bytes)
            return
        rows = Rows(lines, delimiter_of(header), limits.record_bytes)
        with self._explained():
            columns = _checked_header(path, next(iter(rows))[1], fields)
        self._records = self._rows(lines, rows, columns, fields)

    @property
    def bytes_read(self) -> int:
        """How much of the file was read, as it lies on the disk; some hundred lines ahead of the last record."""
        return self.bytes_total if self._raw.closed else self._raw.tell()

    def __iter__(self) -> Iterator[T | BadLine]:
        return self._records

    def __next__(self) -> T | BadLine:
        return next(self._records)

    def closed_at_end(self) -> closing:
        """Return a context at whose end the file is closed, also where it was not read to its end."""
        return closing(self._raw)

    def _objects(self, lines: io.BufferedReader, fields: Fields[T], limit: int) -> Iterator[T | BadLine]:
        with self._raw, self._explained(), lines:
            while line := next_line(lines, limit):
                self._line += 1
                if isinstance(line, bytes) and line.isspace():
                    continue
                record = line if isinstance(line, Rejection) else fields.of_line(self._line, line)
                yield BadLine(self._line, record.reason, record.detail) if isinstance(record, Rejection) else record

    def _rows(
        self, lines: io.BufferedReader, rows: Rows, columns: list[str], fields: Fields[T]
    ) -> Iterator[T | BadLine]:
        read = row_reader(columns, fields.names)
        with self._raw, self._explained(), lines:
            for number, cells in rows:
                self._line = rows.number
                if isinstance(cells, list) and len(cells) != len(columns):
                    cells = Rejection("not_csv", f"{len(cells)} cells, the header row has {len(columns)}")
                record = cells if isinstance(cells, Rejection) else fields.of_row(number, read(cells))
                yield BadLine(number, record.reason, record.detail) if isinstance(record, Rejection) else record

    @contextmanager
    def _explained(self) -> Iterator[None]:
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


def read_events(path: Path, *, limits: InputLimits, received_ms: int) -> Log[LoggedEvent]:
    """Return the events of a log; iterate to read them.

    A line without ``event_id`` gets one from the file's name and the line's number, so that the same file read twice
    has the same events. Fields that an ``Interaction`` does not have are left out.

    Args:
        received_ms: The time now: events more than ``limits.future_ms`` later are bad lines.

    Raises:
        FileProblem: there is no such file, or it is no log; while iterating: its gzip data is cut off or damaged, or a
            table lacks a column.
    """
    stem = path.name.partition(".")[0]
    fields = Fields(
        EventFields.__struct_fields__,
        EVENT_NEEDS,
        lambda number, line: event_of_line(line, f"{stem}-{number}", received_ms, limits),
        lambda number, row: event_of_row(row, f"{stem}-{number}", received_ms, limits),
    )
    return Log(path, fields, limits)


def read_items(path: Path, *, limits: InputLimits) -> Log[Item]:
    """Return the items of a file; iterate to read them. Fields that an ``Item`` does not have are left out.

    Raises:
        FileProblem: as of ``read_events``.
    """
    fields = Fields(
        Item.__struct_fields__,
        ITEM_NEEDS,
        lambda number, line: item_of_line(line, limits),
        lambda number, row: item_of_row(row, limits),
    )
    return Log(path, fields, limits)


def usable(lines: Iterable[T | BadLine], on_bad: Callable[[BadLine], None]) -> Iterator[T]:
    """Yield the records of a log; hand its bad lines to ``on_bad``."""
    for line in lines:
        if isinstance(line, BadLine):
            on_bad(line)
        else:
            yield line


def content(path: Path, *, limits: InputLimits) -> Literal["events", "items"]:
    """Return what a file holds: events have a ``user_id`` or an ``event_type``, items have an ``item_id`` and neither.

    Names that are nearly these will do: reading says what is wrong with them.

    Raises:
        FileProblem: as of ``read_events``, or the first lines are neither.
    """
    first: object = None
    log: Log[Collection[str]] = Log(path, Fields((), (), _names, lambda number, row: row), limits)
    with log.closed_at_end():
        for names in [log.header] if log.header is not None else islice(log, SAMPLE_LINES):
            first = names if first is None else first
            if not isinstance(names, BadLine) and (found := _content(names)):
                return found
    came = first.detail if isinstance(first, BadLine) else f"the first has {', '.join(first or ()) or 'nothing'}"
    raise FileProblem(
        f"{path} is not a log: item_id was expected in each line, and user_id and event_type in those of events; "
        f"in the first {SAMPLE_LINES} lines there is none: {came}; {FORMATS}"
    )


def _content(names: Collection[str]) -> Literal["events", "items"] | None:
    """Return what lines with these fields hold, or None where that cannot be said."""
    if "user_id" in names or "event_type" in names:
        return "events"
    names = list(islice(names, LOOKED_AT))
    near = {field: any(is_near(name, field) for name in names) for field in ("user_id", "item_id", "timestamp")}
    has_time = near["timestamp"] or "timestamp" in names or "timestamp_ms" in names
    if near["user_id"] and (has_time or "item_id" not in names):
        return "events"
    return "items" if near["item_id"] or "item_id" in names else None


def _names(number: int, line: bytes) -> Collection[str] | Rejection:
    try:
        return _OBJECT.decode(line).keys()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejection("not_json", str(error))


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _opened(path: Path) -> io.BufferedReader:
    try:
        if path.is_dir():
            raise FileProblem(f"{path} is a folder; give a file of events or items in it")
        if path.exists() and not path.is_file():
            raise FileProblem(f"{path} is not a regular file; write its content to a file first")
        return path.open("rb")
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror}; give a file that exists") from error


def _text_lines(raw: io.BufferedReader, path: Path) -> io.BufferedReader:
    """Return the file unpacked, from behind its byte order mark, having looked whether it is text."""
    lines = raw
    if raw.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        # GzipFile.readline is Python; a reader around it reads lines in C, in 0.6 of the time.
        lines = io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 18)
    head = lines.peek(HEAD_BYTES)[:HEAD_BYTES]
    for magic, what in PACKED.items():
        if head.startswith(magic):
            raise FileProblem(f"{path} is not UTF-8 text but {what}")
    if b"\0" in head:
        raise FileProblem(f"{path} is not UTF-8 text: it has NUL bytes; {FORMATS}")
    if not head.removeprefix(codecs.BOM_UTF8).strip() and len(head) < HEAD_BYTES:
        raise FileProblem(f"{path} is empty; {FORMATS}")
    if head.startswith(codecs.BOM_UTF8):
        lines.read(len(codecs.BOM_UTF8))
    return lines


def _header(path: Path, head: bytes) -> str | None:
    """Return the header row of a table, or None for JSON lines.

    Raises:
        FileProblem: it is JSON, but not one object a line.
    """
    first = head.lstrip().partition(b"\n")[0].strip()
    if first.startswith(b"["):
        raise FileProblem(
            f"{path} is one JSON array; one object a line is read: `jq -c '.[]' {path.name} > lines.jsonl` makes it so"
        )
    if first == b"{":
        raise FileProblem(
            f"{path} has a JSON object that spans lines; one object a line is read: "
            f"`jq -c . {path.name} > lines.jsonl` makes it so"
        )
    if first.startswith(b"{"):
        return None
    header = first.decode("utf-8", "replace")
    cells = _cells(header)
    is_named_so = bool(TABLES.intersection(path.suffixes[-2:]))
    needed = {name for group in (*EVENT_NEEDS, *ITEM_NEEDS) for name in group}
    return header if is_named_so or any(c in needed or is_near(c, n) for c in cells for n in needed) else None


def _cells(header: str) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in header.split(delimiter_of(header))]


def _checked_header(path: Path, cells: list[str] | Rejection, fields: Fields) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        FileProblem: some that are needed are missing, or one is there twice.
    """
    if isinstance(cells, Rejection):
        raise FileProblem(f"{path}:1: the header row cannot be read: {cells.detail}; {FORMATS}")
    names = [cell.strip() for cell in cells]
    if lacking := missing(names, fields.needs):
        raise FileProblem(f"{path}:1: the header row names the columns; {lacking}; {FORMATS}")
    if twice := sorted({name for name in names if name in fields.names and names.count(name) > 1}):
        raise FileProblem(f"{path}:1: the header row names {', '.join(twice)} more than once; remove all but one")
    return names
