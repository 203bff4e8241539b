"""A file of repairs: which rejected record each line stands for, and what to send instead."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from stream_rec.errors import FileProblem
from stream_rec.events.rejected import Origin
from stream_rec.operations.rejections import origin_of, path_of

FILE_BYTES = 64 << 20
"""Largest file of repairs; it is read as a whole."""


class BadRepair(Struct, frozen=True):
    """A line of a file of repairs that cannot be used."""

    line: int
    """Counted from 1."""
    detail: str


def read_repairs(path: Path) -> tuple[dict[Origin, bytes | None], list[BadRepair]]:
    """Return the values of a file by origin, and the lines that cannot be used.

    A line is an object with ``origin`` and ``value``, as `rejected show --json` prints it; its other fields are
    ignored. A ``value`` that is a string is sent as that text, anything else as the JSON that it is, ``null`` as null.

    Raises:
        FileProblem: the file cannot be read, or is larger than 64 MiB.
    """
    try:
        if path.stat().st_size > FILE_BYTES:
            raise FileProblem(f"{path} has more than {FILE_BYTES >> 20} MiB; split it: a part is sent after the other")
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror or error}") from error
    values: dict[Origin, bytes | None] = {}
    bad: list[BadRepair] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            repair = _REPAIR.decode(line)
            origin = origin_of(repair.origin)
            value = bytes_of(repair.value)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            bad.append(BadRepair(number, str(error)))
            continue
        if origin in values:
            bad.append(BadRepair(number, f"{path_of(origin)} stands in an earlier line too; that one is used"))
        else:
            values[origin] = value
    return values, bad


def bytes_of(value: msgspec.Raw) -> bytes | None:
    """Return what to send for a JSON value: the text of a string, nothing for null, else the JSON as it stands.

    Example:
        >>> bytes_of(msgspec.Raw(b'{"a": 1}')), bytes_of(msgspec.Raw(b'"a"')), bytes_of(msgspec.Raw(b"null"))
        (b'{"a": 1}', b'a', None)
    """
    raw = bytes(value).strip()
    if raw == b"null":
        return None
    return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw


class _Repair(Struct):
    origin: str
    value: msgspec.Raw


_REPAIR = msgspec.json.Decoder(_Repair)
