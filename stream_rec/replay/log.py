"""A log: a file of events or items, one JSON object a line, plain or gzipped, read line by line.

An event names its kind in ``event_type`` and its time in ``timestamp`` (seconds, or an ISO 8601 date and time) or in
``timestamp_ms``. A line that cannot be used is data too: a ``BadLine`` says which it is and why, and reading goes on.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from stream_rec.errors import FileProblem
from stream_rec.events.interaction import KIND_OF_LABEL, Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.slate import EVERYBODY
from stream_rec.events.validate import InputLimits, Rejection, check_id, check_timestamp

T = TypeVar("T")

GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 4096
"""How much of a file is looked at before it is taken for text. Binary data of this length holds a NUL byte."""
SAMPLE_LINES = 100
"""How many lines may be unusable before a file is taken for something else than a log."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class LoggedEvent(NamedTuple):
    """One usable line of a log of events."""

    kind: Kind
    event: Interaction


class BadLine(NamedTuple):
    """One line that cannot be used. ``reason`` is a word to count by, one of those of ``events/validate.py``."""

    line: int
    """Counted from 1."""
    reason: str
    detail: str


class Log(Generic[T]):
    """The records and bad lines of one file, in the order of its lines; to be read once.

    Only one line is in memory at a time.
    """

    def __init__(self, path: Path, parse: Callable[[int, bytes], T | BadLine], limits: InputLimits) -> None:
        self.path = path
        self._raw = _opened(path)
        self.bytes_total = os.fstat(self._raw.fileno()).st_size
        self._records = self._read(parse, limits.record_bytes)

    @property
    def bytes_read(self) -> int:
        """How much of the file was read, as it lies on the disk; some hundred lines ahead of the last record."""
        return self.bytes_total if self._raw.closed else self._raw.tell()

    def __iter__(self) -> Iterator[T | BadLine]:
        return self._records

    def __next__(self) -> T | BadLine:
        return next(self._records)

    def _read(self, parse: Callable[[int, bytes], T | BadLine], limit: int) -> Iterator[T | BadLine]:
        number = 0
        try:
            with self._raw, _text_lines(self._raw, self.path) as lines:
                while line := lines.readline(limit + 1):
                    number += 1
                    if number == 1:
                        line = line.removeprefix(codecs.BOM_UTF8)
                    if len(line) > limit and not line.endswith(b"\n"):
                        n_bytes = len(line) + _skip_line(lines)
                        yield BadLine(number, "too_large", f"{n_bytes} bytes, at most {limit} are taken")
                    elif not line.isspace():
                        yield parse(number, line)
        except EOFError as error:
            raise FileProblem(
                f"{self.path} is cut off after line {number}: its gzip data has no end; get the whole file again"
            ) from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise FileProblem(
                f"{self.path} is damaged after line {number} ({error}); get the file again, or unpack it to see"
            ) from error
        except OSError as error:
            raise FileProblem(f"{self.path} cannot be read after line {number}: {error.strerror or error}") from error


def read_events(path: Path, *, limits: InputLimits, received_ms: int) -> Log[LoggedEvent]:
    """Return the events of a log; iterate to read them.

    A line without ``event_id`` gets one from the file's name and the line's number, so that the same file read twice
    has the same events. Fields that an ``Interaction`` does not have are left out.

    Args:
        received_ms: The time now: events more than ``limits.future_ms`` later are bad lines.

    Raises:
        FileProblem: there is no such file; while iterating: it is not text, or its gzip data is cut off or damaged.
    """
    stem = path.name.partition(".")[0]

    def parse(number: int, line: bytes) -> LoggedEvent | BadLine:
        logged = _event(line, f"{stem}-{number}", received_ms, limits)
        return BadLine(number, logged.reason, logged.detail) if isinstance(logged, Rejection) else logged

    return Log(path, parse, limits)


def read_items(path: Path, *, limits: InputLimits) -> Log[Item]:
    """Return the items of a file; iterate to read them. Fields that an ``Item`` does not have are left out.

    Raises:
        FileProblem: as of ``read_events``.
    """

    def parse(number: int, line: bytes) -> Item | BadLine:
        item = _decoded(_ITEM, line)
        rejection = item if isinstance(item, Rejection) else check_id("item_id", item.item_id, limits)
        return BadLine(number, rejection.reason, rejection.detail) if rejection else item

    return Log(path, parse, limits)


def usable(lines: Iterable[T | BadLine], on_bad: Callable[[BadLine], None]) -> Iterator[T]:
    """Yield the records of a log; hand its bad lines to ``on_bad``."""
    for line in lines:
        if isinstance(line, BadLine):
            on_bad(line)
        else:
            yield line


