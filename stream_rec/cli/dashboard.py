"""`stream-rec dashboard`: what the pipeline does, for whom and why, in a browser."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path

import click

from stream_rec.cli.serve import open_replica, require_protection
from stream_rec.config import Settings, override
from stream_rec.extras import needs_extra

READ = ("recommendations", "status", "rules", "rejected")
"""Topics that are read, besides those that lists are ranked from."""


@click.command()
@click.option("--host", help="Address to listen at. [default: setting dashboard.host]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port. [default: setting dashboard.port]")
@click.option("--instance-id", help="Stable name of this process. [default: setting dashboard.instance_id]")
@click.pass_obj
def dashboard(settings: Settings, host: str | None, port: int | None, instance_id: str | None) -> None:
    """Show a pipeline in a browser, until it is told to stop; any number of copies.

    Needs the extra `serve`. It reads topics and writes rules alone: workers do not know that it is there. What it
    shows: docs/guides/dashboard.md.
    """
    flags = {"dashboard.host": host, "dashboard.port": port, "dashboard.instance_id": instance_id}
    settings = override(settings, flags)
    require_protection(settings.dashboard, "dashboard")
    with needs_extra("serve"):
        from stream_rec.dashboard.app import build_app
        from stream_rec.serving.server import run_server
    from stream_rec.broker.find import reach_broker
    from stream_rec.dashboard.following import Following
    from stream_rec.dashboard.live import HeardStatuses, Live
    from stream_rec.dashboard.rule_log import NEWEST, RuleLog
    from stream_rec.dashboard.shown_lists import KeptLists
    from stream_rec.operations.permissions import require_permissions
    from stream_rec.serving.keys import read_keys
    from stream_rec.serving.writer import Writer

    settings = reach_broker(settings, os.environ)
    chosen, kafka = settings.dashboard, settings.kafka
    keys = read_keys(Path(chosen.keys_file)) if chosen.keys_file else None
    require_permissions(kafka, read=READ, write=["rules"])
    with ExitStack() as stack:
        replica = stack.enter_context(open_replica(settings, chosen))
        lists, statuses = KeptLists(chosen.kept_lists), HeardStatuses()
        rule_log = RuleLog(kafka.topic("rules"), settings.limits)
        heard = stack.enter_context(closing(Following(kafka, ["status"], statuses.take, probes=True)))
        shown = stack.enter_context(closing(Following(kafka, ["recommendations"], lists.take, begin=lists.begin)))
        ruled = stack.enter_context(
            closing(Following(kafka, ["rules", "rejected"], rule_log.take, newest=NEWEST, begin=rule_log.begin))
        )
        statuses.say_with(heard.find_trouble)
        live = Live(
            statuses,
            chosen.listeners,
            lambda: [replica.find_why_not_ready(), shown.find_trouble(), ruled.find_trouble()],
        )
        writer = Writer(kafka, chosen.ack_timeout_s, record_bytes=settings.limits.record_bytes, topics=["rules"])
        run_server(build_app(replica, lists, rule_log, live, writer, keys, settings), chosen, on_stop=live.close)
