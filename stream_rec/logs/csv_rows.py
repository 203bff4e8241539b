"""Tables of comma-separated values: which delimiter they have, and their rows, whatever stands in them.

A row may span lines where a cell is in quotes. A quote that nobody closes costs its line, not the rest of the file.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator

from stream_rec.events.validate import Rejection

DELIMITERS = (",", ";", "\t")


def delimiter_of(header: str) -> str:
    """Return the delimiter of which a header row has most."""
    return max(DELIMITERS, key=header.count)


class Rows:
    """The rows of a table, each with the number of its first line, counted from 1; to be read once."""

    def __init__(self, lines: io.BufferedReader, delimiter: str, limit: int) -> None:
        """Take the lines of a table. ``limit`` is the most bytes of a row."""
        self.number = 0
        """Of the line that was read last."""
        self._lines, self._delimiter, self._limit = lines, delimiter, limit
        self._put_back: deque[bytes | Rejection] = deque()

    def __iter__(self) -> Iterator[tuple[int, list[str] | Rejection]]:
        while (line := self._next()) is not None:
            number = self.number
            if isinstance(line, Rejection):
                yield number, line
            elif not line.isspace():
                yield number, self._row(line)

    def _row(self, line: bytes) -> list[str] | Rejection:
        """Return the cells of the row that begins in ``line``."""
        more: list[bytes | Rejection] = []

        def texts() -> Iterator[str]:
            yield line.decode()
            n_bytes = len(line)
            while (following := self._next()) is not None:
                more.append(following)
                if isinstance(following, Rejection) or (n_bytes := n_bytes + len(following)) > self._limit:
                    return
                yield following.decode()

        try:
            return next(csv.reader(texts(), delimiter=self._delimiter, strict=True))
        except UnicodeDecodeError as error:
            problem = f"{error}: save the file as UTF-8"
        except csv.Error as error:
            problem = f"{error}; a cell that begins with a quote ends with one, and has those in it written twice"
        self._put_back.extendleft(reversed(more))
        self.number -= len(more)
        return Rejection("not_csv", problem)

    def _next(self) -> bytes | Rejection | None:
        """Return the next line, or that it is too long, or None after the last."""
        if self._put_back:
            self.number += 1
            return self._put_back.popleft()
        if not (line := next_line(self._lines, self._limit)):
            return None
        self.number += 1
        return line


def next_line(lines: io.BufferedReader, limit: int) -> bytes | Rejection:
    """Return the next line, or that it has more than ``limit`` bytes; empty after the last.

    A line that is too long is read over in pieces, never taken into memory whole.
    """
    line = lines.readline(limit + 1)
    if len(line) <= limit or line.endswith(b"\n"):
        return line
    n_bytes = len(line)
    while piece := lines.readline(1 << 20):
        n_bytes += len(piece)
        if piece.endswith(b"\n"):
            break
    return Rejection("too_large", f"{n_bytes} bytes, at most {limit} are taken")
