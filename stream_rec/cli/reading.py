"""How the commands without a broker read items: with their embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.progress import Progress

from stream_rec.cli.files import SkippedLines
from stream_rec.config import Settings
from stream_rec.events.item import Item
from stream_rec.logs.log import read_items, usable
from stream_rec.replay.embedded import EmbeddedItems, embed_items


def load_items(file: Path, settings: Settings, cache: Path, skipped: SkippedLines, progress: Progress) -> EmbeddedItems:
    """Return the items of a file with their embeddings, from ``cache`` where it has them."""
    items = usable(read_items(file, limits=settings.limits), skipped.lines_of(file))
    return embed(items, settings, cache, skipped, progress)


def embed(
    items: Iterable[Item], settings: Settings, cache: Path, skipped: SkippedLines, progress: Progress
) -> EmbeddedItems:
    """Return items with their embeddings, from ``cache`` where it has them."""
    task = progress.add_task(f"embedding ({settings.embedder.encoder})", total=None, done="")
    made = embed_items(
        items,
        settings.embedder,
        settings.limits,
        cache=cache,
        on_progress=lambda done, total: progress.update(task, completed=done, total=total, done=f"{done:,} texts"),
    )
    progress.update(task, visible=bool(made.n_embedded))
    skipped.by_reason.update(made.rejected)
    return made
