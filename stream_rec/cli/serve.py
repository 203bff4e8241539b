"""`stream-rec serve`: lists out and events in over HTTP."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_rec.cli.service import wait_for_answer
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
@click.option("--instance-id", help="Stable name of this process. [default: setting serve.instance_id]")
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
        from stream_rec.serving.http_process import HttpProcess
        from stream_rec.serving.server import run_server
    from stream_rec.broker.find import find_broker
    from stream_rec.operations.permissions import require_permissions
    from stream_rec.serving.keys import read_keys
    from stream_rec.serving.lists import FollowedLists
    from stream_rec.serving.writer import WRITTEN, Writer

    settings = find_broker(settings, os.environ)
    chosen, kafka = settings.serve, settings.kafka
    keys = read_keys(Path(chosen.keys_file)) if chosen.keys_file else None
    with ExitStack() as stack:
        replica = stack.enter_context(open_replica(settings, chosen)) if chosen.ranks else None
        lists = stack.enter_context(closing(FollowedLists(kafka)))
        writer = Writer(kafka, chosen.ack_timeout_s, record_bytes=settings.limits.record_bytes)

        def follow() -> None:
            ranked_from = replica.reads if replica is not None else []
            require_permissions(kafka, read=["recommendations", "items", *ranked_from], write=WRITTEN)
            lists.open()
            if replica is not None:
                start_replica(replica, settings)

        process = HttpProcess("serve", chosen.instance_id, settings, writer, partial(wait_for_answer, kafka), follow)
        run_server(build_app(lists, writer, keys, settings, replica, process), chosen, process)


@contextmanager
def open_replica(settings: Settings, chosen: ServeSettings | DashboardSettings) -> Iterator[Replica]:
    """Hold what is ranked from, for as long as the context lasts; ``start_replica`` begins to follow it.

    Args:
        chosen: Say where what is kept lies.

    Raises:
        StreamRecError: its directory is taken, or cannot be used.
    """
    from stream_rec.runtime.instance import held_directory
    from stream_rec.serving.replica import Replica

    with (
        held_directory(chosen.data_dir, chosen.instance_id) as directory,
        closing(Replica(settings, directory)) as replica,
    ):
        yield replica


def start_replica(replica: Replica, settings: Settings) -> None:
    """Begin to follow what is ranked from.

    Raises:
        StreamRecError: the broker does not say which topics those are.
    """
    from stream_rec.serving.replica import FOLLOWED
    from stream_rec.topics.admin import topic_ids

    replica.start(topic_ids(settings, FOLLOWED))


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
