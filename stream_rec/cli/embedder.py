"""`stream-rec embedder`: item texts to vectors."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stream_rec.broker.find import find_broker
from stream_rec.cli.service import wait_for_broker
from stream_rec.config import Settings, override


@click.command()
@click.option(
    "--encoder",
    help="A name of `encoders list`, a model's name or folder; or two joined with +. "
    "[default: setting embedder.encoder]",
)
@click.option("--device", help="auto, cuda, mps or cpu. [default: setting embedder.device]")
@click.option("--instance-id", help="Stable name of this process. [default: setting embedder.instance_id]")
@click.option("--data-dir", help="Where its lock lies. [default: setting embedder.data_dir]")
@click.pass_obj
def embedder(settings: Settings, /, **changed: str | None) -> None:
    """Embed new and changed items until SIGTERM or Ctrl-C. Lists keep flowing without it."""
    flags = {f"embedder.{name}": value for name, value in changed.items()}
    settings = find_broker(override(settings, flags), os.environ)
    directory = Path(settings.embedder.data_dir).absolute() / settings.embedder.instance_id
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(directory / "torch"))  # else torch makes one in /tmp
    from stream_rec.stages.embedder import run

    wait_for_broker(settings.kafka)
    run(settings)
