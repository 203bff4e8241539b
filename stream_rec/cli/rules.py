"""`stream-rec rules put|end|list|explain`: what the owner will have in lists."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click
import msgspec

from stream_rec.broker.find import reach_broker
from stream_rec.cli.answer import answer, json_option
from stream_rec.cli.group import Commands
from stream_rec.cli.rule_file import read_rules
from stream_rec.client import EventProducer
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings
from stream_rec.describe_rule import describe
from stream_rec.events import validate
from stream_rec.events.item import Item
from stream_rec.events.partition import Place
from stream_rec.events.rule import Rule
from stream_rec.events.validate import Rejection
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.permissions import require_permissions

if TYPE_CHECKING:
    from stream_rec.catalog.rules import Rules

READ_S = 300.0
"""Longest wait for a topic's end."""


@click.group(cls=Commands)
def rules() -> None:
    """Put rules in force that every list obeys, end them, and see what they do."""


@rules.command()
@click.argument("file", type=click.File("rb"))
@json_option
@click.pass_obj
def put(settings: Settings, file: Any, as_json: bool) -> None:
    """Put the rules of FILE in force, one JSON object per line as on the topic `rules`; `-` reads standard input.

    A rule replaces the one with its `rule_id`. All lines are checked before the first is sent.
    """
    found = read_rules(file, settings.limits, option="FILE")
    kafka = reach_broker(settings, os.environ).kafka
    require_permissions(kafka, write=["rules"])
    with EventProducer(kafka, limits=settings.limits) as producer:
        for rule in found:
            producer.rule(rule)
    said = f"{len(found)} {'rule' if len(found) == 1 else 'rules'} sent: lists obey within a second or two"
    answer(as_json, said, sent=[rule.rule_id for rule in found])


@rules.command()
@click.argument("rule_id")
@json_option
@click.pass_obj
def end(settings: Settings, rule_id: str, as_json: bool) -> None:
    """Take the rule RULE_ID out of force."""
    kafka = reach_broker(settings, os.environ).kafka
    require_permissions(kafka, read=["rules"], write=["rules"])
    if _read_rules(settings, kafka).find(rule_id) is None:
        raise click.BadParameter(
            f"there is no rule {rule_id!r}; `stream-rec rules list` names them", param_hint="RULE_ID"
        )
    with EventProducer(kafka, limits=settings.limits) as producer:
        producer.end_rule(rule_id)
    answer(as_json, f"rule {rule_id} has ended", ended=rule_id)


@rules.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as `put` takes them.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Print all rules, whether they hold now or not."""
    from stream_rec.catalog.rules import MOST, MOST_FLOORS

    kafka = reach_broker(settings, os.environ).kafka
    require_permissions(kafka, read=["rules"])
    read = _read_rules(settings, kafka)
    found = read.every
    if as_json:
        for rule in found:
            click.echo(msgspec.json.encode(rule))
        return
    now_ms = time.time_ns() // 1_000_000
    left_out = set(read.left_out)
    for rule in found:
        waits = "  waits until others have ended" if rule.rule_id in left_out else ""
        click.echo(f"{describe(rule, now_ms)}{waits}")
    click.echo(f"{len(found)} {'rule' if len(found) == 1 else 'rules'}")
    if left_out:
        click.echo(f"{len(left_out)} wait: {MOST} are obeyed, {MOST_FLOORS} floors and exposes among them", err=True)


@rules.command()
@click.argument("item_id")
@json_option
@click.pass_obj
def explain(settings: Settings, item_id: str, as_json: bool) -> None:
    """Print which rules are about ITEM_ID now, and whether it may be in lists."""
    from stream_rec.catalog.rules import holds, is_about

    if rejection := validate.check_id("item_id", item_id, settings.limits):
        raise click.BadParameter(rejection.detail, param_hint="ITEM_ID")
    kafka = reach_broker(settings, os.environ).kafka
    require_permissions(kafka, read=["rules", "items"])
    obeyed = list(_read_rules(settings, kafka))
    item = _find_item(settings, kafka, item_id)
    now_ms = time.time_ns() // 1_000_000
    about = [rule for rule in obeyed if item is not None and is_about(rule.target, item_id, item)]
    for rule in () if as_json else about:
        click.echo(describe(rule, now_ms))
    banned = [rule.rule_id for rule in about if rule.action == "ban" and rule.scope is None and holds(rule, now_ms)]
    if item is None:
        said = "there is no such item, so it is in no list"
    elif not item.available:
        said = "its record says that it is not available, so it is in no list"
    elif banned:
        said = f"in no list, by {', '.join(banned)}"
    else:
        said = f"{len(about)} of {len(obeyed)} rules are about it; it may be in lists"
    may_be_listed = item is not None and item.available and not banned
    rule_ids = [rule.rule_id for rule in about]
    answer(as_json, f"{item_id}: {said}", item_id=item_id, may_be_listed=may_be_listed, rules=rule_ids, why=said)
    if item is None:
        sys.exit(1)


def _read_rules(settings: Settings, kafka: KafkaSettings) -> Rules:
    """Return the rules on the topic, as a worker sees them."""
    from stream_rec.catalog.rules import Rules

    found = Rules(lambda target: ())
    with closing(TopicReader(kafka, "rules")) as reader:
        for record in reader.read_to_end(READ_S):
            place = Place(record.partition, reader.n_partitions[record.topic])
            read = validate.rule_record(record.key, record.value, limits=settings.limits, place=place)
            match read:
                case rule_id, None:
                    found.delete(rule_id)
                case _, Rule() as rule:
                    found.put(rule, record.timestamp)
    return found


def _find_item(settings: Settings, kafka: KafkaSettings, item_id: str) -> Item | None:
    """Return the newest good record of an item, or None."""
    newest: Item | None = None
    with closing(TopicReader(kafka, "items")) as reader:
        deadline = time.monotonic() + READ_S
        while not reader.is_ready and time.monotonic() < deadline:
            for record in reader.poll(0.2):
                if record.key != item_id.encode():
                    continue
                read = validate.item_record(record.key, record.value, limits=settings.limits)
                if not isinstance(read, Rejection):
                    _, newest = read
    return newest
