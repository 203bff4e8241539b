"""`stream-rec record`: what stands on the source topics, as a file to replay."""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import click
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from stream_rec.broker.find import reach_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.files import SkippedLines
from stream_rec.cli.interrupt import EXIT_CODE, interrupt_flag
from stream_rec.cli.parameters import Moment
from stream_rec.cli.progress import show_progress
from stream_rec.config import Settings
from stream_rec.errors import FileProblem
from stream_rec.events.validate import Rejection
from stream_rec.logs.recording import SOURCE_TOPICS, RecordPlace, encode_line
from stream_rec.operations.arrival_order import Bound, Offset, Time
from stream_rec.operations.permissions import require_permissions
from stream_rec.operations.record import Recorder, select

SHOWN_S = 0.1


class BoundParam(click.ParamType):
    """Where a range begins or ends: an offset, or a time as of ``Moment``."""

    name = "OFFSET|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Bound:
        """Return the bound."""
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return Offset(int(value))
        return value if isinstance(value, Offset | Time) else Time(Moment().convert(value, param, ctx))


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--topic", "topics", multiple=True, type=click.Choice(SOURCE_TOPICS), help="Only it; may be repeated.")
@click.option("--from", "begin", type=BoundParam(), help="First offset of one topic, or first time. [default: all]")
@click.option(
    "--to", "end", type=BoundParam(), help="First one that is not recorded. [default: what comes from now on]"
)
@click.option("--partition", "partitions", multiple=True, type=click.IntRange(min=0), help="Only it; may be repeated.")
@json_option
@click.pass_obj
def record(
    settings: Settings,
    out: Path,
    topics: tuple[str, ...],
    begin: Bound,
    end: Bound,
    partitions: tuple[int, ...],
    as_json: bool,
) -> None:
    """Write what stands on the source topics to OUT, in the order in which it came: for `replay`, `produce`, tests.

    OUT is JSON lines, packed if it ends with .gz; - is standard output. Times are those of arrival. With no --topic,
    items, rules and profiles come from their first record on, whatever --from says, and items and rules of all
    partitions. Left out are users who asked to be forgotten, and what the pipeline rejects. Exit code 0: all of it is
    there; 1: some records were rejected, and are counted by reason; 130: stopped with Ctrl-C, after what had been read
    was written.
    """
    if as_json and str(out) == "-":
        raise click.UsageError("--json and the recording cannot both go to standard output: name a file")
    selections = select(topics, begin, end, partitions)
    if len(selections) > 1 and (isinstance(begin, Offset) or isinstance(end, Offset)):
        raise click.UsageError("each topic counts its own offsets: give one --topic with them, or times")
    if type(begin) is type(end) and begin is not None and end is not None and begin >= end:
        raise click.UsageError("--from is not before --to")
    settings = reach_broker(settings, os.environ)
    require_permissions(settings.kafka, read=[*selections, "forget"])
    recorder = Recorder(settings.kafka, settings.limits, selections)
    skipped = SkippedLines()

    def skip(place: RecordPlace, rejection: Rejection) -> None:
        where = f"{place.topic}[{place.partition}]@{place.offset}"
        skipped.add(rejection.reason, f"{where}: {rejection.reason}: {rejection.detail}")

    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag())
        stack.enter_context(closing(recorder))
        sink = stack.enter_context(_open(out))
        columns = (
            SpinnerColumn(), TextColumn("recording"), BarColumn(), TaskProgressColumn(),
            TextColumn("{task.fields[records]:,} records"), TimeRemainingColumn(),
        )  # fmt: skip
        progress = stack.enter_context(show_progress(*columns))
        task = progress.add_task("recording", total=recorder.n_offsets, records=0)
        shown_s = 0.0
        for recorded in recorder.read(skip):
            sink.write(encode_line(recorded))
            if time.monotonic() - shown_s > SHOWN_S:
                shown_s = time.monotonic()
                progress.update(task, completed=recorder.n_passed, records=recorder.n_recorded.total())
            if interrupted.is_set():
                break
    _summarize(recorder, skipped, out, is_interrupted=interrupted.is_set(), as_json=as_json)
    code = skipped.report()
    sys.exit(EXIT_CODE if interrupted.is_set() else code)


def _summarize(recorder: Recorder, skipped: SkippedLines, out: Path, *, is_interrupted: bool, as_json: bool) -> None:
    per_topic = ", ".join(f"{n:,} of {topic}" for topic, n in sorted(recorder.n_recorded.items()))
    said = "stopped by Ctrl-C; recorded" if is_interrupted else "recorded"
    said = f"{said} {recorder.n_recorded.total():,} records{': ' if per_topic else ''}{per_topic}"
    if str(out) == "-":
        click.echo(said, err=True)
    else:
        answer(
            as_json,
            said,
            recorded=recorder.n_recorded,
            skipped=skipped.by_reason,
            forgotten=recorder.n_forgotten,
            without_record=recorder.n_without_record,
            is_interrupted=is_interrupted,
        )
    if recorder.n_forgotten:
        click.echo(f"left out {recorder.n_forgotten:,} records of users who asked to be forgotten", err=True)
    if recorder.n_without_record:
        why = "compaction or retention took them, or they belong to transactions"
        click.echo(f"{recorder.n_without_record:,} offsets hold no record: {why}", err=True)


@contextmanager
def _open(out: Path) -> Iterator[IO[bytes]]:
    """Open a file that only its owner may read: users stand in it.

    Raises:
        FileProblem: it cannot be written.
    """
    if str(out) == "-":
        yield cast(IO[bytes], sys.stdout.buffer)
        return
    try:
        with open(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            if out.suffix != ".gz":
                yield file
                return
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
                yield cast(IO[bytes], packed)
    except OSError as error:
        raise FileProblem(f"{out} cannot be written: {error.strerror}") from error
