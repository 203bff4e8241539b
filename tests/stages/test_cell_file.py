"""Bytes by number in a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream_rec.stages.cell_file import CellFile


def content(cells: CellFile) -> bytes:
    return os.pread(cells._file.fileno(), 1 << 20, 0)


def test_each_number_has_its_value(tmp_path: Path):
    """Shorter and longer ones after one another; none where none was put."""
    cells = CellFile(tmp_path, 100)
    for number in (3, 0, 2000):
        for length in (10, 100, 1, 50):
            cells.put(number, bytes([65 + number % 26]) * length)
    assert [cells.get(number) for number in (3, 0, 2000, 1, 9999)] == [b"D" * 50, b"A" * 50, b"Y" * 50, b"", b""]
    with pytest.raises(ValueError, match="101 bytes, a cell 100"):
        cells.put(0, b"x" * 101)
    cells.close()


def test_what_is_taken_away_is_gone_from_the_disk(tmp_path: Path):
    """So is the end of a longer value before."""
    cells = CellFile(tmp_path, 100)
    cells.put(1, b"to-be-forgotten" * 6)
    cells.put(1, b"short")
    assert b"forgotten" not in content(cells)
    cells.put(2, b"to-be-forgotten")
    cells.blank([2])
    assert b"forgotten" not in content(cells)
    assert (cells.get(1), cells.get(2)) == (b"short", b"")
    cells.close()


def test_no_file_is_left(tmp_path: Path):
    """It has no name from the beginning: a process that is killed leaves nothing."""
    cells = CellFile(tmp_path / "new", 100)
    cells.put(0, b"x")
    assert list((tmp_path / "new").iterdir()) == []
    cells.close()
