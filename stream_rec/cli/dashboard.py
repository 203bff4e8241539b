"""`stream-rec dashboard`: what the pipeline does, for whom and why, in a browser."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import click

from stream_rec.cli.serve import open_replica, require_protection, start_replica
from stream_rec.cli.service import wait_for_answer
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

    Needs the extra `serve`. It reads topics and writes rules, and how it is itself: workers do not know that it is
    there. What it shows: docs/guides/dashboard.md.
    """
    flags = {"dashboard.host": host, "dashboard.port": port, "dashboard.instance_id": instance_id}
    settings = override(settings, flags)
    require_protection(settings.dashboard, "dashboard")
    with needs_extra("serve"):
        from stream_rec.dashboard.app import build_app
        from stream_rec.serving.http_process import HttpProcess
        from stream_rec.serving.server import run_server
    from stream_rec.broker.find import find_broker
    from stream_rec.dashboard.following import Following
    from stream_rec.dashboard.live import HeardStatuses, Live
    from stream_rec.dashboard.rule_log import NEWEST, RuleLog
    from stream_rec.dashboard.shown_lists import KeptLists
    from stream_rec.operations.permissions import require_permissions
    from stream_rec.serving.keys import read_keys
    from stream_rec.serving.writer import Writer

    settings = find_broker(settings, os.environ)
    chosen, kafka = settings.dashboard, settings.kafka
    keys = read_keys(Path(chosen.keys_file)) if chosen.keys_file else None
    with ExitStack() as stack:
        replica = stack.enter_context(open_replica(settings, chosen))
        lists, statuses = KeptLists(chosen.kept_lists), HeardStatuses()
        rule_log = RuleLog(kafka.topic("rules"), settings.limits)
        heard = stack.enter_context(closing(Following(kafka, ["status"], statuses.take, probes=True)))
        shown = stack.enter_context(closing(Following(kafka, ["recommendations"], lists.take, begin=lists.begin)))
        ruled = stack.enter_context(
            closing(Following(kafka, ["rules", "rejected"], rule_log.take, newest=NEWEST, begin=rule_log.begin))
        )
        writer = Writer(kafka, chosen.ack_timeout_s, record_bytes=settings.limits.record_bytes, topics=["rules"])

        def follow() -> None:
            require_permissions(kafka, read=[*READ, *replica.reads], write=["rules"])
            for each in (heard, shown, ruled):
                each.start()
            start_replica(replica, settings)

        process = HttpProcess(
            "dashboard", chosen.instance_id, settings, writer, partial(wait_for_answer, kafka), follow
        )

        def find_trouble() -> str:
            return process.find_why_not_open() or heard.find_trouble()

        def find_troubles() -> list[str]:
            following = replica.find_why_not_ready(), shown.find_trouble(), ruled.find_trouble()
            return [] if process.find_why_not_open() else [*following]

        statuses.say_with(find_trouble)
        live = Live(statuses, chosen.listeners, find_troubles)
        app = build_app(replica, lists, rule_log, live, writer, keys, settings, process)
        run_server(app, chosen, process, on_stop=live.close)
