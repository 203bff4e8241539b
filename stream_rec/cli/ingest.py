"""`stream-rec ingest`: from topics that are there already to those of the pipeline."""

from __future__ import annotations

import os

import click

from stream_rec.broker.find import find_broker
from stream_rec.cli.service import wait_for_broker
from stream_rec.config import Settings, override


@click.command()
@click.option("--instance-id", help="Stable name of this process. [default: setting ingest.instance_id]")
@click.option("--data-dir", help="Where its lock lies. [default: setting ingest.data_dir]")
@click.pass_obj
def ingest(settings: Settings, /, **changed: str | None) -> None:
    """Make events and items of the records of topics that you have already, until SIGTERM or Ctrl-C.

    Which topics, and what their records mean, is said in [ingest.topics]; `topics adopt` proposes that.
    """
    flags = {f"ingest.{name}": value for name, value in changed.items()}
    settings = find_broker(override(settings, flags), os.environ)
    from stream_rec.stages.ingest import run

    wait_for_broker(settings.kafka)
    run(settings)
