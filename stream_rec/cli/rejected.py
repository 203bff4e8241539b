"""`stream-rec rejected list|show|replay`: what was not used, why, and a way to send it again."""

from __future__ import annotations

import heapq
import json
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click
from kafka.consumer.fetcher import ConsumerRecord
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from stream_rec.broker.find import connected
from stream_rec.cli.interrupt import EXIT_CODE, interrupt_flag
from stream_rec.client.connect import require_topics
from stream_rec.client.originals import OriginalReader
from stream_rec.client.rejections import Counts, DeadLetter, Filter, RejectionReader, origin_of, path_of
from stream_rec.client.repaired import read_repaired
from stream_rec.client.resend import BATCH, Resender
from stream_rec.client.verdict import REPLAY_OF, Chosen, Held, Resend, check, choose, judged
from stream_rec.config import KafkaSettings, Settings
from stream_rec.events.rejected import Origin
from stream_rec.topics.definition import load

T = TypeVar("T")

NAMED_HELD = 10
"""How many records that are not sent are named one by one; all are counted."""
HARMLESS = frozenset({"superseded"})
"""Reasons for not sending a record that nobody needs to do anything about."""
UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class OriginParam(click.ParamType):
    """Where a record stands: ``views/0/17``, or ``views[0]@17`` as in logs."""

    name = "ORIGIN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Origin:
        """Return the origin."""
        try:
            return value if isinstance(value, Origin) else origin_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType):
    """A time: ``2h`` ago, or an ISO 8601 date and time, in UTC unless it says otherwise."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return milliseconds since 1970."""
        if isinstance(value, int):
            return value
        if ago := re.fullmatch(r"(\d{1,9})([smhd])", value, re.ASCII):
            return max(0, _now_ms() - int(ago[1]) * UNIT_MS[ago[2]])
        try:
            moment = datetime.fromisoformat(value)
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; expected 30m, 2h or 7d ago, or 2026-01-31T12:00", param, ctx)


class TopicParam(click.ParamType):
    """The name of one of our topics, without prefix."""

    name = "TOPIC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        names = [definition.name for definition in load()]
        if value not in names:
            self.fail(f"there is no topic {value!r}; expected one of {', '.join(names)}, without prefix", param, ctx)
        return str(value)


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--until", type=Moment(), help="Only those rejected before this time. [default: all]"),
        click.option("--since", type=Moment(), help="Only those rejected since: 2h, 7d, 2026-01-31. [default: all]"),
        click.option("--reason", help="Only those with this reason, as bad_timestamp. [default: all]"),
        click.option("--topic", type=TopicParam(), help="Only those that came on this topic. [default: all]"),
    ):
        command = option(command)
    return command


@click.group()
def rejected() -> None:
    """Look at the records that could not be used, and send them again."""