def content(path: Path, *, limits: InputLimits) -> Literal["events", "items"]:
    """Return what a file holds: events have a ``user_id`` or an ``event_type``, items have an ``item_id`` and neither.

    Raises:
        FileProblem: as of ``read_events``, or the first lines are neither.
    """
    sample = Log(path, lambda _, line: _decoded(_FIELDS, line), limits)
    first: object = None
    for fields in islice(sample, SAMPLE_LINES):
        first = fields if first is None else first
        if isinstance(fields, dict):
            if "user_id" in fields or "event_type" in fields:
                return "events"
            if "item_id" in fields:
                return "items"
    came = "it is empty" if first is None else getattr(first, "detail", "their objects have neither")
    raise FileProblem(
        f"{path} is not a log: one JSON object a line was expected, with item_id, and user_id and event_type for "
        f"events; in the first {SAMPLE_LINES} lines there is none: {came}"
    )


class _EventLine(Struct):
    """What is read of a line of events."""

    event_type: str
    user_id: str
    item_id: str
    event_id: str | None = None
    timestamp: float | int | str | None = None
    timestamp_ms: int | None = None
    value: float | None = None
    context: dict[str, Any] = {}


_EVENT_LINE = msgspec.json.Decoder(_EventLine)
_ITEM = msgspec.json.Decoder(Item)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _event(text: bytes, default_id: str, received_ms: int, limits: InputLimits) -> LoggedEvent | Rejection:
    line = _decoded(_EVENT_LINE, text)
    if isinstance(line, Rejection):
        return line
    kind = KIND_OF_LABEL.get(line.event_type)
    if kind is None:
        known = ", ".join(KIND_OF_LABEL)
        return Rejection("unknown_event_type", f"event_type {line.event_type[:64]!r}; expected one of: {known}")
    timestamp_ms = line.timestamp_ms if line.timestamp_ms is not None else _milliseconds(line.timestamp)
    if isinstance(timestamp_ms, Rejection):
        return timestamp_ms
    event_id = default_id if line.event_id is None else line.event_id
    rejection = (
        check_id("event_id", event_id, limits)
        or check_id("user_id", line.user_id, limits)
        or check_id("item_id", line.item_id, limits)
        or (Rejection("bad_id", "user_id '*' is the list for everybody") if line.user_id == EVERYBODY else None)
        or check_timestamp(timestamp_ms, received_ms=received_ms, limits=limits)
    )
    return rejection or LoggedEvent(
        kind, Interaction(event_id, line.user_id, line.item_id, timestamp_ms, line.value, line.context)
    )


def _milliseconds(timestamp: float | str | None) -> int | Rejection:
    """Return a time in milliseconds. Seconds are rounded: 1.001 s times 1000 is 1000.9999999999999 in floats."""
    if timestamp is None:
        return Rejection("bad_timestamp", "no time: expected timestamp (seconds, or ISO 8601) or timestamp_ms")
    if not isinstance(timestamp, str):
        try:
            return round(timestamp * 1000)
        except OverflowError:
            return Rejection("bad_timestamp", f"timestamp {timestamp!r} is no time; seconds since 1970 expected")
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return Rejection("bad_timestamp", f"timestamp {timestamp[:64]!r} is neither seconds nor ISO 8601")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - EPOCH) / MILLISECOND)


def _decoded(decoder: msgspec.json.Decoder[T], line: bytes) -> T | Rejection:
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        message = str(error)
        # The only id that msgspec itself finds too short or too long is Item.item_id; reasons as in events/validate.py.
        return Rejection("bad_id" if "length" in message and "`$.item_id`" in message else "wrong_type", message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejection("not_json", str(error))


def _opened(path: Path) -> io.BufferedReader:
    try:
        if path.is_dir():
            raise FileProblem(f"{path} is a folder; give a file of one JSON object a line in it")
        if path.exists() and not path.is_file():
            raise FileProblem(f"{path} is not a regular file; write its content to a file first")
        return path.open("rb")
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror}; give a file that exists") from error


def _text_lines(raw: io.BufferedReader, path: Path) -> io.BufferedReader:
    """Return the file unpacked, having looked whether it is text."""
    lines = raw
    if raw.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        # GzipFile.readline is Python; a reader around it reads lines in C, in 0.6 of the time.
        lines = io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 18)
    if b"\0" in lines.peek(HEAD_BYTES)[:HEAD_BYTES]:
        raise FileProblem(
            f"{path} is not UTF-8 text: it has NUL bytes; one JSON object a line, plain or gzipped, is read"
        )
    return lines


def _skip_line(lines: io.BufferedReader) -> int:
    """Read to the end of the line in pieces and return how many bytes that were."""
    n_bytes = 0
    while piece := lines.readline(1 << 20):
        n_bytes += len(piece)
        if piece.endswith(b"\n"):
            break
    return n_bytes
