"""`stream-rec encoders list|fetch|compare`: which encoders have a name, their models, and which to take."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.group import LazyCommands
from stream_rec.config import Settings
from stream_rec.embedding.known_encoders import KNOWN_ENCODERS, find_missing
from stream_rec.embedding.model_files import find_files
from stream_rec.embedding.onnx_models import ONNX_MODELS

COLUMNS = ("encoder", "kind", "numbers", "MB", "languages", "licence", "model", "here")


@click.group(cls=LazyCommands, modules={"compare": "stream_rec.cli.compare_encoders:compare"})
def encoders() -> None:
    """Look at the encoders that a name stands for, fetch their models, and find out which to take."""


@encoders.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Print the encoders that a name stands for, and what each needs before it can be used here."""
    missing = {encoder.name: find_missing(encoder, settings.embedder) for encoder in KNOWN_ENCODERS}
    if as_json:
        facts = [msgspec.to_builtins(encoder) | {"missing": missing[encoder.name]} for encoder in KNOWN_ENCODERS]
        click.echo(json.dumps(facts, indent=2))
        return
    rows = [
        (e.name, e.kind, str(e.dimensions), str(e.megabytes), e.languages, e.licence or "-", e.card or "-")
        for e in KNOWN_ENCODERS
    ]
    table = [COLUMNS, *((*row, missing[row[0]] or "ready") for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip())


@encoders.command()
@click.argument("name", type=click.Choice(list(ONNX_MODELS)))
@json_option
@click.pass_obj
def fetch(settings: Settings, name: str, as_json: bool) -> None:
    """Fetch a model before it is needed: into an image, say, or for machines without a network.

    It goes into the folder of the setting embedder.models_dir, which can be copied.
    """
    folder = find_files(ONNX_MODELS[name], Path(settings.embedder.models_dir).expanduser())
    answer(as_json, f"{name} is in {folder}", encoder=name, folder=str(folder))
