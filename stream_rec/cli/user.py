"""`stream-rec user`: what concerns one user."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing

import click
import msgspec

from stream_rec.broker.find import reach_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.group import Commands
from stream_rec.cli.interrupt import EXIT_CODE, interrupt_flag
from stream_rec.client import EventProducer
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings
from stream_rec.events import validate
from stream_rec.events.receipt import Receipt
from stream_rec.operations.permissions import require_permissions

_RECEIPT = msgspec.json.Decoder(Receipt)


@click.group(cls=Commands)
def user() -> None:
    """What concerns one user."""


@user.command()
@click.argument("user_id")
@click.option("--timeout", "timeout_s", default=60.0, type=click.FloatRange(min=0), help="Seconds to wait; 0: do not.")
@click.option("--yes", is_flag=True, help="Do not ask: for scripts.")
@json_option
@click.pass_obj
def forget(settings: Settings, user_id: str, timeout_s: float, yes: bool, as_json: bool) -> None:
    """Have everything deleted that is known of USER_ID, once that is confirmed, and wait for the receipt.

    Events that come later begin a new user. What apps wrote to the input topics goes with those topics' retention.
    Exit code 1 if there is no receipt in time: the request stands all the same, and is carried out when a worker runs.
    """
    if rejection := validate.check_user_id(user_id, settings.limits):
        raise click.BadParameter(rejection.detail, param_hint="USER_ID")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(f"deleting user {user_id!r} must be confirmed: at a terminal, or with --yes")
    kafka = reach_broker(settings, os.environ).kafka
    require_permissions(kafka, read=["receipts"], write=["forget"])
    if not yes:
        click.confirm(f"Delete all that is known of user {user_id!r}? It cannot be undone", abort=True, err=True)
    with interrupt_flag() as interrupted, closing(TopicReader(kafka, "receipts")) as receipts:
        with EventProducer(kafka) as producer:
            request_id = producer.forget(user_id)
            producer.flush()
        if timeout_s == 0:
            answer(as_json, f"asked for, as request {request_id}", request_id=request_id, receipt=None)
            return
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not interrupted.is_set():
            for record in receipts.poll(0.2):
                if record.key == request_id.encode():
                    receipt = _RECEIPT.decode(record.value)
                    said = (
                        f"forgotten: {receipt.n_events} events with {receipt.n_items} items (receipt {request_id})"
                        if receipt.n_events
                        else f"nothing was known of this user (receipt {request_id})"
                    )
                    answer(as_json, said, request_id=request_id, receipt=msgspec.to_builtins(receipt))
                    return
    if interrupted.is_set():
        click.echo(f"stopped by Ctrl-C before the receipt came; the request stands, as {request_id}", err=True)
        sys.exit(EXIT_CODE)
    click.echo(f"no receipt within {timeout_s:g} s: does a worker run? The request stands, as {request_id}", err=True)
    sys.exit(1)
