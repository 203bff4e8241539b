"""`stream-rec serve`: lists out and events in over HTTP."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_rec.config import Settings, override
from stream_rec.errors import SettingsError
from stream_rec.extras import needs_extra

if TYPE_CHECKING:
    from stream_rec.dashboard_settings import DashboardSettings
    from stream_rec.serve_settings import ServeSettings
    from stream_rec.serving.replica import Replica


@click.command()
@click.option("--host", help="Address to listen at. [default: setting serve.host]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port. [default: setting serve.port]")
@click.option("--ranks/--no-ranks", default=None, help="Rank on the spot, too. [default: setting serve.ranks]")
@click.option("--instance-id", help="Stable name of a process that ranks. [default: setting serve.instance_id]")
@click.pass_obj
def serve(settings: Settings, host: str | None, port: int | None, ranks: bool | None, instance_id: str | None) -> None:
    """Serve lists and take events over HTTP, until it is told to stop; any number of copies.

    Needs the extra `serve`. What each address answers: docs/guides/http.md, and /v1/openapi.json.
    """
    flags = {"serve.host": host, "serve.port": port, "serve.ranks": ranks, "serve.instance_id": instance_id}
    settings = override(settings, flags)
    require_protection(settings.serve, "serve")
    with needs_extra("serve"):
        from stream_rec.serving.app import build_app
        from stream_rec.serving.server import run_server
    from stream_rec.broker.find import reach_broker
    from stream_rec.operations.permissions import require_permissions
    from stream_rec.serving.keys import read_keys
    from stream_rec.serving.lists import FollowedLists
    from stream_rec.serving.writer import WRITTEN, Writer

    settings = reach_broker(settings, os.environ)
    chosen = settings.serve
    keys = read_keys(Path(chosen.keys_file)) if chosen.keys_file else None
    require_permissions(settings.kafka, read=["recommendations", "items"], write=WRITTEN)
    with ExitStack() as stack:
        replica = stack.enter_context(open_replica(settings, chosen)) if chosen.ranks else None
        lists = stack.enter_context(closing(FollowedLists(settings.kafka)))
        writer = Writer(settings.kafka, chosen.ack_timeout_s, record_bytes=settings.limits.record_bytes)
        run_server(build_app(lists, writer, keys, settings, replica), chosen)


@contextmanager
def open_replica(settings: Settings, chosen: ServeSettings | DashboardSettings) -> Iterator[Replica]:
    """Follow what is ranked from, for as long as the context lasts.

    Args:
        chosen: Say where what is kept lies.

    Raises:
        StreamRecError: something that it needs is missing, taken or not allowed.
    """
    from stream_rec.operations.permissions import require_permissions
    from stream_rec.runtime.instance import held_directory
    from stream_rec.serving.replica import FOLLOWED, Replica, changelog_of
    from stream_rec.topics.admin import topic_ids

    kafka = settings.kafka
    require_permissions(kafka, read=[*FOLLOWED, changelog_of(settings)])
    with (
        held_directory(chosen.data_dir, chosen.instance_id) as directory,
        closing(Replica(settings, directory, topic_ids(settings, FOLLOWED))) as replica,
    ):
        yield replica


def require_protection(chosen: ServeSettings | DashboardSettings, section: str) -> None:
    """Check that nobody can reach the service who should not.

    Args:
        section: Of the settings, for the message.

    Raises:
        SettingsError: it would listen to other machines without asking for keys, or has half of what TLS needs.
    """
    try:
        is_loopback = chosen.host == "localhost" or ipaddress.ip_address(chosen.host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback and not chosen.keys_file:
        raise SettingsError(
            f"{section}.host={chosen.host} lets other machines in, and without {section}.keys_file they may do "
            "everything: make a file of keys, see docs/guides/http.md, or listen at 127.0.0.1"
        )
    if bool(chosen.tls_cert) != bool(chosen.tls_key):
        raise SettingsError(f"TLS needs both {section}.tls_cert and {section}.tls_key")
