"""The command line: one module per command; each parses, calls the core and prints."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from stream_rec import __version__
from stream_rec.cli.group import Program
from stream_rec.cli.logs import set_up, write_as
from stream_rec.config import load
from stream_rec.cpu import name_cpu
from stream_rec.errors import SettingsError, StreamRecError
from stream_rec.extras import explain_missing

COMMANDS = {
    "broker": "stream_rec.cli.broker:broker",
    "topics": "stream_rec.cli.topics:topics",
    "worker": "stream_rec.cli.worker:worker",
    "embedder": "stream_rec.cli.embedder:embedder",
    "ingest": "stream_rec.cli.ingest:ingest",
    "encoders": "stream_rec.cli.encoders:encoders",
    "serve": "stream_rec.cli.serve:serve",
    "dashboard": "stream_rec.cli.dashboard:dashboard",
    "sink": "stream_rec.cli.sink:sink",
    "produce": "stream_rec.cli.produce:produce",
    "backfill": "stream_rec.cli.backfill:backfill",
    "watch": "stream_rec.cli.watch:watch",
    "user": "stream_rec.cli.user:user",
    "rules": "stream_rec.cli.rules:rules",
    "rejected": "stream_rec.cli.rejected:rejected",
    "snapshot": "stream_rec.cli.snapshot:snapshot",
    "record": "stream_rec.cli.record:record",
    "replay": "stream_rec.cli.replay:replay",
    "evaluate": "stream_rec.cli.evaluate:evaluate",
    "compare": "stream_rec.cli.compare:compare",
    "tune": "stream_rec.cli.tune:tune",
    "compile": "stream_rec.cli.compile:compile_",
    "demo": "stream_rec.cli.demo:demo",
    "config": "stream_rec.cli.config:config",
    "completion": "stream_rec.cli.completion:completion",
}
"""Name of each command and where it lives."""

NO_CACHE = "no locator available"
"""What numba says when neither the program's folder nor the user's cache directory can be written."""


@click.command(
    cls=Program,
    modules=COMMANDS,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
    epilog="These options may stand after the command as well.",
)
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
    write_as(ctx.obj.telemetry.log_format)


def main() -> None:
    """Run the command line; a ``StreamRecError`` is printed as one message and gives its exit code."""
    name_cpu(os.environ)
    # Its threads spin, and products as small as ours only lose by them; and sums have one order, so that a replay has
    # the digits of a worker.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        cli(prog_name="stream-rec")
    except StreamRecError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (remedy := explain_missing(error.name or "")) is None:
            raise
        _say(remedy)
        sys.exit(SettingsError.exit_code)
    except RuntimeError as error:
        if NO_CACHE not in str(error):
            raise
        remedy = "set NUMBA_CACHE_DIR to a directory that can be written"
        _say(f"compiled kernels can be kept nowhere ({error}): {remedy}")
        sys.exit(SettingsError.exit_code)
    finally:
        _let_go_of_dead_pipes()


def _say(error: str) -> None:
    with suppress(OSError):  # nobody reads it
        click.secho(f"error: {error}", fg="red", err=True)


def _let_go_of_dead_pipes() -> None:
    """Drop what nobody reads: Python would flush it once more, and end with 120 instead of what the command came to."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
