"""A spool: records in one file as they came, and in another where each begins and ends, in the order of reading."""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class SpoolWriter:
    """Takes records one by one; in memory it keeps 8 bytes of each."""

    def __init__(self, content: Path) -> None:
        self._sink = content.open("wb")
        self._ends = array("q", [0])

    def add(self, record: bytes) -> None:
        """Take the next record."""
        self._ends.append(self._ends[-1] + self._sink.write(record))

    def finish(self, bounds: Path, order: NDArray[np.int64]) -> None:
        """Write in which order the records are read; nothing can be added then."""
        self._sink.close()
        ends = np.frombuffer(self._ends, np.int64)
        np.save(bounds, np.stack([ends[:-1], ends[1:]], axis=1)[order])


def read_spool(content: Path, bounds: Path) -> Iterator[bytes]:
    """Yield the records, which must not be none, in their order; one in memory at a time."""
    with content.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for start, end in np.load(bounds, mmap_mode="r"):
            yield mapped[start:end]
