"""`stream-rec sink`: users' lists in a Redis or a PostgreSQL."""

from __future__ import annotations

import os

import click

from stream_rec.config import Settings, override


@click.command()
@click.option("--url", help="Of the Redis or the PostgreSQL, without a password. [default: setting sink.url]")
@click.option("--instance-id", help="Stable name of this process. [default: setting sink.instance_id]")
@click.pass_obj
def sink(settings: Settings, /, **changed: str | None) -> None:
    """Keep a Redis or a PostgreSQL equal to users' lists, until it is told to stop.

    Needs the extra `sink`. The password is the setting sink.password. One process copies all; a second one with the
    same target stands by. What is where in the target: docs/guides/sinks.md.
    """
    settings = override(settings, {f"sink.{name}": value for name, value in changed.items()})
    from stream_rec.extras import needs_extra
    from stream_rec.sink.known_targets import new_target

    target = new_target(settings.sink)
    with needs_extra("sink"):
        from stream_rec.sink.process import run
    from stream_rec.broker.find import find_broker
    from stream_rec.cli.service import wait_for_broker

    settings = find_broker(settings, os.environ)
    wait_for_broker(settings.kafka)
    run(settings, target)
