"""`stream-rec worker`: the user stage and the item stage."""

from __future__ import annotations

import os

import click

from stream_rec.broker.find import find_broker
from stream_rec.cli.service import wait_for_broker
from stream_rec.config import Settings, override


@click.command()
@click.option("--instance-id", help="Stable name of this process. [default: setting worker.instance_id]")
@click.option("--data-dir", help="Where state lies. [default: setting worker.data_dir]")
@click.pass_obj
def worker(settings: Settings, instance_id: str | None, data_dir: str | None) -> None:
    """Turn events into lists until SIGTERM or Ctrl-C.

    Start as many as there are partitions, each with its own --instance-id. Ends with 0 when told to stop, with 1 or
    75 when something broke: then start it again, nothing is lost.
    """
    settings = find_broker(
        override(settings, {"worker.instance_id": instance_id, "worker.data_dir": data_dir}), os.environ
    )
    from stream_rec.stages.worker import run

    wait_for_broker(settings.kafka)
    run(settings)
