"""A Parquet file as the JSON lines that say the same: a column is a field, a null or NaN is a field that is not there.

Written by pandas, Spark, DuckDB or a warehouse, such files have ids as numbers and times as times: both are read as
what they stand for. pyarrow reads them; the extra `parquet` brings it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from stream_rec.errors import FileProblem

MAGIC = b"PAR1"
BATCH_ROWS = 256
OBJECTS = ("context", "attributes", "relations", "vectors")
"""Fields into which ``NAME.KEY`` puts a column."""
TEXTS = {"event_type", "user_id", "item_id", "event_id", "list_id", "query", "surface", "category", "title"}
LISTS_OF_TEXTS = {"items", "tags", "relations"}


class ParquetLines(io.RawIOBase):
    """Reads as a file of JSON lines, one a row. Some hundred rows are in memory at a time."""

    def __init__(self, raw: BinaryIO, path: Path) -> None:
        """Read the file's end, where its columns are named.

        Raises:
            FileProblem: it cannot be read as Parquet, or pyarrow is not installed.
        """
        super().__init__()
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise FileProblem(f"{path} is a Parquet file: pip install 'stream-rec[parquet]' to read it") from error
        self._path = path
        self._broken = (pyarrow.ArrowException, OSError)
        try:
            self._lines = self._encode(pyarrow.parquet.ParquetFile(raw))
        except self._broken as error:
            raise self._problem(error) from error
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Put the next bytes into a buffer; return how many, 0 at the end.

        Raises:
            FileProblem: the file is damaged.
        """
        if not self._rest:
            try:
                self._rest = memoryview(next(self._lines, b""))
            except self._broken as error:
                raise self._problem(error) from error
        target = memoryview(buffer).cast("B")
        n_bytes = min(len(target), len(self._rest))
        target[:n_bytes] = self._rest[:n_bytes]
        self._rest = self._rest[n_bytes:]
        return n_bytes

    def _problem(self, error: Exception) -> FileProblem:
        return FileProblem(f"{self._path} cannot be read as Parquet ({error}); get the file again, or write it anew")

    def _encode(self, file: Any) -> Iterator[bytes]:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            columns = {name: _readable(batch.column(name)) for name in batch.schema.names}
            for number in range(batch.num_rows):
                row = _row({name: values[number] for name, values in columns.items()})
                yield msgspec.json.encode(row) + b"\n"


def _readable(column: Any) -> list[Any]:
    """Return the values of a column, times to the millisecond and bytes as text."""
    import pyarrow

    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("ms", column.type.tz), safe=False)
    elif pyarrow.types.is_binary(column.type) or pyarrow.types.is_large_binary(column.type):
        column = column.cast(pyarrow.string())
    values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    return values


def _row(cells: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a row."""
    fields: dict[str, Any] = {}
    for name, cell in cells.items():
        if cell is None or cell != cell:
            continue
        of, _, key = name.partition(".")
        value = _value(cell, is_text=name in TEXTS or of in LISTS_OF_TEXTS)
        if key and of in OBJECTS:
            fields.setdefault(of, {})[key] = value
        else:
            fields[name] = value
    return fields


def _value(cell: Any, *, is_text: bool) -> Any:
    """Return a cell as JSON has it.

    Args:
        is_text: Whether a whole number stands for a text, as ids do.
    """
    match cell:
        case datetime():
            return cell.replace(tzinfo=cell.tzinfo or UTC).isoformat()
        case date():
            return f"{cell.isoformat()}T00:00:00Z"
        case Decimal():
            return float(cell)
        case bool() | float():
            return cell
        case int():
            return str(cell) if is_text else cell
        case list():
            return [_value(one, is_text=is_text) for one in cell]
        case dict():
            there = {key: one for key, one in cell.items() if one is not None}
            return {key: _value(one, is_text=is_text and key != "position") for key, one in there.items()}
    return cell
