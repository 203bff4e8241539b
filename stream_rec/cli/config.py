"""`stream-rec config show`: the settings in force."""

from __future__ import annotations

import json

import click

from stream_rec.config import Settings, as_toml, shown


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of TOML.")
@click.pass_obj
def show(settings: Settings, as_json: bool) -> None:
    """Print every setting in force, as a TOML file that could be used again; secrets are hidden."""
    tree = shown(settings)
    click.echo(json.dumps(tree, indent=2) if as_json else as_toml(tree).rstrip())
