"""`stream-rec produce`: write a log of events or items to the topics."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import click
import msgspec
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.progress import TimeRemainingColumn as TimeRemaining

from stream_rec.broker.find import reach_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.critiques import critiques_option, name_unused
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import EXIT_CODE, interrupt_flag
from stream_rec.cli.progress import show_progress
from stream_rec.client import EventProducer, InvalidEventError
from stream_rec.config import Settings
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.events.source import TOPIC_OF_SOURCE
from stream_rec.fields.read import Record, split_record
from stream_rec.logs.content import find_content
from stream_rec.logs.log import BadLine, EventLog, Log, read_events, read_items, usable
from stream_rec.logs.recording import SOURCE_TOPICS, Recorded, is_recording, read_recording
from stream_rec.operations.permissions import require_permissions
from stream_rec.operations.send_again import send_again
from stream_rec.replay import pace as paces
from stream_rec.replay.pace import Pace, describe_duration

T = TypeVar("T", bound=Record | Item | Recorded)

LONG_S = 300.0
"""A log that takes longer at a speed is said to be long."""
QUICK_S = 120.0
"""What is advised then takes at most so long."""
LONG_GAP_S = 2.0
"""A wait for the next event is shown from here on."""


class Speed(click.ParamType):
    """A factor as people write it: ``100x`` or ``100``."""

    name = "FACTOR"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the factor."""
        try:
            factor = float(str(value).lower().removesuffix("x"))
        except ValueError:
            factor = 0.0
        if not 0 < factor < float("inf"):
            self.fail(f"{value!r} is no speed; expected a number above 0, as in 100x", param, ctx)
        return factor


@click.command(epilog=FORMATS)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--items", "as_items", is_flag=True, help="The file holds items. Else that is seen from its fields.")
@click.option("--limit", type=click.IntRange(min=1), help="Send only the first so many. [default: all]")
@critiques_option
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Records per second. [default: unlimited]")
@click.option("--speed", type=Speed(), help="Keep the gaps between events, divided by this: 1000x. [default: no gaps]")
@click.option(
    "--shift-to-now",
    is_flag=True,
    help="Move the events to the present. With --rate or --speed each happens as it is sent; "
    "without, the last one happens now and all gaps stay.",
)
@json_option
@click.pass_obj
def produce(
    settings: Settings,
    file: Path,
    as_items: bool,
    limit: int | None,
    critiques: Mapping[str, str],
    rate: float | None,
    speed: float | None,
    shift_to_now: bool,
    as_json: bool,
) -> None:
    """Write a log of events, a file of items, or a recording, to the topics.

    Bad lines are named on stderr, counted by reason, and skipped. Exit code 0: everything was delivered; 1: some lines
    were bad, or the broker did not take some; 130: stopped with Ctrl-C, after what had been read was delivered.
    Sending the same file again is harmless: an event counts once, also with --shift-to-now.
    """
    limits = settings.limits
    if is_recording(file, limits=limits):
        if as_items or critiques or shift_to_now:
            raise click.UsageError("a recording is sent as it is: leave out --items, --critiques and --shift-to-now")
        _produce_recording(settings, file, limit, rate, speed, as_json)
        return
    is_items = as_items or find_content(file, limits=limits) == "items"
    if rate is not None and speed is not None:
        raise click.UsageError("--rate and --speed exclude each other")
    if is_items and (speed is not None or shift_to_now or critiques):
        raise click.UsageError("items have no time: --speed, --shift-to-now and --critiques are for events")
    events = partial(read_events, file, limits=limits, received_ms=_now_ms(), critiques=critiques)
    records = read_items(file, limits=limits) if is_items else events()
    settings = reach_broker(settings, os.environ)
    require_permissions(settings.kafka, write=["items"] if is_items else TOPIC_OF_SOURCE.values())

    is_paced = rate is not None or speed is not None
    span = paces.span(_times(events(), limit)) if speed is not None or (shift_to_now and not is_paced) else None
    shift_ms = _now_ms() - span.last_ms if span and not is_paced else 0
    sent: Counter[str] = Counter()
    skipped = SkippedLines()
    on_bad = skipped.lines_of(file)
    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag())  # before anything is said: who reads it may press Ctrl-C
        pace = _choose_pace(rate, speed, span)
        producer = stack.enter_context(EventProducer(settings.kafka, limits=limits))
        started = time.monotonic()
        for record in _pace(cast("Log[Record | Item]", records), limit, pace, interrupted):
            if isinstance(record, BadLine):
                on_bad(record)
                continue
            try:
                sent[_send(producer, record, shift_ms=shift_ms, is_live=shift_to_now and is_paced)] += 1
            except InvalidEventError as error:  # as a record, with an id of its own, it is too large
                name = record.item_id if isinstance(record, Item) else split_record(record)[1].event_id
                skipped.add("not_sendable", f"{file}: {name}: {error}")
        producer.flush()
    _summarize(sent, skipped, time.monotonic() - started, is_interrupted=interrupted.is_set(), as_json=as_json)
    if isinstance(records, EventLog):
        name_unused(critiques, records.n_critiques)
    if interrupted.is_set():
        sys.exit(EXIT_CODE)
    if skipped:
        sys.exit(1)


