"""`stream-rec topics create|check|adopt|list|acls`: the Kafka topics of one pipeline, and who may do what with them."""

from __future__ import annotations

import json
import os

import click
import msgspec

from stream_rec.cli.adopt import adopt
from stream_rec.cli.answer import json_option
from stream_rec.cli.group import Commands
from stream_rec.config import Settings
from stream_rec.topics.acls import as_commands, as_table
from stream_rec.topics.definition import all_topics
from stream_rec.topics.strimzi import as_topics, as_users


@click.group(cls=Commands)
def topics() -> None:
    """Create and check the Kafka topics; adopt those that you have already."""


topics.add_command(adopt)


@topics.command()
@json_option
@click.pass_obj
@click.pass_context
def create(ctx: click.Context, settings: Settings, as_json: bool) -> None:
    """Create the topics that are missing; those that exist are checked and never altered."""
    from stream_rec.broker import find
    from stream_rec.topics import admin

    settings = find.find_broker(settings, os.environ)
    created = set(admin.create(settings))
    for topic in () if as_json else all_topics(settings):
        click.echo(f"{'created' if topic.name in created else 'already there'}: {topic.name}")
    _report(ctx, settings, as_json=as_json, created=sorted(created))


@topics.command()
@json_option
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, settings: Settings, as_json: bool) -> None:
    """Compare the topics on the broker with their definitions; exit 1 where they differ."""
    from stream_rec.broker import find

    _report(ctx, find.find_broker(settings, os.environ), as_json=as_json)


@topics.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of lines.")
@click.option("--strimzi", metavar="CLUSTER", help="KafkaTopic resources for Strimzi's Kafka of that name instead.")
@click.pass_obj
def list_(settings: Settings, as_json: bool, strimzi: str | None) -> None:
    """Print the topics as they should be; no broker is asked."""
    if as_json and strimzi:
        raise click.UsageError("--json and --strimzi are two ways to print the same: choose one.")
    if strimzi:
        click.echo(as_topics(settings, strimzi), nl=False)
        return
    specs = all_topics(settings)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(specs), indent=2))
        return
    width = max(len(spec.name) for spec in specs)
    for spec in specs:
        config = " ".join(f"{key}={value}" for key, value in spec.config.items())
        click.echo(f"{spec.name:{width}}  partitions={spec.partitions} replicas={spec.replication_factor} {config}")


@topics.command()
@click.option("--table", is_flag=True, help="A Markdown table instead of a shell script.")
@click.option("--strimzi", metavar="CLUSTER", help="KafkaUser resources for Strimzi's Kafka of that name instead.")
@click.pass_obj
def acls(settings: Settings, table: bool, strimzi: str | None) -> None:
    """Print the least that each program may do, as calls of Kafka's kafka-acls.sh; no broker is asked."""
    if table and strimzi:
        raise click.UsageError("--table and --strimzi are two ways to print the same: choose one.")
    if strimzi:
        click.echo(as_users(settings, strimzi), nl=False)
    else:
        click.echo(as_table(settings) if table else as_commands(settings), nl=False)


def _report(ctx: click.Context, settings: Settings, *, as_json: bool, **facts: list[str]) -> None:
    """Print how the topics differ, and end with exit code 1 where they do; with JSON, ``facts`` too."""
    from stream_rec.topics import admin

    found = admin.compare(settings)
    n_topics = len(all_topics(settings))
    if as_json:
        rows = [
            {"topic": d.topic, "what": d.what, "expected": d.expected, "found": d.found, "remedy": d.remedy}
            for d in found
        ]
        click.echo(json.dumps({"ok": not found, "topics": n_topics, "differences": rows, **facts}, indent=2))
    elif found:
        for difference in found:
            click.echo(str(difference))
        n_differing = len({difference.topic for difference in found})
        click.echo(f"{n_differing} of {n_topics} topics are not as defined; nothing was altered")
    else:
        click.echo(f"all {n_topics} topics are as defined")
    if found:
        ctx.exit(1)
