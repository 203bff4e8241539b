"""`stream-rec watch`: follow one user's lists, with titles and reasons."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream_rec.broker.find import reach_broker
from stream_rec.cli.interrupt import interrupt_flag
from stream_rec.client import RecommendationsView
from stream_rec.client.reader import RecordLookup, TopicReader
from stream_rec.config import Settings
from stream_rec.errors import NotAllowed
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.explain import why
from stream_rec.kafka_settings import KafkaSettings

READ_TIMEOUT_S = 120.0
"""How long reading a topic to its end may take at the start."""


@click.command()
@click.argument("user")
@click.option("--top", default=10, type=click.IntRange(min=1), help="Show so many items of each list.")
@click.option("--once", is_flag=True, help="Print the list as it is and end; exit code 1 if there is none.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    help="Seconds that --once waits for a list of the user's own.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per list instead of a table.")
@click.pass_obj
def watch(settings: Settings, user: str, top: int, once: bool, wait_s: float | None, as_json: bool) -> None:
    """Print the list of USER, and each new one as it comes, until Ctrl-C. Without one, the default list.

    The delay of a new list is measured: from when the broker took the event that caused it until the list was here.
    """
    if wait_s is not None and not once:
        raise click.UsageError("--wait is for --once: without it every list is waited for")
    kafka = reach_broker(settings, os.environ).kafka
    with (
        interrupt_flag() as interrupted,
        RecommendationsView(kafka, users={user}, follow=False) as view,
        closing(Titles(kafka)) as titles,
        closing(RecordLookup(kafka)) as lookup,
    ):
        view.wait_until_ready(READ_TIMEOUT_S)
        deadline = time.monotonic() + (wait_s or 0.0)
        while view.own(user) is None and time.monotonic() < deadline and not interrupted.is_set():
            view.poll(0.2)
        shown = view.for_user(user)
        if shown is None:
            click.echo(f"there is no list for {user}, and no default list: {_why(view, settings)}", err=True)
            if once:
                sys.exit(1)
        else:
            _print(shown, user, titles, top, as_json, delay_ms=None)
        while not once and not interrupted.is_set():
            changed = view.poll(0.2)
            arrived_ms = time.time_ns() / 1e6
            newest = view.for_user(user) if changed else None
            if newest is not None and _is_news(newest, shown):
                _print(newest, user, titles, top, as_json, delay_ms=_delay_ms(newest, arrived_ms, lookup, kafka))
                shown = newest


class Titles:
    """Titles of all items: the topic ``items``, up to date at each call of ``refresh``."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._titles: dict[str, str] = {}
        self._reader = TopicReader(kafka, "items")
        self._take(self._reader.read_to_end(READ_TIMEOUT_S))

    def refresh(self) -> None:
        """Take in the items that have come or changed since."""
        self._take(self._reader.poll(0))

    def of(self, item_id: str) -> str:
        """Return the title, or the id where there is none."""
        return self._titles.get(item_id) or item_id

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()

    def _take(self, records: list[Any]) -> None:
        for record in records:
            # A deleted item keeps its title: it may still be the reason for another.
            if record.key is not None and record.value is not None:
                try:
                    self._titles[record.key.decode()] = _TITLE.decode(record.value).title
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    continue  # the pipeline rejects it as well


class _Title(msgspec.Struct):
    title: str = ""


_TITLE = msgspec.json.Decoder(_Title)


def _why(view: RecommendationsView, settings: Settings) -> str:
    """Return why there is no list, as far as this user may know."""
    try:
        return view.why_no_list(settings.worker.app_id)
    except NotAllowed as error:
        return str(error)


def _is_news(newest: Slate, shown: Slate | None) -> bool:
    """Say whether a list is worth printing: the default one is when its items or their order changed."""
    if shown is None or newest.user_id != shown.user_id:
        return True
    if newest.user_id == DEFAULT_LIST:
        return [item.item_id for item in newest.items] != [item.item_id for item in shown.items]
    return newest.list_id != shown.list_id


def _delay_ms(slate: Slate, arrived_ms: float, lookup: RecordLookup, kafka: KafkaSettings) -> float | None:
    """Return how long after the broker took its event a list was here, or None for a list that no event caused."""
    if slate.as_of is None:
        return None
    topic = slate.as_of.topic
    if not topic.startswith(kafka.topic_prefix):
        topic = kafka.topic(topic)
    event = lookup.find(topic, slate.as_of.partition, slate.as_of.offset)
    return None if event is None else arrived_ms - event.timestamp


def _print(slate: Slate, user: str, titles: Titles, top: int, as_json: bool, *, delay_ms: float | None) -> None:
    titles.refresh()
    rows = [(item, titles.of(item.item_id), why(item.reason, titles.of)) for item in slate.items[:top]]
    if as_json:
        items = [
            {"item_id": item.item_id, "title": title, "score": item.score, "why": reason}
            for item, title, reason in rows
        ]
        head = {"user_id": slate.user_id, "list_id": slate.list_id, "generated_at_ms": slate.generated_at_ms}
        click.echo(json.dumps(head | {"delay_ms": delay_ms, "items": items}, ensure_ascii=False))
        return
    whose = f"the default list ({user} has none of their own)" if slate.user_id == DEFAULT_LIST else f"list of {user}"
    delay = "" if delay_ms is None else f", {delay_ms:,.0f} ms after the event"
    table = Table(title=Text(f"{whose}{delay}"), title_justify="left", caption=f"policy {slate.policy}")
    table.add_column("#", justify="right")
    table.add_column("item", no_wrap=True)
    table.add_column("title")
    table.add_column("why")
    table.add_column("score", justify="right")
    for position, (item, title, reason) in enumerate(rows, start=1):
        # Text, not str: a title may hold what rich takes for markup.
        table.add_row(str(position), Text(item.item_id), Text(title), Text(reason), f"{item.score:.3f}")
    Console().print(table)
