"""`stream-rec rejected list|show|replay`: what was not used, why, and a way to send it again."""

from __future__ import annotations

import heapq
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

import click
from kafka.consumer.fetcher import ConsumerRecord
from msgspec.structs import replace
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn

from stream_rec.broker.find import reach_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.dead_letters import (
    NAMED_SKIPPED,
    escape_unprintable,
    facts_of,
    facts_of_source,
    print_counts,
    print_facts,
    print_newest,
    say_none,
    say_plan,
    say_skipped,
    say_unreadable,
)
from stream_rec.cli.group import Commands
from stream_rec.cli.interrupt import interrupt_flag, stop_if
from stream_rec.cli.parameters import Moment, OriginParam, TopicParam
from stream_rec.cli.progress import show_progress
from stream_rec.config import Settings
from stream_rec.events.rejected import Origin
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.permissions import require_permissions
from stream_rec.operations.rejections import DeadLetter, Filter, RejectionReader, path_of
from stream_rec.operations.repairs import read_repairs
from stream_rec.operations.replay_decision import Chosen, ReplayDecider, ReplayDecision, Resend, Skipped, choose
from stream_rec.operations.resend import BATCH, Resender
from stream_rec.operations.source_records import SourceRecordReader

HARMLESS = frozenset({"superseded"})
"""Reasons for not sending a record that nobody needs to do anything about."""


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which rejections are meant; the command gets them as ``which``."""

    @wraps(command)
    def with_filter(
        *args: Any, topic: str | None, reason: str | None, since: int | None, until: int | None, **others: Any
    ) -> None:
        command(*args, which=Filter(topic=topic, reason=reason, since_ms=since, until_ms=until), **others)

    for option in (
        click.option("--until", type=Moment(), help="Only those rejected before this time. [default: all]"),
        click.option("--since", type=Moment(), help="Only those rejected since: 2h, 7d, 2026-01-31. [default: all]"),
        click.option("--reason", help="Only those with this reason, as bad_timestamp. [default: all]"),
        click.option("--topic", type=TopicParam(), help="Only those that came on this topic. [default: all]"),
    ):
        with_filter = option(with_filter)
    return with_filter


@click.group(cls=Commands)
def rejected() -> None:
    """Look at the records that could not be used, and send them again."""


@rejected.command("list")
@_filters
@click.option("--limit", default=20, type=click.IntRange(min=1), help="Show the newest so many.")
@click.option("--summary", is_flag=True, help="Count all of them by topic and reason instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@click.pass_obj
def list_(settings: Settings, which: Filter, limit: int, summary: bool, as_json: bool) -> None:
    """Print the newest rejected records and why they were not used, the newest first."""
    kafka = reach_broker(settings, os.environ).kafka
    with interrupt_flag() as interrupted, closing(RejectionReader(kafka, _with_prefix(which, kafka))) as reader:
        dead_letters = _read(reader, interrupted)
        newest = heapq.nlargest(limit, dead_letters, key=lambda dead_letter: dead_letter.rejected_ms)
    say_unreadable(reader)
    if not newest:
        say_none(reader, kafka)
    elif summary:
        print_counts(reader.found.counts, as_json)
    elif as_json:
        for dead_letter in newest:
            facts = facts_of(dead_letter, is_replayed=dead_letter.origin in reader.found.replays)
            click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        print_newest(newest, reader)


@rejected.command()
@click.argument("origin", type=OriginParam())
@click.option("--json", "as_json", is_flag=True, help="One JSON object; with its value edited, a line for `replay`.")
@click.pass_obj
def show(settings: Settings, origin: Origin, as_json: bool) -> None:
    """Print all about one rejected record, and the record itself if it is still on its topic.

    ORIGIN is where it stands, TOPIC/PARTITION/OFFSET as `rejected list` prints it. Exit code 1: it was not rejected.
    """
    kafka = reach_broker(settings, os.environ).kafka
    with (
        interrupt_flag() as interrupted,
        closing(RejectionReader(kafka, Filter(origins={origin}))) as reader,
        closing(SourceRecordReader(kafka)) as source_records,
    ):
        dead_letter = next(iter(list(_read(reader, interrupted))), None)
        if dead_letter is None:
            click.echo(
                f"{path_of(origin)} is not on {kafka.topic('rejected')}: it was not rejected, or is no longer kept"
            )
            sys.exit(1)
        source = source_records.find(origin)
    facts = facts_of(dead_letter, is_replayed=origin in reader.found.replays)
    facts["replayed_to"] = None if reader.found.replayed_to is None else path_of(reader.found.replayed_to)
    if source is not None:
        facts |= facts_of_source(source)
        now = _decider(settings, again=False).check(origin, source.key, source.value)
        facts["now"] = "accepted" if now is None else f"{now.reason}: {now.detail}"
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        print_facts(facts, source)


@rejected.command()
@click.argument("origins", type=OriginParam(), nargs=-1, metavar="[ORIGIN]...")
@_filters
@click.option("--file", type=click.Path(path_type=Path), help="Send the values in this file instead: JSON lines.")
@click.option("--value", help="Send this value instead, for the one ORIGIN that is named.")
@click.option("--limit", default=10_000, type=click.IntRange(min=1), help="Look at the oldest so many.")
@click.option("--again", is_flag=True, help="Also those that were sent again before, or are such a second sending.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@json_option
@click.pass_obj
def replay(settings: Settings, /, **flags: Any) -> None:
    """Send rejected records again to their topic: those named, else all that match, unchanged unless a value is given.

    Each is checked first, with the limits in the settings, as the worker does; what would be rejected again is named
    and not sent. A line of --file is {"origin": "views/0/17", "value": {...}}; `show --json` prints one to be edited.

    Exit code 0: all were sent, or had been before; 1: some were not, or would not be; 130: stopped with Ctrl-C.
    """
    wanted = _Wanted(**flags)
    wanted.require_one_choice()
    repairs, n_bad_lines = _read_repairs(wanted)
    settings = reach_broker(settings, os.environ)
    kafka = settings.kafka
    which = _with_prefix(wanted.which, kafka)
    if repairs is not None or wanted.origins:
        which = Filter(origins=set(wanted.origins if repairs is None else repairs))

    with interrupt_flag() as interrupted:
        chosen, unknown = _choose(kafka, which, wanted, interrupted)
        skipped: Counter[str] = Counter()
        ready: list[DeadLetter] = []
        for decision in _decide(chosen.dead_letters, repairs, _decider(settings, wanted.again), interrupted):
            if isinstance(decision, Resend):
                ready.append(decision.dead_letter)
            else:
                say_skipped(skipped, decision)
    for origin in unknown:
        click.secho(f"{path_of(origin)} is not on {kafka.topic('rejected')}", fg="yellow", err=True)
    if not wanted.as_json:
        say_plan(chosen, len(ready), skipped, is_dry=wanted.dry_run)
    is_partial = bool(skipped.keys() - HARMLESS or unknown or n_bad_lines or chosen.n_more)
    sent: Counter[str] = Counter()
    if ready and not wanted.dry_run:
        if not wanted.yes:
            click.confirm(f"send {len(ready):,} records again?", abort=True, err=True)
        is_partial |= not _send(ready, repairs, settings, wanted, sent)
    if wanted.as_json:
        unknown_paths = [path_of(origin) for origin in unknown]
        facts = {"sent": sent, "skipped": skipped, "unknown": unknown_paths, "more": chosen.n_more}
        answer(True, "", ready=len(ready), is_dry_run=wanted.dry_run, **facts)
    if is_partial:
        sys.exit(1)


@dataclass(frozen=True)
class _Wanted:
    """What `replay` is asked for."""

    origins: tuple[Origin, ...]
    which: Filter
    file: Path | None
    value: str | None
    limit: int
    again: bool
    dry_run: bool
    yes: bool
    as_json: bool

    def require_one_choice(self) -> None:
        """Raise ``UsageError`` where records are named in more ways than one."""
        if bool(self.origins) + (self.which != Filter()) + (self.file is not None) > 1:
            raise click.UsageError(
                "ORIGIN, --file and a filter (--topic, --reason, --since, --until) exclude each other"
            )
        if self.value is not None and len(self.origins) != 1:
            raise click.UsageError("--value is for exactly one ORIGIN; --file gives values for several")


def _read_repairs(wanted: _Wanted) -> tuple[dict[Origin, bytes | None] | None, int]:
    """Return the values given by hand, None where none is, and how many lines cannot be used, after naming some."""
    if wanted.value is not None:
        return {wanted.origins[0]: wanted.value.encode("utf-8", "surrogateescape")}, 0
    if wanted.file is None:
        return None, 0
    repairs, bad = read_repairs(wanted.file)
    for line in bad[:NAMED_SKIPPED]:
        click.secho(f"skipped {wanted.file}:{line.line}: {escape_unprintable(line.detail)}", fg="yellow", err=True)
    if bad:
        click.secho(f"skipped {len(bad):,} bad lines", fg="yellow", err=True)
    return repairs, len(bad)


def _choose(
    kafka: KafkaSettings, which: Filter, wanted: _Wanted, interrupted: threading.Event
) -> tuple[Chosen, list[Origin]]:
    """Return the rejections to look at, and the origins that are named but not on the topic."""
    replayed: Container[Origin] = ()
    if not wanted.again:
        with closing(RejectionReader(kafka, Filter(origins=()))) as reader:
            for _ in _read(reader, interrupted):
                pass
        replayed = reader.found.replays
    missing = set(which.origins or ())

    def note(dead_letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        for dead_letter in dead_letters:
            missing.discard(dead_letter.origin)
            yield dead_letter

    with closing(RejectionReader(kafka, which)) as reader:
        chosen = choose(note(_read(reader, interrupted)), replayed, wanted.limit)
    say_unreadable(reader)
    if not reader.found.counts.rejected and not missing:
        say_none(reader, kafka)
    return chosen, sorted(missing, key=path_of)


def _decider(settings: Settings, again: bool) -> ReplayDecider:
    """Return what decides as of now."""
    now_ms = time.time_ns() // 1_000_000
    return ReplayDecider(settings.kafka, settings.limits, now_ms, sends_rejected_again=again)


def _decide(
    dead_letters: list[DeadLetter],
    repairs: dict[Origin, bytes | None] | None,
    decider: ReplayDecider,
    interrupted: threading.Event,
) -> Iterator[ReplayDecision]:
    """Yield what to send for each rejection, or why nothing, with a progress bar."""

    def is_good(record: ConsumerRecord) -> bool:
        origin = Origin(record.topic, record.partition, record.offset)
        return decider.check(origin, record.key, record.value) is None

    compacted = [(one.origin, one.key) for one in dead_letters if decider.is_compacted(one.origin)]
    with closing(SourceRecordReader(decider.kafka)) as source_records:
        superseded = source_records.find_replaced(compacted, is_good) if repairs is None else set()
        with _progress("checking", len(dead_letters)) as advance:
            for dead_letter in dead_letters:
                stop_if(interrupted)
                advance(1)
                origin = dead_letter.origin
                if repairs is not None:
                    yield decider.decide_repair(dead_letter, repairs[origin])
                else:
                    source = source_records.find(origin)
                    yield decider.decide(dead_letter, source, is_superseded=origin in superseded)


def _send(
    ready: list[DeadLetter],
    repairs: dict[Origin, bytes | None] | None,
    settings: Settings,
    wanted: _Wanted,
    sent: Counter[str],
) -> bool:
    """Send records again, read and checked once more; return whether all were sent.

    Args:
        sent: Takes how many were, by topic.
    """
    kafka = settings.kafka
    sent_to = sorted({dead_letter.origin.topic.removeprefix(kafka.topic_prefix) for dead_letter in ready})
    require_permissions(kafka, write=[*sent_to, "rejected"])
    skipped: Counter[str] = Counter()
    resender = Resender(kafka, limits=settings.limits)
    try:
        with interrupt_flag() as interrupted:
            decisions = _decide(ready, repairs, _decider(settings, wanted.again), interrupted)
            while batch := list(islice(decisions, BATCH)):
                for decision in batch:
                    if isinstance(decision, Skipped):
                        say_skipped(skipped, decision)
                sends = [decision for decision in batch if isinstance(decision, Resend)]
                origins = resender.send(sends)
                if len(ready) <= NAMED_SKIPPED and not wanted.as_json:
                    for resend, origin in zip(sends, origins):
                        click.echo(f"{path_of(resend.dead_letter.origin)} sent again as {path_of(origin)}")
    finally:
        resender.close()
        sent.update(resender.sent)
        per_topic = ", ".join(f"{n:,} to {topic}" for topic, n in sorted(sent.items()))
        if not wanted.as_json:
            click.echo(f"sent {sent.total():,} of {len(ready):,} records again{': ' if per_topic else ''}{per_topic}")
    return not skipped


def _read(reader: RejectionReader, interrupted: threading.Event) -> Iterator[DeadLetter]:
    """Yield the rejections of a reader, with a count of what was read."""
    with _progress("reading rejected", None) as advance:
        while not reader.is_ready:
            stop_if(interrupted)
            n_before = reader.found.n_records
            yield from reader.poll()
            advance(reader.found.n_records - n_before)


@contextmanager
def _progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal's stderr; yield what moves it on."""
    with show_progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    ) as progress:
        task = progress.add_task(description, total=total)
        yield lambda n: progress.advance(task, n)


def _with_prefix(which: Filter, kafka: KafkaSettings) -> Filter:
    """Return the filter with the full name of its topic."""
    return which if which.topic is None else replace(which, topic=kafka.topic(which.topic))
