"""`stream-rec replay`: lists for a log without a broker."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from stream_rec.cli.compile import compile_with_progress
from stream_rec.cli.critiques import critiques_option, name_unused
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import end_on_interrupt, exit_on_signal
from stream_rec.cli.progress import show_progress
from stream_rec.cli.reading import load_items
from stream_rec.config import Settings, override
from stream_rec.errors import FileProblem, SettingsError
from stream_rec.events.impression import Impression
from stream_rec.events.search import Search
from stream_rec.logs.fields import Record
from stream_rec.logs.log import EventLog, read_events, usable
from stream_rec.pipeline import Pipeline
from stream_rec.replay.embedded import CACHE

SHOWN = 50
"""Events between two looks at the progress bar."""


@click.command(epilog=FORMATS)
@click.option("--items", "items_file", required=True, type=click.Path(path_type=Path), help="Items: JSON lines or CSV.")
@click.option("--events", "events_file", required=True, type=click.Path(path_type=Path), help="Events, as a log.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the lists go; - is standard output.")
@click.option(
    "--surfaces", type=click.Path(path_type=Path), help="Where surfaces with `push = true` go, one line a list."
)
@click.option("--limit", type=click.IntRange(min=1), help="Events to take. [default: all]")
@critiques_option
@click.option("--seed", type=int, help="Of every random choice. [default: setting ranking.seed]")
@click.option("--encoder", help="As of `embedder`. [default: setting embedder.encoder]")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="Where embeddings are kept.")
@click.pass_obj
@end_on_interrupt("the lists so far are written, and what was embedded is kept for the next run")
def replay(settings: Settings, /, **flags: Any) -> None:
    """Run a log through the same core without a broker, one list for each event, search or impression.

    The same input, settings and seed give the same bytes. Lines that cannot be used are counted by reason on stderr
    and make the exit code 1.
    """
    options = _Options(**flags)
    click.get_current_context().with_resource(exit_on_signal())
    settings = override(settings, {"ranking.seed": options.seed, "embedder.encoder": options.encoder})
    compile_with_progress()
    pipeline = Pipeline(settings, encodes_queries=True)
    skipped = SkippedLines()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with show_progress(*columns, is_kept=True) as progress:
        items = load_items(options.items_file, settings, options.cache, skipped, progress)
        for item in items.items:
            pipeline.catalog.put_item(item)
            if item.item_id in items.embeddings:
                pipeline.catalog.put_embedding(item.item_id, items.embeddings[item.item_id])
        with _open(options.out) as sink, _open_beside(options.surfaces, settings) as beside:
            log = read_events(
                options.events_file,
                limits=settings.limits,
                received_ms=time.time_ns() // 1_000_000,
                critiques=options.critiques,
            )
            events = itertools.islice(usable(log, skipped.lines_of(options.events_file)), options.limit)
            for record in _show(events, log, options.limit, progress):
                if isinstance(record, Search):
                    user = pipeline.search(record)
                    made = pipeline.list_for_search(record, user)
                elif isinstance(record, Impression):
                    user = pipeline.impress(record)
                    made = pipeline.list_for_impression(record, user)
                else:
                    kind, event = record
                    user = pipeline.learn(kind, event)
                    made = pipeline.list_for(kind, event, user)
                sink.write(msgspec.json.encode(made) + b"\n")
                if beside is not None:
                    beside.write(msgspec.json.encode(pipeline.surfaces_beside(made, user)) + b"\n")
    name_unused(options.critiques, log.n_critiques)
    sys.exit(skipped.report())


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What the command is asked for."""

    items_file: Path
    events_file: Path
    out: Path
    surfaces: Path | None
    limit: int | None
    critiques: Mapping[str, str]
    seed: int | None
    encoder: str | None
    cache: Path


def _show(events: Iterable[Record], log: EventLog, limit: int | None, progress: Progress) -> Iterator[Record]:
    """Yield the events, and show how many there were and how fast."""
    task = progress.add_task("events", total=limit or log.bytes_total, done="")
    began = time.monotonic()
    n = 0
    for n, record in enumerate(events, start=1):
        yield record
        if n % SHOWN == 0:
            rate = n / (time.monotonic() - began)
            progress.update(task, completed=n if limit else log.bytes_read, done=f"{n:,} ({rate:,.0f}/s)")
    progress.update(task, total=max(1, n), completed=max(1, n), done=f"{n:,}")


def _open_beside(out: Path | None, settings: Settings) -> AbstractContextManager[IO[bytes] | None]:
    if out is None:
        return nullcontext()
    if not settings.surfaces.pushed:
        raise SettingsError("--surfaces: no surface has push = true: see docs/guides/surfaces.md")
    return _open(out)


def _open(out: Path) -> IO[bytes]:
    if str(out) == "-":
        return click.open_file("-", "wb")
    try:
        return out.open("wb")
    except OSError as error:
        raise FileProblem(f"{out} cannot be written: {error.strerror}") from error
