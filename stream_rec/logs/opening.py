"""Opening a file that should be a log: unpacked, seen to be text, and its header row where it is a table."""

from __future__ import annotations

import codecs
import gzip
import io
from pathlib import Path

from stream_rec.errors import FileProblem
from stream_rec.fields.names import EVENT_NEEDS, ITEM_NEEDS, is_near
from stream_rec.logs.csv_rows import delimiter_of
from stream_rec.logs.parquet_lines import MAGIC, ParquetLines

GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 4096
"""How much of a file is looked at before it is taken for a log. Binary data of this length holds a NUL byte."""
TABLES = {".csv", ".tsv"}
"""Ends of names of tables, before ``.gz``. Others are seen to be tables by their header row."""
PACKED = {
    b"PK\x03\x04": "a ZIP archive, or a spreadsheet: unpack it, or save the sheet as CSV",
    MAGIC: "a Parquet file, packed once more: unpack it with `gunzip`",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it with `zstd -d`",
    b"BZh": "packed with bzip2: unpack it with `bunzip2`",
    b"\xfd7zXZ": "packed with xz: unpack it with `unxz`",
    codecs.BOM_UTF16_LE: "UTF-16: save it as UTF-8, or `iconv -f UTF-16 -t UTF-8`",
    codecs.BOM_UTF16_BE: "UTF-16: save it as UTF-8, or `iconv -f UTF-16 -t UTF-8`",
}
"""What files of other kinds begin with, and what to do."""
FORMATS = "docs/reference/formats.md says what is read"


def open_file(path: Path) -> io.BufferedReader:
    """Return a file of this machine, open for reading.

    Raises:
        FileProblem: there is none, or it is no regular file.
    """
    try:
        if path.is_dir():
            raise FileProblem(f"{path} is a folder; give a file of events or items in it")
        if path.exists() and not path.is_file():
            raise FileProblem(f"{path} is not a regular file; write its content to a file first")
        return path.open("rb")
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror}; give a file that exists") from error


def unpack(raw: io.BufferedReader, path: Path) -> io.BufferedReader:
    """Return the file unpacked, from behind its byte order mark, having looked whether it is text.

    Raises:
        FileProblem: it is not, or empty; the message says what it seems to be.
    """
    lines = raw
    if raw.peek(len(MAGIC)).startswith(MAGIC):
        return io.BufferedReader(ParquetLines(raw, path), 1 << 18)
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


def find_header(path: Path, head: bytes) -> str | None:
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
    cells = split_header(header)
    is_named_so = bool(TABLES.intersection(path.suffixes[-2:]))
    needed = {name for group in (*EVENT_NEEDS, *ITEM_NEEDS) for name in group}
    return header if is_named_so or any(c in needed or is_near(c, n) for c in cells for n in needed) else None


def split_header(header: str) -> list[str]:
    """Return the names in a header row."""
    return [cell.strip().strip('"').strip() for cell in header.split(delimiter_of(header))]
