"""What commands say of the files that they read: their formats, and what of them could not be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click

from stream_rec.logs.log import BadLine

FORMATS = """\b
Files are JSON lines or CSV, plain or gzipped; docs/reference/formats.md has every
field. An event and an item:
  {"event_type": "view", "user_id": "ann", "item_id": "cup-3",
   "timestamp": "2024-05-01T12:00:00Z"}        on one line
  {"item_id": "cup-3", "title": "Blue cup", "category": "kitchen"}
"""
"""The end of the help of a command that reads events or items."""
NAMED = 5
"""So many are named one by one, and besides the first of each reason."""


class SkippedLines:
    """Counts what was skipped, over all files of a command, and names the first on stderr."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Return whether anything was skipped."""
        return bool(self.by_reason)

    def lines_of(self, file: Path) -> Callable[[BadLine], None]:
        """Return what takes the bad lines of a file."""
        return lambda line: self.add(line.reason, f"{file}:{line.line}: {line.reason}: {line.detail}")

    def add(self, reason: str, message: str) -> None:
        """Count one, and name it if it is one of the first."""
        if self.by_reason.total() < NAMED or not self.by_reason[reason]:
            click.secho(f"skipped {message}", fg="yellow", err=True)
        self.by_reason[reason] += 1

    def report(self) -> int:
        """Say how many there were of each reason; return the exit code that they make."""
        if not self:
            return 0
        total = self.by_reason.total()
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in self.by_reason.most_common())
        click.secho(f"skipped {total:,} bad line{'s' * (total > 1)}: {reasons}", fg="yellow", err=True)
        return 1
