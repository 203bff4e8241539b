"""Rejected records for people to read, and as JSON. What came from outside is made harmless for a terminal."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import click
from kafka.consumer.fetcher import ConsumerRecord
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.rejections import Counts, DeadLetter, RejectionReader, path_of
from stream_rec.operations.replay_decision import REPLAY_OF, Chosen, Skipped

NAMED_SKIPPED = 10
"""How many records that are not sent are named one by one; all are counted."""


def print_newest(dead_letters: list[DeadLetter], reader: RejectionReader) -> None:
    """Print a table of some of the rejections that were read."""
    n_all = reader.found.counts.rejected.total()
    table = Table(title=f"{len(dead_letters):,} of {n_all:,} rejected records, the newest first", title_justify="left")
    table.add_column("rejected", no_wrap=True)
    table.add_column("origin", overflow="fold")
    table.add_column("reason", no_wrap=True)
    table.add_column("detail", overflow="fold")
    table.add_column("replayed")
    for dead_letter in dead_letters:
        table.add_row(
            _time(dead_letter.rejected_ms)[:19],
            path_of(dead_letter.origin),
            # Text, not str: what comes from outside may hold what rich takes for markup.
            Text(escape_unprintable(dead_letter.rejected.reason)),
            Text(escape_unprintable(dead_letter.rejected.detail)),
            "yes" if dead_letter.origin in reader.found.replays else "",
        )
    Console().print(table)


def say_unreadable(reader: RejectionReader) -> None:
    """Say how many records on the topic are none of ours."""
    if reader.found.n_unreadable:
        click.secho(f"skipped {reader.found.n_unreadable:,} records that are no rejections", fg="yellow", err=True)


def say_none(reader: RejectionReader, kafka: KafkaSettings) -> None:
    """Say that nothing was found, and where to look."""
    if not reader.found.n_records:
        click.echo(f"no record was rejected: {kafka.topic('rejected')} is empty", err=True)
    else:
        click.echo(
            f"none of the {reader.found.n_records:,} records on {kafka.topic('rejected')} matches; "
            "`stream-rec rejected list --summary` counts them by topic and reason",
            err=True,
        )


def say_skipped(skipped: Counter[str], decision: Skipped) -> None:
    """Count a record that is not sent, and name it if it is one of the first."""
    if skipped.total() < NAMED_SKIPPED:
        where, why = path_of(decision.dead_letter.origin), decision.rejection
        click.secho(f"not sent: {where}: {why.reason}: {escape_unprintable(why.detail)}", fg="yellow", err=True)
    skipped[decision.rejection.reason] += 1


def say_plan(chosen: Chosen, n_ready: int, skipped: Counter[str], *, is_dry: bool) -> None:
    """Say what will be sent, and what not."""
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in skipped.most_common())
    parts = [f"{n_ready:,} records {'would be' if is_dry else 'can be'} sent again"]
    parts += [f"{skipped.total():,} not ({reasons})"] if skipped else []
    parts += [f"{chosen.n_replayed:,} were sent again before (--again)"] if chosen.n_replayed else []
    parts += [f"{chosen.n_more:,} more match (--limit)"] if chosen.n_more else []
    click.echo("; ".join(parts))


def print_counts(counts: Counts, as_json: bool) -> None:
    """Print how many were rejected and sent again, by topic and reason."""
    rows: list[dict[str, Any]] = [
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
            Text(escape_unprintable(row["topic"])),
            Text(escape_unprintable(row["reason"])),
            f"{row['rejected']:,}",
            f"{row['replayed']:,}",
        )
    Console().print(table)


def facts_of(dead_letter: DeadLetter, *, is_replayed: bool) -> dict[str, Any]:
    """Return one rejection as JSON."""
    return {
        "origin": path_of(dead_letter.origin),
        "reason": dead_letter.rejected.reason,
        "detail": dead_letter.rejected.detail,
        "key": _text(dead_letter.key),
        "rejected_ms": dead_letter.rejected_ms,
        "first_bytes": _text(dead_letter.rejected.head),
        "is_replayed": is_replayed,
    }


def facts_of_source(source: ConsumerRecord) -> dict[str, Any]:
    """Return what there is to say of the record itself, as JSON."""
    replay_of = next((value for name, value in source.headers if name == REPLAY_OF), None)
    facts: dict[str, Any] = {"received_ms": source.timestamp, "replay_of": _text(replay_of)}
    try:
        facts["value"] = None if source.value is None else source.value.decode()
    except UnicodeDecodeError:
        facts["value_bytes"] = source.value.decode(errors="backslashreplace")  # not `value`: it would be sent so
    return facts


def print_facts(facts: dict[str, Any], source: ConsumerRecord | None) -> None:
    """Print one rejection, and the record itself if it is still there."""
    names = ("origin", "reason", "detail", "key")
    rows = {name: facts[name] for name in names} | {"rejected": _time(facts["rejected_ms"])}
    if facts["is_replayed"]:
        rows["replayed to"] = facts["replayed_to"]
    if source is None:
        rows |= {"first bytes": facts["first_bytes"]}
        rows |= {"value": "not on its topic any more: retention or compaction took it"}
    else:
        if facts["replay_of"]:
            rows["replay of"] = facts["replay_of"]
        rows |= {"received": _time(source.timestamp), "if it came now": facts["now"]}
        n_bytes = "null" if source.value is None else f"{len(source.value):,} bytes"
        rows |= {"first bytes": facts["first_bytes"], "value": n_bytes}
    for name, value in rows.items():
        click.echo(f"{name + ':':16}{escape_unprintable('null' if value is None else value)}")
    if source is not None and source.value is not None:
        click.echo(escape_unprintable(facts["value"] if "value" in facts else facts["value_bytes"]))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")


def escape_unprintable(text: str) -> str:
    """Return text from outside without what a terminal would take for a command.

    Example:
        >>> print(escape_unprintable("red: \\x1b[31m"))
        red: \\x1b[31m
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _time(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
