"""`stream-rec broker`: a real Kafka for development, without Docker or Java to install."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import click
import msgspec

from stream_rec.broker.lifecycle import broker_status, start_broker, stop_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.group import Commands
from stream_rec.config import Settings


@click.group(cls=Commands)
def broker() -> None:
    """Start, stop and look at a Kafka broker for development."""
    logging.getLogger("testcontainers").setLevel(logging.WARNING)  # it says "using host" at every call


DATA_DIR = click.option("--data-dir", help="Where its data and its broker.json lie. [default: setting broker.data_dir]")


@broker.command()
@click.option("--docker", is_flag=True, help="Run it in a container instead of as a process.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Port for clients. [default: the one it had, else 9092 or a free one]",
)
@DATA_DIR
@json_option
@click.pass_obj
def start(settings: Settings, docker: bool, port: int | None, data_dir: str | None, as_json: bool) -> None:
    """Print the address of a Kafka that answers, started now if none runs; it keeps running."""
    started = start_broker(_with(settings, port=port, data_dir=data_dir), os.environ, docker=docker)
    found = {"local": "runs already", "docker": "runs already, in a container", "external": "was found, it is not ours"}
    click.echo("started" if started.is_new else found[started.kind], err=True)
    answer(as_json, started.bootstrap, bootstrap=started.bootstrap, kind=started.kind, is_new=started.is_new)
    click.echo(f"to connect from any folder: export KAFKA_BOOTSTRAP={started.bootstrap}", err=True)


@broker.command()
@DATA_DIR
@json_option
@click.pass_obj
def stop(settings: Settings, data_dir: str | None, as_json: bool) -> None:
    """Stop the broker that `start` started; its data stays, and no other broker is touched."""
    stopped = stop_broker(_with(settings, data_dir=data_dir).broker)
    said = f"stopped {stopped.bootstrap}" if stopped else "none to stop: none that was started here runs"
    click.echo(said, err=True)
    if as_json:
        answer(as_json, said, stopped=stopped.bootstrap if stopped else None)


@broker.command()
@json_option
@DATA_DIR
@click.pass_obj
def status(settings: Settings, as_json: bool, data_dir: str | None) -> None:
    """Print whether a broker answers, and where; exit 0 when one does, 1 when none does."""
    found = broker_status(_with(settings, data_dir=data_dir), os.environ)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo("running" if found.running else "not running")
        for name, value in msgspec.structs.asdict(found).items():
            if value and name != "running":
                click.echo(f"  {name}: {value}")
    sys.exit(0 if found.running else 1)


def _with(settings: Settings, **flags: Any) -> Settings:
    """Return the settings with the flags that were given."""
    given = {key: value for key, value in flags.items() if value is not None}
    return msgspec.structs.replace(settings, broker=msgspec.structs.replace(settings.broker, **given))
