"""`stream-rec replay`: lists for a log without a broker."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import msgspec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from stream_rec.cli.compile import compile_with_progress
from stream_rec.cli.critiques import critiques_option, name_unused
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import end_on_interrupt
from stream_rec.cli.progress import show_progress
from stream_rec.cli.reading import load_items
from stream_rec.config import Settings, override
from stream_rec.errors import FileProblem, SettingsError
from stream_rec.events.impression import Impression
from stream_rec.events.search import Search
from stream_rec.events.slate import Slate
from stream_rec.logs.log import Log, read_events, usable
from stream_rec.logs.recording import read_recording
from stream_rec.pipeline import Pipeline
from stream_rec.replay.embedded import CACHE
from stream_rec.replay.recorded import embed_recorded, replay_recorded
from stream_rec.stop_signals import exit_on_signal

T = TypeVar("T")

SHOWN = 50
"""Events between two looks at the progress bar."""


@click.command(epilog=FORMATS)
@click.option("--items", "items_file", type=click.Path(path_type=Path), help="Items: JSON lines or CSV.")
@click.option("--events", "events_file", type=click.Path(path_type=Path), help="Events, as a log.")
@click.option("--recording", type=click.Path(path_type=Path), help="What `record` wrote, in place of these two.")
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
    """Run a log, or a recording, through the same core without a broker: one list for each thing that a user did.

    The same input, settings and seed give the same bytes. A recording gives the lists of a worker that took one record
    after the other. Lines that cannot be used are counted by reason on stderr and make the exit code 1.
    """
    options = _Options(**flags)
    if options.recording is not None:
        _refuse_beside_recording(options)
    elif options.items_file is None or options.events_file is None:
        raise click.UsageError("give --items and --events, or --recording")
    click.get_current_context().with_resource(exit_on_signal())
    settings = override(settings, {"ranking.seed": options.seed, "embedder.encoder": options.encoder})
    compile_with_progress()
    encodes_queries = options.recording is None or settings.worker.query_encoder != "off"
    pipeline = Pipeline(settings, encodes_queries=encodes_queries)
    skipped = SkippedLines()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with show_progress(*columns, is_kept=True) as progress:
        making = _replay_recording if options.recording is not None else _replay_log
        lists = making(options, settings, pipeline, skipped, progress)
        with _open(options.out) as sink, _open_beside(options.surfaces, settings) as beside:
            for made in lists:
                sink.write(msgspec.json.encode(made) + b"\n")
                if beside is not None:
                    surfaces = pipeline.surfaces_beside(made, pipeline.users[made.user_id])
                    beside.write(msgspec.json.encode(surfaces) + b"\n")
    sys.exit(skipped.report())


def _replay_log(
    options: _Options, settings: Settings, pipeline: Pipeline, skipped: SkippedLines, progress: Progress
) -> Iterator[Slate]:
    """Yield the lists of a log of events, with the items of a file."""
    assert options.items_file is not None and options.events_file is not None
    items = load_items(options.items_file, settings, options.cache, skipped, progress)
    for item in items.items:
        pipeline.catalog.put_item(item)
        if item.item_id in items.embeddings:
            pipeline.catalog.put_embedding(item.item_id, items.embeddings[item.item_id])
    log = read_events(
        options.events_file,
        limits=settings.limits,
        received_ms=time.time_ns() // 1_000_000,
        critiques=options.critiques,
    )
    events = itertools.islice(usable(log, skipped.lines_of(options.events_file)), options.limit)
    for record in _show(events, log, options.limit, progress):
        if isinstance(record, Search):
            yield pipeline.list_for_search(record, pipeline.search(record))
        elif isinstance(record, Impression):
            yield pipeline.list_for_impression(record, pipeline.impress(record))
        else:
            kind, event = record
            yield pipeline.list_for(kind, event, pipeline.learn(kind, event))
    name_unused(options.critiques, log.n_critiques)


def _replay_recording(
    options: _Options, settings: Settings, pipeline: Pipeline, skipped: SkippedLines, progress: Progress
) -> Iterator[Slate]:
    """Yield the lists of a recording, which is read twice: what texts there are, and what came of it."""
    assert options.recording is not None
    texts = usable(read_recording(options.recording, limits=settings.limits), lambda line: None)
    task = progress.add_task(f"embedding ({settings.embedder.encoder})", total=None, done="")
    embedded = embed_recorded(
        texts,
        settings,
        cache=options.cache,
        on_progress=lambda done, total: progress.update(task, completed=done, total=total, done=f"{done:,} texts"),
    )
    progress.update(task, visible=bool(embedded.n_embedded))
    skipped.by_reason.update(embedded.rejected)
    log = read_recording(options.recording, limits=settings.limits)
    records = itertools.islice(usable(log, skipped.lines_of(options.recording)), options.limit)
    yield from replay_recorded(_show(records, log, options.limit, progress), pipeline, embedded.embeddings)


def _refuse_beside_recording(options: _Options) -> None:
    given = {"--items": options.items_file, "--events": options.events_file, "--critiques": options.critiques}
    if named := [name for name, value in given.items() if value]:
        raise click.UsageError(f"a recording has all of it: leave out {' and '.join(named)}")


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What the command is asked for."""

    items_file: Path | None
    events_file: Path | None
    recording: Path | None
    out: Path
    surfaces: Path | None
    limit: int | None
    critiques: Mapping[str, str]
    seed: int | None
    encoder: str | None
    cache: Path


def _show(events: Iterable[T], log: Log[T], limit: int | None, progress: Progress) -> Iterator[T]:
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
