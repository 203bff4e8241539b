"""`stream-rec snapshot export|import`: the state of a pipeline to a file, and from there to another cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from stream_rec.broker.find import reach_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.group import Commands
from stream_rec.cli.interrupt import interrupt_flag, stop_if
from stream_rec.cli.progress import show_progress
from stream_rec.config import Settings
from stream_rec.snapshot.file import Manifest, Section
from stream_rec.snapshot.restore import AGAIN, check, require_empty, restore
from stream_rec.snapshot.take import take

SHOWN = 500
"""Records between two looks at the progress bar and at Ctrl-C."""


@click.group(cls=Commands)
def snapshot() -> None:
    """Save the state of a pipeline to a file, and begin another pipeline with it."""


@snapshot.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="While workers run, or with events open: parts of different moments.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    help="Seconds until the last worker must be gone. [default: session_timeout_s, and 3 more]",
)
@json_option
@click.pass_obj
def export(settings: Settings, file: Path, live: bool, wait_s: float | None, as_json: bool) -> None:
    """Write all that the pipeline knows to FILE: users, items, embeddings, lists, and what heads have learned.

    Stop what writes events, let the workers take what is open, and stop them: only then it is of one moment. FILE holds
    what is known of each user: keep it as safe as the topics. Exit code 1: the pipeline is not at rest.
    """
    settings = reach_broker(settings, os.environ)
    with _steps() as step, step("reading", None) as on_read:
        wait_s = settings.worker.session_timeout_s + 3.0 if wait_s is None else wait_s
        manifest = take(settings, file, is_live=live, wait_s=wait_s, on_read=on_read)
    n_bytes = file.stat().st_size
    said = f"wrote {file}, {n_bytes:,} bytes: {_contents(manifest)}"
    answer(as_json, said, file=str(file), bytes=n_bytes, is_live=live, records=_records(manifest))
    if live:
        click.secho("taken live: what was under way is in some of its parts and not in others", fg="yellow", err=True)


@snapshot.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the file and the topics, and write nothing.")
@json_option
@click.pass_obj
def import_(settings: Settings, file: Path, dry_run: bool, as_json: bool) -> None:
    """Write what FILE holds to new, empty topics, before any worker has run on them. Any number of partitions will do.

    FILE is read and checked as a whole before anything is written. What apps have written to `views`, `clicks` and
    `purchases` meanwhile is taken by the first worker. Exit code 1: the topics are not empty, or a worker runs.
    """
    with _steps() as step:
        with step("checking", None) as on_read:
            manifest = check(file, on_read)
        if not as_json:
            click.echo(f"{file}, of {_moment(manifest)}: {_contents(manifest)}")
        facts = {"created_ms": manifest.created_ms, "is_live": manifest.is_live, "records": _records(manifest)}
        settings = reach_broker(settings, os.environ)
        require_empty(settings)
        if dry_run:
            answer(as_json, "can be imported; nothing was written", written=0, **facts)
            return
        try:
            with step("writing", manifest.sections) as on_sent:
                sent = restore(settings, file, on_sent)
        except SystemExit:
            click.secho(f"the topics hold a part of the snapshot: {AGAIN}", fg="red", err=True)
            raise
    n_sent = sum(sent.values())
    answer(as_json, f"wrote {n_sent:,} records; start the workers now", written=n_sent, **facts)


Step = Callable[[str, int], None]


@contextmanager
def _steps() -> Iterator[Callable[[str, dict[str, Section] | None], AbstractContextManager[Step]]]:
    """Show progress on a terminal's stderr, and end at Ctrl-C."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with interrupt_flag() as interrupted, show_progress(*columns) as progress:

        @contextmanager
        def step(what: str, sections: dict[str, Section] | None) -> Iterator[Step]:
            yield _step(what, sections, progress, interrupted)

        yield step


def _step(what: str, sections: dict[str, Section] | None, progress: Progress, interrupted: threading.Event) -> Step:
    tasks, counts, shown = {}, {}, {}

    def advance(section: str, n: int) -> None:
        if section not in tasks:
            tasks[section] = progress.add_task(
                f"{what} {section}", total=sections[section].records if sections else None
            )
            counts[section] = shown[section] = 0
        counts[section] += n
        if not n or counts[section] - shown[section] >= SHOWN:
            stop_if(interrupted)
            progress.update(tasks[section], completed=counts[section])
            shown[section] = counts[section]

    return advance


def _contents(manifest: Manifest) -> str:
    return ", ".join(f"{section.records:,} {name}" for name, section in manifest.sections.items())


def _records(manifest: Manifest) -> dict[str, int]:
    return {name: section.records for name, section in manifest.sections.items()}


def _moment(manifest: Manifest) -> str:
    moment = datetime.fromtimestamp(manifest.created_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{moment}, taken live" if manifest.is_live else moment
