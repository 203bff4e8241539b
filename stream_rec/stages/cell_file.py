"""Bytes by number in a file without a name: more than memory should hold, for as long as the process lives.

Each number has a place of its own, so that a value is overwritten where it stands and nothing has to be tidied up. The
file has holes: what is not written takes no room on the disk. What it holds can be read from Kafka again, so nothing is
made durable, and the kernel takes all of it back when the process ends, however that happens.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stream_rec.catalog.arrays import grow


class CellFile:
    """Values of at most ``cell_bytes`` by number."""

    def __init__(self, directory: Path, cell_bytes: int) -> None:
        """Open the file, empty."""
        directory.mkdir(parents=True, exist_ok=True)
        self.cell_bytes = cell_bytes
        self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        self._lengths = np.zeros(0, dtype=np.int32)

    def put(self, number: int, value: bytes) -> None:
        """Set a value; what was longer before is gone from the disk as well.

        Raises:
            ValueError: it is longer than a cell.
            OSError: the disk is full.
        """
        if len(value) > self.cell_bytes:
            raise ValueError(f"value has {len(value)} bytes, a cell {self.cell_bytes}")
        self._lengths = grow(self._lengths, number + 1)
        before = int(self._lengths[number])
        os.pwrite(self._file.fileno(), value.ljust(before, b"\0"), number * self.cell_bytes)
        self._lengths[number] = len(value)

    def get(self, number: int) -> bytes:
        """Return a value, empty where there is none."""
        if number >= len(self._lengths) or not (length := int(self._lengths[number])):
            return b""
        return os.pread(self._file.fileno(), length, number * self.cell_bytes)

    def blank(self, numbers: Iterable[int]) -> None:
        """Take values away, from the disk too."""
        for number in numbers:
            self.put(number, b"")

    def close(self) -> None:
        """Give up all of it."""
        self._file.close()
