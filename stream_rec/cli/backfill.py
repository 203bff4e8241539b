"""`stream-rec backfill`: load a history before or while live events flow."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from stream_rec.broker.find import reach_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.critiques import critiques_option, name_unused
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import EXIT_CODE, interrupt_flag
from stream_rec.cli.progress import show_progress
from stream_rec.config import Settings
from stream_rec.fields.read import Record, split_record
from stream_rec.logs.log import BadLine, EventLog, read_events
from stream_rec.operations.backfill import Backfill, Fate
from stream_rec.operations.stall_timeout import StallTimeout

SHOW_S = 0.1


@click.command(epilog=FORMATS)
@click.option("--events", "file", required=True, type=click.Path(path_type=Path), help="Events: JSON lines or CSV.")
@click.option("--limit", type=click.IntRange(min=1), help="Look at only the first so many events. [default: all]")
@click.option(
    "--behind",
    default=100,
    type=click.IntRange(min=0),
    help="Send nothing while the workers are more than so many records behind; 0: never wait for them.",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many a second. [default: any]")
@critiques_option
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@json_option
@click.pass_obj
def backfill(
    settings: Settings,
    file: Path,
    limit: int | None,
    behind: int,
    rate: float | None,
    critiques: Mapping[str, str],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send the events of a log that are not on the topics yet, without making those that are live wait.

    The same event is one with the same user and event_id; what the topics hold is read first, and followed. So it can
    be stopped and run again, and the log may reach into what is live. Events keep their own time. Those from
    before a user was forgotten (`forget`, as long as that is kept) are left out.

    Exit code 0: all that was missing was sent; 1: some lines were bad, or the broker did not take something;
    130: stopped with Ctrl-C, after what had been sent was acknowledged.
    """
    received_ms = time.time_ns() // 1_000_000
    records = read_events(file, limits=settings.limits, received_ms=received_ms, critiques=critiques)
    settings = reach_broker(settings, os.environ)
    skipped = SkippedLines()
    began = time.monotonic()
    sender = Backfill(settings, file.name, most_behind=behind, most_per_s=rate or float("inf"), is_dry=dry_run)
    with interrupt_flag() as interrupted, closing(sender):
        try:
            with _progress() as progress:
                _read_topics(sender, progress, interrupted)
                _send_all(sender, _History(records, file, limit, skipped), progress, interrupted)
        finally:
            how = _How(time.monotonic() - began, dry_run, interrupted.is_set(), as_json)
            _summarize(sender, skipped, how)
    if interrupted.is_set():
        sys.exit(EXIT_CODE)
    name_unused(critiques, records.n_critiques)
    if skipped:
        sys.exit(1)


def _progress() -> Progress:
    return show_progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[done]}"), TimeRemainingColumn(),
    )  # fmt: skip


def _read_topics(sender: Backfill, progress: Progress, interrupted: threading.Event) -> None:
    """Take in what the topics hold.

    Raises:
        BrokerUnavailable: reading came no further for 30 s.
    """
    task = progress.add_task("reading topics", total=None, done="")
    stall_timeout = StallTimeout("the topics of events", "their")
    while not sender.existing.is_ready and not interrupted.is_set():
        sender.existing.follow(0.2)
        stall_timeout.check(sender.existing.reached)
        progress.update(task, done=f"{len(sender.existing):,} events")
    progress.remove_task(task)


@dataclass(frozen=True)
class _History:
    """The events to send."""

    records: EventLog
    file: Path
    limit: int | None
    skipped: SkippedLines

    def __iter__(self) -> Iterator[Record | None]:
        """Yield the first ``limit`` usable records, and None for each line that is skipped."""
        on_bad = self.skipped.lines_of(self.file)
        n_events = 0
        for record in self.records:
            if n_events == self.limit:
                break
            if isinstance(record, BadLine):
                on_bad(record)
                yield None
            else:
                n_events += 1
                yield record


def _send_all(sender: Backfill, history: _History, progress: Progress, interrupted: threading.Event) -> None:
    records = history.records
    task = progress.add_task("sending", total=records.bytes_total, done="")
    shown = 0.0

    def show() -> None:
        n_sent = sender.fates[Fate.SENT]
        what = f"waiting for workers, {sender.throttle.behind:,} behind" if sender.is_waiting else "sending"
        done = f"{n_sent:,} sent, {sender.fates.total() - n_sent:,} left out"
        progress.update(task, description=what, completed=records.bytes_read, done=done)

    def wait(seconds: float) -> bool:
        show()
        return interrupted.wait(seconds)

    for record in history:
        if interrupted.is_set():
            break
        if record is None:
            continue
        if rejection := sender.check(record):  # as a record, with an id of its own, it is too large
            what = f"{history.file}: {split_record(record)[1].event_id}"
            history.skipped.add("not_sendable", f"{what}: {rejection.reason}: {rejection.detail}")
            continue
        sender.take(record, wait)
        if time.monotonic() - shown > SHOW_S:
            show()
            shown = time.monotonic()
    if not interrupted.is_set():
        sender.flush(wait)


@dataclass(frozen=True)
class _How:
    """How it went, and how to say it."""

    took_s: float
    is_dry: bool
    is_interrupted: bool
    as_json: bool


def _summarize(sender: Backfill, skipped: SkippedLines, how: _How) -> None:
    n_sent = sender.fates[Fate.SENT]
    per_topic = ", ".join(f"{n:,} to {topic}" for topic, n in sorted(sender.sent.items()))
    what = "stopped by Ctrl-C; " if how.is_interrupted else ""
    what += f"would send {n_sent:,} events" if how.is_dry else f"sent {n_sent:,} events in {how.took_s:.1f} s"
    parts = [f"{what}{': ' if per_topic else ''}{per_topic}"]
    parts += [f"{sender.fates[Fate.EXISTING]:,} were already there"]
    if n_forgotten := sender.fates[Fate.FORGOTTEN]:
        parts += [f"{n_forgotten:,} left out, of users who were forgotten"]
    facts = {"is_dry_run": how.is_dry, "took_s": round(how.took_s, 3), "is_interrupted": how.is_interrupted}
    facts |= {"existing": sender.fates[Fate.EXISTING], "forgotten": n_forgotten}
    answer(how.as_json, "; ".join(parts), sent=sender.sent, skipped=skipped.by_reason, **facts)
    skipped.report()
