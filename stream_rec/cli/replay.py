"""`stream-rec replay`: lists for a log without a broker."""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream_rec.config import Settings, overridden
from stream_rec.embedding.encoder import build
from stream_rec.embedding.stage import embed
from stream_rec.errors import FileProblem
from stream_rec.events.item import Item
from stream_rec.replay.log import BadLine, read_events, read_items, usable
from stream_rec.replay.pipeline import Pipeline

ITEMS_AT_ONCE = 256


@click.command()
@click.option("--items", "items_file", required=True, type=click.Path(path_type=Path), help="Items, JSONL or .gz.")
@click.option("--events", "events_file", required=True, type=click.Path(path_type=Path), help="Events, JSONL or .gz.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the lists go; - is standard output.")
@click.option("--limit", type=click.IntRange(min=1), help="Events to take. [default: all]")
@click.option("--seed", type=int, help="Of every random choice. [default: setting ranking.seed]")
@click.option("--encoder", help="As of `embedder`. [default: setting embedder.encoder]")
@click.pass_obj
def replay(
    settings: Settings,
    items_file: Path,
    events_file: Path,
    out: Path,
    limit: int | None,
    seed: int | None,
    encoder: str | None,
) -> None:
    """Run a log through the same core without a broker, event by event, one list for each event.

    The same input, settings and seed give the same bytes. Lines that cannot be used are counted by reason on stderr
    and make the exit code 1.
    """
    settings = overridden(settings, {"ranking.seed": seed, "embedder.encoder": encoder})
    pipeline = Pipeline(settings)
    bad: Counter[str] = Counter()

    def on_bad(line: BadLine) -> None:
        if not bad[line.reason]:
            click.echo(f"line {line.line} not used: {line.reason}: {line.detail}", err=True)
        bad[line.reason] += 1

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        items = list(usable(read_items(items_file, limits=settings.limits), on_bad))
        _load_items(pipeline, settings, items, progress)
        with _opened(out) as sink:
            log = read_events(events_file, limits=settings.limits, received_ms=time.time_ns() // 1_000_000)
            events = usable(log, on_bad)
            for kind, event in progress.track(itertools.islice(events, limit), total=limit, description="events"):
                user = pipeline.learn(kind, event)
                sink.write(msgspec.json.encode(pipeline.list_for(kind, event, user)) + b"\n")
    for reason, count in sorted(bad.items()):
        click.echo(f"{count} lines not used: {reason}", err=True)
    sys.exit(1 if bad else 0)


def _load_items(pipeline: Pipeline, settings: Settings, items: list[Item], progress: Progress) -> None:
    """Put the items and their embeddings into the catalog."""
    encoder = build(settings.embedder)
    task = progress.add_task(f"embedding ({encoder.identity})", total=len(items))
    for at in range(0, len(items), ITEMS_AT_ONCE):
        part = items[at : at + ITEMS_AT_ONCE]
        for item in part:
            pipeline.catalog.put_item(item)
        records = [(item.item_id.encode(), msgspec.json.encode(item)) for item in part]
        for item_id, embedding in embed(records, {}, encoder, settings.limits).embeddings:
            pipeline.catalog.put_embedding(item_id, embedding)
        progress.advance(task, len(part))


def _opened(out: Path) -> IO[bytes]:
    if str(out) == "-":
        return click.open_file("-", "wb")
    try:
        return out.open("wb")
    except OSError as error:
        raise FileProblem(f"{out} cannot be written: {error.strerror}") from error