@rejected.command("list")
@_filters
@click.option("--limit", default=20, type=click.IntRange(min=1), help="Show the newest so many.")
@click.option("--summary", is_flag=True, help="Count all of them by topic and reason instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@click.pass_obj
def list_(
    settings: Settings,
    topic: str | None,
    reason: str | None,
    since: int | None,
    until: int | None,
    limit: int,
    summary: bool,
    as_json: bool,
) -> None:
    """Print the newest rejected records and why they were not used, the newest first."""
    kafka = connected(settings, os.environ).kafka
    which = _filter(kafka, topic, reason, since, until)
    with interrupt_flag() as interrupted, closing(RejectionReader(kafka, which)) as reader:
        letters = _read(reader, interrupted)
        newest = heapq.nlargest(limit, letters, key=lambda letter: letter.rejected_ms)
    _say_unreadable(reader)
    if not newest:
        _say_none(reader, kafka)
    elif summary:
        _print_counts(reader.found.counts, as_json)
    elif as_json:
        for letter in newest:
            click.echo(
                json.dumps(_as_json(letter, is_replayed=letter.origin in reader.found.replays), ensure_ascii=False)
            )
    else:
        n_all = reader.found.counts.rejected.total()
        table = Table(title=f"{len(newest):,} of {n_all:,} rejected records, the newest first", title_justify="left")
        table.add_column("rejected", no_wrap=True)
        table.add_column("origin", overflow="fold")
        table.add_column("reason", no_wrap=True)
        table.add_column("detail", overflow="fold")
        table.add_column("replayed")
        for letter in newest:
            table.add_row(
                _time(letter.rejected_ms)[:19],
                path_of(letter.origin),
                # Text, not str: what comes from outside may hold what rich takes for markup.
                Text(_printable(letter.rejected.reason)),
                Text(_printable(letter.rejected.detail)),
                "yes" if letter.origin in reader.found.replays else "",
            )
        Console().print(table)


@rejected.command()
@click.argument("origin", type=OriginParam())
@click.option("--json", "as_json", is_flag=True, help="One JSON object; with its value edited, a line for `replay`.")
@click.pass_obj
def show(settings: Settings, origin: Origin, as_json: bool) -> None:
    """Print all about one rejected record, and the record itself if it is still on its topic.

    ORIGIN is where it stands, TOPIC/PARTITION/OFFSET as `rejected list` prints it. Exit code 1: it was not rejected.
    """
    kafka = connected(settings, os.environ).kafka
    with (
        interrupt_flag() as interrupted,
        closing(RejectionReader(kafka, Filter(origins={origin}))) as reader,
        closing(OriginalReader(kafka)) as originals,
    ):
        letter = next(iter(list(_read(reader, interrupted))), None)
        if letter is None:
            click.echo(
                f"{path_of(origin)} is not on {kafka.topic('rejected')}: it was not rejected, or is no longer kept"
            )
            sys.exit(1)
        original = originals.find(origin)
    facts = _as_json(letter, is_replayed=origin in reader.found.replays)
    facts["replayed_to"] = None if reader.found.replayed_to is None else path_of(reader.found.replayed_to)
    if original is not None:
        facts |= _original_as_json(original)
        now = check(origin, original.key, original.value, now_ms=_now_ms(), kafka=kafka, limits=settings.limits)
        facts["now"] = "accepted" if now is None else f"{now.reason}: {now.detail}"
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _print_facts(facts, original)


@rejected.command()
@click.argument("origins", type=OriginParam(), nargs=-1, metavar="[ORIGIN]...")
@_filters
@click.option("--file", type=click.Path(path_type=Path), help="Send the values in this file instead: JSON lines.")
@click.option("--value", help="Send this value instead, for the one ORIGIN that is named.")
@click.option("--limit", default=10_000, type=click.IntRange(min=1), help="Look at the oldest so many.")
@click.option("--again", is_flag=True, help="Also those that were sent again before, or are such a second sending.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@click.pass_obj
def replay(
    settings: Settings,
    origins: tuple[Origin, ...],
    topic: str | None,
    reason: str | None,
    since: int | None,
    until: int | None,
    file: Path | None,
    value: str | None,
    limit: int,
    again: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Send rejected records again to their topic: those named, else all that match, unchanged unless a value is given.

    Each is checked first, with the limits in the settings, as the worker does; what would be rejected again is named
    and not sent. A line of --file is {"origin": "views/0/17", "value": {...}}; `show --json` prints one to be edited.

    Exit code 0: all were sent, or had been before; 1: some were not, or would not be; 130: stopped with Ctrl-C.
    """
    is_filtered = any(choice is not None for choice in (topic, reason, since, until))
    if (bool(origins) + is_filtered + (file is not None)) > 1:
        raise click.UsageError("ORIGIN, --file and a filter (--topic, --reason, --since, --until) exclude each other")
    if value is not None and len(origins) != 1:
        raise click.UsageError("--value is for exactly one ORIGIN; --file gives values for several")
    repaired, n_bad_lines = _repaired(file, value, origins)
    settings = connected(settings, os.environ)
    kafka = settings.kafka
    which = _filter(kafka, topic, reason, since, until)
    if repaired is not None or origins:
        which = Filter(origins=set(origins if repaired is None else repaired))

    with interrupt_flag() as interrupted:
        chosen, unknown = _chosen(kafka, which, limit, again, interrupted)
        held: Counter[str] = Counter()
        ready: list[DeadLetter] = []
        for verdict in _verdicts(chosen.letters, repaired, settings, again, interrupted):
            if isinstance(verdict, Resend):
                ready.append(verdict.letter)
            else:
                _say_held(held, verdict)
    for origin in unknown:
        click.secho(f"{path_of(origin)} is not on {kafka.topic('rejected')}", fg="yellow", err=True)
    _say_plan(chosen, len(ready), held, is_dry=dry_run)
    is_partial = bool(held.keys() - HARMLESS or unknown or n_bad_lines or chosen.n_more)
    if ready and not dry_run:
        if not yes:
            click.confirm(f"send {len(ready):,} records again?", abort=True, err=True)
        is_partial |= not _send(ready, repaired, settings, again)
    if is_partial:
        sys.exit(1)


def _repaired(
    file: Path | None, value: str | None, origins: tuple[Origin, ...]
) -> tuple[dict[Origin, bytes | None] | None, int]:
    """Return the values given by hand, None where none is, and how many lines cannot be used, after naming some."""
    if value is not None:
        return {origins[0]: value.encode("utf-8", "surrogateescape")}, 0
    if file is None:
        return None, 0
    repaired, bad = read_repaired(file)
    for line in bad[:NAMED_HELD]:
        click.secho(f"skipped {file}:{line.line}: {_printable(line.detail)}", fg="yellow", err=True)
    if bad:
        click.secho(f"skipped {len(bad):,} bad lines", fg="yellow", err=True)
    return repaired, len(bad)


def _chosen(
    kafka: KafkaSettings, which: Filter, limit: int, again: bool, interrupted: threading.Event
) -> tuple[Chosen, list[Origin]]:
    """Return the rejections to look at, and the origins that are named but not on the topic."""
    replayed: Any = ()
    if not again:
        with closing(RejectionReader(kafka, Filter(origins=()))) as reader:
            for _ in _read(reader, interrupted):
                pass
        replayed = reader.found.replays
    missing = set(which.origins or ())

    def noted(letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        for letter in letters:
            missing.discard(letter.origin)
            yield letter

    with closing(RejectionReader(kafka, which)) as reader:
        chosen = choose(noted(_read(reader, interrupted)), replayed, limit)
    _say_unreadable(reader)
    if not reader.found.counts.rejected and not missing:
        _say_none(reader, kafka)
    return chosen, sorted(missing, key=path_of)


def _verdicts(
    letters: list[DeadLetter],
    repaired: dict[Origin, bytes | None] | None,
    settings: Settings,
    again: bool,
    interrupted: threading.Event,
) -> Iterator[Resend | Held]:
    """Yield what to send for each rejection, or why nothing, with a progress bar."""
    kafka, now_ms = settings.kafka, _now_ms()

    def is_good(record: ConsumerRecord) -> bool:
        origin = Origin(record.topic, record.partition, record.offset)
        return check(origin, record.key, record.value, now_ms=now_ms, kafka=kafka, limits=settings.limits) is None

    items = [(letter.origin, letter.key) for letter in letters if letter.origin.topic == kafka.topic("items")]
    with closing(OriginalReader(kafka)) as originals:
        superseded = originals.replaced(items, is_good) if repaired is None else ()
        verdicts = judged(
            letters,
            repaired,
            originals.find,
            superseded=superseded,
            again=again,
            now_ms=now_ms,
            kafka=kafka,
            limits=settings.limits,
        )
        with _progress("checking", len(letters)) as advance:
            for verdict in verdicts:
                _stop_if(interrupted)
                advance(1)
                yield verdict


def _send(
    ready: list[DeadLetter], repaired: dict[Origin, bytes | None] | None, settings: Settings, again: bool
) -> bool:
    """Send records again, read and checked once more; return whether all were sent."""
    kafka = settings.kafka
    require_topics(kafka, {letter.origin.topic.removeprefix(kafka.topic_prefix) for letter in ready})
    held: Counter[str] = Counter()
    resender = Resender(kafka, limits=settings.limits)
    try:
        with interrupt_flag() as interrupted:
            verdicts = _verdicts(ready, repaired, settings, again, interrupted)
            while batch := list(islice(verdicts, BATCH)):
                for verdict in batch:
                    if isinstance(verdict, Held):
                        _say_held(held, verdict)
                sends = [verdict for verdict in batch if isinstance(verdict, Resend)]
                places = resender.send(sends)
                if len(ready) <= NAMED_HELD:
                    for sent, place in zip(sends, places):
                        click.echo(f"{path_of(sent.letter.origin)} sent again as {path_of(place)}")
    finally:
        resender.close()
        per_topic = ", ".join(f"{n:,} to {topic}" for topic, n in sorted(resender.sent.items()))
        click.echo(
            f"sent {resender.sent.total():,} of {len(ready):,} records again{': ' if per_topic else ''}{per_topic}"
        )
    return not held


def _read(reader: RejectionReader, interrupted: threading.Event) -> Iterator[DeadLetter]:
    """Yield the rejections of a reader, with a count of what was read."""
    with _progress("reading rejected", None) as advance:
        while not reader.is_ready:
            _stop_if(interrupted)
            n_before = reader.found.n_records
            yield from reader.poll()
            advance(reader.found.n_records - n_before)


@contextmanager
def _progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal's stderr; yield what moves it on."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda n: progress.advance(task, n)


def _stop_if(interrupted: threading.Event) -> None:
    if interrupted.is_set():
        click.echo("stopped by Ctrl-C", err=True)
        sys.exit(EXIT_CODE)


def _filter(
    kafka: KafkaSettings, topic: str | None, reason: str | None, since_ms: int | None, until_ms: int | None
) -> Filter:
    return Filter(
        topic=None if topic is None else kafka.topic(topic), reason=reason, since_ms=since_ms, until_ms=until_ms
    )


def _say_unreadable(reader: RejectionReader) -> None:
    if reader.found.n_unreadable:
        click.secho(f"skipped {reader.found.n_unreadable:,} records that are no rejections", fg="yellow", err=True)


def _say_none(reader: RejectionReader, kafka: KafkaSettings) -> None:
    if not reader.found.n_records:
        click.echo(f"no record was rejected: {kafka.topic('rejected')} is empty", err=True)
    else:
        click.echo(
            f"none of the {reader.found.n_records:,} records on {kafka.topic('rejected')} matches; "
            "`stream-rec rejected list --summary` counts them by topic and reason",
            err=True,
        )


def _say_held(held: Counter[str], verdict: Held) -> None:
    if held.total() < NAMED_HELD:
        where, why = path_of(verdict.letter.origin), verdict.rejection
        click.secho(f"not sent: {where}: {why.reason}: {_printable(why.detail)}", fg="yellow", err=True)
    held[verdict.rejection.reason] += 1


def _say_plan(chosen: Chosen, n_ready: int, held: Counter[str], *, is_dry: bool) -> None:
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in held.most_common())
    parts = [f"{n_ready:,} records {'would be' if is_dry else 'can be'} sent again"]
    parts += [f"{held.total():,} not ({reasons})"] if held else []
    parts += [f"{chosen.n_replayed:,} were sent again before (--again)"] if chosen.n_replayed else []
    parts += [f"{chosen.n_more:,} more match (--limit)"] if chosen.n_more else []
    click.echo("; ".join(parts))


def _print_counts(counts: Counts, as_json: bool) -> None:
    rows = [
        {"topic": topic, "reason": reason, "rejected": n, "replayed": counts.replayed[topic, reason]}
        for (topic, reason), n in counts.rejected.most_common()
    ]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    table = Table(title=f"{counts.rejected.total():,} rejected records", title_justify="left")
    for name in ("topic", "reason"):
        table.add_column(name, overflow="fold")
    for name in ("rejected", "replayed"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            Text(_printable(row["topic"])),
            Text(_printable(row["reason"])),
            f"{row['rejected']:,}",
            f"{row['replayed']:,}",
        )
    Console().print(table)


def _as_json(letter: DeadLetter, *, is_replayed: bool) -> dict[str, Any]:
    return {
        "origin": path_of(letter.origin),
        "reason": letter.rejected.reason,
        "detail": letter.rejected.detail,
        "key": _text(letter.key),
        "rejected_ms": letter.rejected_ms,
        "first_bytes": _text(letter.rejected.head),
        "is_replayed": is_replayed,
    }


def _original_as_json(original: ConsumerRecord) -> dict[str, Any]:
    replay_of = next((value for name, value in original.headers if name == REPLAY_OF), None)
    facts: dict[str, Any] = {"received_ms": original.timestamp, "replay_of": _text(replay_of)}
    try:
        facts["value"] = None if original.value is None else original.value.decode()
    except UnicodeDecodeError:
        facts["value_bytes"] = original.value.decode(errors="backslashreplace")  # not `value`: it would be sent so
    return facts


def _print_facts(facts: dict[str, Any], original: ConsumerRecord | None) -> None:
    names = ("origin", "reason", "detail", "key")
    rows = {name: facts[name] for name in names} | {"rejected": _time(facts["rejected_ms"])}
    if facts["is_replayed"]:
        rows["replayed to"] = facts["replayed_to"]
    if original is None:
        rows |= {"first bytes": facts["first_bytes"]}
        rows |= {"value": "not on its topic any more: retention or compaction took it"}
    else:
        if facts["replay_of"]:
            rows["replay of"] = facts["replay_of"]
        rows |= {"received": _time(original.timestamp), "if it came now": facts["now"]}
        n_bytes = "null" if original.value is None else f"{len(original.value):,} bytes"
        rows |= {"first bytes": facts["first_bytes"], "value": n_bytes}
    for name, value in rows.items():
        click.echo(f"{name + ':':16}{_printable('null' if value is None else value)}")
    if original is not None and original.value is not None:
        click.echo(_printable(facts.get("value", facts.get("value_bytes"))))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")


def _printable(text: str) -> str:
    """Return text from outside without what a terminal would take for a command."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _time(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