def _produce_recording(
    settings: Settings, file: Path, limit: int | None, rate: float | None, speed: float | None, as_json: bool
) -> None:
    """Send what a recording holds to the topics that it came from, in its order; --speed divides gaps of arrival."""
    limits = settings.limits
    if rate is not None and speed is not None:
        raise click.UsageError("--rate and --speed exclude each other")
    settings = reach_broker(settings, os.environ)
    require_permissions(settings.kafka, write=SOURCE_TOPICS)
    span = None
    if speed is not None:
        recorded = islice(usable(read_recording(file, limits=limits), lambda line: None), limit)
        span = paces.span(record.place.received_ms for record in recorded)
    sent: Counter[str] = Counter()
    skipped = SkippedLines()
    on_bad = skipped.lines_of(file)
    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag())
        pace = _choose_pace(rate, speed, span)
        producer = stack.enter_context(EventProducer(settings.kafka, limits=limits))
        started = time.monotonic()
        for record in _pace(read_recording(file, limits=limits), limit, pace, interrupted):
            if isinstance(record, BadLine):
                on_bad(record)
                continue
            try:
                send_again(producer, record)
            except InvalidEventError as error:  # as when limits are others here
                skipped.add("not_sendable", f"{file}: {record.key}: {error}")
            else:
                sent[record.place.topic] += 1
        producer.flush()
    _summarize(sent, skipped, time.monotonic() - started, is_interrupted=interrupted.is_set(), as_json=as_json)
    if interrupted.is_set():
        sys.exit(EXIT_CODE)
    if skipped:
        sys.exit(1)


def _time_of(record: Record | Item | Recorded) -> int:
    """Return when a record is due, among others of its file."""
    if isinstance(record, Recorded):
        return record.place.received_ms
    return 0 if isinstance(record, Item) else split_record(record)[1].timestamp_ms


def _choose_pace(rate: float | None, speed: float | None, span: paces.Span | None) -> Pace:
    """Return when each record is due; ``span`` is that of the log, which a speed needs."""
    if rate is not None:
        return paces.keep_rate(rate)
    if speed is None or span is None:
        return paces.send_at_once
    _say_how_long(span, speed)
    return paces.speed_up(speed, span.first_ms)


def _pace(records: Log[T], limit: int | None, pace: Pace, interrupted: threading.Event) -> Iterator[T | BadLine]:
    """Yield each record when it is due, with a progress bar, until ``limit`` records, or ``interrupted``."""
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[records]:,} records"), TimeRemaining(),
    )  # fmt: skip
    n_taken = 0
    with show_progress(*columns) as progress:
        task = progress.add_task("sending", total=limit or records.bytes_total, records=0)

        def show(description: str) -> None:
            progress.update(
                task, description=description, completed=n_taken if limit else records.bytes_read, records=n_taken
            )

        started = shown = time.monotonic()
        for record in records:
            if limit is not None and n_taken >= limit:
                return
            if not isinstance(record, BadLine):
                due = started + pace(n_taken, _time_of(record))
                while (wait_s := due - time.monotonic()) > 0 and not interrupted.is_set():
                    show(f"next in {wait_s:,.0f} s" if wait_s >= LONG_GAP_S else "sending")
                    interrupted.wait(min(wait_s, 0.5))
                n_taken += 1
            if interrupted.is_set():
                return
            yield record
            if time.monotonic() - shown > 0.1:
                show("sending")
                shown = time.monotonic()


def _send(producer: EventProducer, record: Record | Item, *, shift_ms: int, is_live: bool) -> str:
    """Send one record and return its topic."""
    if isinstance(record, Item):
        producer.item(record)
        return "items"
    source, event = split_record(record)
    event = msgspec.structs.replace(event, timestamp_ms=_now_ms() if is_live else event.timestamp_ms + shift_ms)
    if isinstance(event, Search):
        producer.send_search(event)
    elif isinstance(event, Impression):
        producer.send_impression(event)
    else:
        producer.send_interaction(Kind(source), event)
    return source.topic


def _times(events: EventLog, limit: int | None) -> Iterator[int]:
    """Yield the times of the first ``limit`` records."""
    return (split_record(record)[1].timestamp_ms for record in islice(usable(events, lambda line: None), limit))


def _say_how_long(span: paces.Span, speed: float) -> None:
    """Say how long the log takes at a speed, and how to be quicker where that is long."""
    seconds = span.seconds / speed
    said = f"{span.n:,} events over {describe_duration(span.seconds)} take {describe_duration(seconds)} at {speed:,g}x"
    if seconds > LONG_S:
        rate, factor = span.quick_rate(QUICK_S), span.quick_factor(QUICK_S)
        at_rate, at_speed = describe_duration(span.n / rate), describe_duration(span.seconds / factor)
        said = f"{said}; --rate {rate:g} takes {at_rate}, --speed {factor:g}x {at_speed}"
    click.echo(said, err=True)


def _summarize(
    sent: Counter[str], skipped: SkippedLines, took_s: float, *, is_interrupted: bool, as_json: bool
) -> None:
    per_topic = ", ".join(f"{n:,} to {topic}" for topic, n in sorted(sent.items()))
    what = "stopped by Ctrl-C; delivered" if is_interrupted else "delivered"
    rate = sent.total() / max(took_s, 1e-9)
    said = f"{what} {sent.total():,} records in {took_s:.1f} s ({rate:,.0f}/s): {per_topic}"
    facts = {
        "delivered": sent,
        "took_s": round(took_s, 3),
        "skipped": skipped.by_reason,
        "is_interrupted": is_interrupted,
    }
    answer(as_json, said, **facts)
    skipped.report()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
