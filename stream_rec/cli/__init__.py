"""The command line: one module per command; each parses, calls the core and prints."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import click

from stream_rec import __version__
from stream_rec.cli.logs import set_up
from stream_rec.config import load
from stream_rec.errors import StreamRecError

COMMANDS = {
    "broker": "stream_rec.cli.broker:broker",
    "topics": "stream_rec.cli.topics:topics",
    "worker": "stream_rec.cli.worker:worker",
    "embedder": "stream_rec.cli.embedder:embedder",
    "produce": "stream_rec.cli.produce:produce",
    "backfill": "stream_rec.cli.backfill:backfill",
    "watch": "stream_rec.cli.watch:watch",
    "user": "stream_rec.cli.user:user",
    "rejected": "stream_rec.cli.rejected:rejected",
    "snapshot": "stream_rec.cli.snapshot:snapshot",
    "replay": "stream_rec.cli.replay:replay",
    "evaluate": "stream_rec.cli.evaluate:evaluate",
    "demo": "stream_rec.cli.demo:demo",
    "config": "stream_rec.cli.config:config",
}
"""Name of each command and where it lives; imported when it is called, so that `--help` is quick."""


class LazyCommands(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        return getattr(import_module(module), attribute)


@click.command(cls=LazyCommands, context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option(
    "--config", "file", type=click.Path(path_type=Path), envvar="STREAM_REC_CONFIG", help="TOML settings file."
)
@click.option("--bootstrap", help="Kafka brokers, host:port,... [default: setting kafka.bootstrap]")
@click.option("--topic-prefix", help="Put before every topic name. [default: setting kafka.topic_prefix]")
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]))
@click.pass_context
def cli(ctx: click.Context, file: Path | None, bootstrap: str | None, topic_prefix: str | None, log_level: str) -> None:
    """Streaming recommendations on Kafka: events in, ranked lists out, within a second."""
    set_up(log_level)
    ctx.obj = load(file, environ=os.environ, flags={"kafka.bootstrap": bootstrap, "kafka.topic_prefix": topic_prefix})


def main() -> None:
    """Run the command line; a ``StreamRecError`` is printed as one message and gives its exit code."""
    try:
        cli(prog_name="stream-rec")
    except StreamRecError as error:
        click.secho(f"error: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
