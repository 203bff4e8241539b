"""Logs as Parquet files, as pandas, Spark and warehouses write them."""

from __future__ import annotations

import gzip
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from stream_rec.errors import FileProblem
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits
from stream_rec.logs.content import find_content
from stream_rec.logs.log import BadLine, read_events, read_items
from stream_rec.logs.parquet_lines import BATCH_ROWS

NOW_MS = 1_800_000_000_000
LIMITS = InputLimits()
AT = datetime(2024, 5, 1, 12, 0, 0, 250_000, UTC)
AT_MS = 1_714_564_800_250


def write(path: Path, columns: dict[str, Any]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def events_of(path: Path) -> list[Any]:
    return list(read_events(path, limits=LIMITS, received_ms=NOW_MS))


def clicks(n: int, **columns: Any) -> dict[str, Any]:
    return {
        "event_type": ["click"] * n,
        "user_id": [f"u{number}" for number in range(n)],
        "item_id": [f"i{number}" for number in range(n)],
        "timestamp_ms": [AT_MS + number for number in range(n)],
    } | columns


@pytest.mark.parametrize(
    "times",
    [
        pa.array([AT], pa.timestamp("ns", "UTC")),
        pa.array([AT], pa.timestamp("us", "Europe/Vienna")),
        pa.array([AT.replace(tzinfo=None)], pa.timestamp("us")),
        pa.array([AT.timestamp()]),
        pa.array([AT.isoformat()]),
    ],
    ids=str,
)
def test_a_time_is_a_time_however_it_is_stored(tmp_path: Path, times: pa.Array):
    """To the millisecond; without a zone it is UTC, as everywhere."""
    columns = clicks(1, timestamp=times)
    del columns["timestamp_ms"]

    [read] = events_of(write(tmp_path / "log.parquet", columns))

    assert (read.event.event_id, read.event.timestamp_ms) == ("log-1", AT_MS)


def test_a_date_is_its_beginning(tmp_path: Path):
    """As a table of days has it."""
    columns = clicks(1, timestamp=pa.array([date(2024, 5, 1)]))
    del columns["timestamp_ms"]

    [read] = events_of(write(tmp_path / "log.parquet", columns))

    assert read.event.timestamp_ms == 1_714_521_600_000


def test_ids_that_are_numbers_are_read_as_texts(tmp_path: Path):
    """As in CSV; a number with a fraction is no id."""
    columns = clicks(1, user_id=[17], item_id=pa.array([4], pa.int32()), value=[Decimal("24.90")])
    [read] = events_of(write(tmp_path / "log.parquet", columns))
    assert (read.event.user_id, read.event.item_id, read.event.value) == ("17", "4", 24.9)

    [refused] = events_of(write(tmp_path / "bad.parquet", clicks(1, user_id=[17.5])))
    assert isinstance(refused, BadLine) and (refused.line, refused.reason) == (1, "wrong_type")


def test_what_is_missing_is_not_there(tmp_path: Path):
    """Null, and the NaN that pandas makes of it; columns with a dot go into their object."""
    columns = clicks(2, value=[1.5, float("nan")], **{"context.device": ["phone", None]})
    first, second = events_of(write(tmp_path / "log.parquet", columns))

    assert (first.event.value, first.event.context) == (1.5, {"device": "phone"})
    assert (second.event.value, second.event.context) == (None, {})


def test_items_have_lists_and_objects(tmp_path: Path):
    """Of Parquet's own kinds: lists, structs and maps."""
    columns = {
        "item_id": ["tea"],
        "title": pa.array(["Tea"]).dictionary_encode(),
        "tags": [["hot", "green"]],
        "attributes": pa.array([[("brand", "Pott")]], pa.map_(pa.string(), pa.string())),
        "relations.goes_with": [[3, 4]],
        "available": [False],
    }
    path = write(tmp_path / "items.parquet", columns)

    assert find_content(path, limits=LIMITS) == "items"
    assert list(read_items(path, limits=LIMITS)) == [
        Item("tea", "Tea", tags=["hot", "green"], attributes={"brand": "Pott"}, relations={"goes_with": ["3", "4"]},
             available=False)
    ]  # fmt: skip


def test_impressions_have_items(tmp_path: Path):
    """With positions that stay numbers."""
    columns = {
        "event_type": ["impression"],
        "user_id": ["ann"],
        "items": [[{"item_id": 7, "position": 2}]],
        "timestamp_ms": [AT_MS],
    }
    [read] = events_of(write(tmp_path / "shown.parquet", columns))

    assert isinstance(read, Impression) and read.items == [ShownItem("7", 2)]


def test_rows_are_read_a_few_at_a_time_and_progress_is_known(tmp_path: Path):
    """A file of any size: over several batches, each row is there once, in order."""
    path = write(tmp_path / "log.parquet", clicks(3 * BATCH_ROWS + 1))
    log = read_events(path, limits=LIMITS, received_ms=NOW_MS)

    read = [record for record in log if isinstance(record, LoggedEvent)]

    assert [record.event.user_id for record in read] == [f"u{number}" for number in range(3 * BATCH_ROWS + 1)]
    assert read[-1].event.event_id == f"log-{3 * BATCH_ROWS + 1}"
    assert log.bytes_read == log.bytes_total == path.stat().st_size


def test_a_damaged_file_is_named(tmp_path: Path):
    """Cut off, it has no columns; packed, it must be unpacked; bytes that are no text are no ids."""
    whole = write(tmp_path / "log.parquet", clicks(9)).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-20])
    with pytest.raises(FileProblem, match=r"cut\.parquet cannot be read as Parquet"):
        events_of(tmp_path / "cut.parquet")

    (tmp_path / "log.parquet.gz").write_bytes(gzip.compress(whole))
    with pytest.raises(FileProblem, match="packed once more"):
        events_of(tmp_path / "log.parquet.gz")

    with pytest.raises(FileProblem, match=r"ids\.parquet cannot be read as Parquet"):
        events_of(write(tmp_path / "ids.parquet", clicks(1, user_id=[b"\xff"])))


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The extra that brings it."""
    path = write(tmp_path / "log.parquet", clicks(1))
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(FileProblem, match=r"pip install 'stream-rec\[parquet\]'"):
        events_of(path)
