"""`stream-rec config show`: the settings in force."""

from __future__ import annotations

import json
import os

import click

from stream_rec.cli.group import Commands
from stream_rec.config import Settings, as_toml, redact, secret_sources
from stream_rec.config_sentences import describe_settings


@click.group(cls=Commands)
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of TOML.")
@click.option("--bare", is_flag=True, help="Without the sentences on what each setting means.")
@click.pass_context
def show(ctx: click.Context, as_json: bool, bare: bool) -> None:
    """Print every setting in force, as a TOML file that could be used again; secrets are hidden."""
    settings: Settings = ctx.obj
    tree = redact(settings)
    sentences = {} if bare or as_json else describe_settings()
    sources = secret_sources(settings, ctx.find_root().params["file"], os.environ)
    click.echo(json.dumps(tree, indent=2) if as_json else as_toml(tree, sources, sentences).rstrip())
