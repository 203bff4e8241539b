"""How the commands without a broker read files: items with their embeddings, and what cannot be used counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from rich.progress import Progress

from stream_rec.config import Settings
from stream_rec.replay.embedded import EmbeddedItems, embedded
from stream_rec.replay.log import BadLine, read_items, usable


class Unused:
    """Counts by reason what could not be used, and shows the first of each reason."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter()

    def __call__(self, line: BadLine) -> None:
        """Take one line of a file."""
        if not self.by_reason[line.reason]:
            click.echo(f"line {line.line} not used: {line.reason}: {line.detail}", err=True)
        self.by_reason[line.reason] += 1

    def report(self) -> int:
        """Say how many there were of each reason; return the exit code that they make."""
        for reason, count in sorted(self.by_reason.items()):
            click.echo(f"{count} lines not used: {reason}", err=True)
        return 1 if self.by_reason else 0


def load_items(file: Path, settings: Settings, cache: Path, unused: Unused, progress: Progress) -> EmbeddedItems:
    """Return the items of a file with their embeddings, from ``cache`` where they are there."""
    items = usable(read_items(file, limits=settings.limits), unused)
    task = progress.add_task(f"embedding ({settings.embedder.encoder})", total=None, done="")
    made = embedded(
        items,
        settings.embedder,
        settings.limits,
        cache=cache,
        on_progress=lambda done, total: progress.update(task, completed=done, total=total, done=f"{done:,} texts"),
    )
    progress.update(task, visible=bool(made.n_embedded))
    unused.by_reason.update(made.rejected)
    return made
