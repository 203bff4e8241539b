"""`stream-rec topics adopt`: look at a cluster's topics, and propose how to read them."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from stream_rec.cli.answer import json_option
from stream_rec.config import Settings, load, toml_value
from stream_rec.errors import FileProblem
from stream_rec.events.validate import Rejection
from stream_rec.ingest.foreign_record import ForeignRecord
from stream_rec.ingest.formats import Decoder, JsonDecoder
from stream_rec.ingest.propose import Proposal, propose
from stream_rec.ingest.schemas import open_decoder
from stream_rec.ingest_settings import CONTENT_OF_SECTION, AdoptedTopic
from stream_rec.kafka_settings import KafkaSettings

SERIALIZED = b"\0"
"""What the serializers of schema registries begin with."""
SHOWN = 3
"""Reasons, and types, that are named of one topic."""
READ_S = 15.0


@click.command()
@click.argument("names", metavar="[TOPIC]...", nargs=-1)
@click.option("--samples", default=200, type=click.IntRange(1, 10_000), help="Newest records of each partition.")
@click.option("--write", "file", type=click.Path(path_type=Path), help="Append the tables to this settings file.")
@json_option
@click.pass_obj
def adopt(settings: Settings, names: tuple[str, ...], samples: int, file: Path | None, as_json: bool) -> None:
    """Propose how topics that are there already can be read by `stream-rec ingest`.

    Looks at some records of each topic that is not the pipeline's own, tries the mapping on them, and prints it as
    [ingest.topics] of the settings: look at it before it is used. Nothing is written to Kafka. Exit code 1 where
    nothing can be proposed.
    """
    from stream_rec.broker.find import find_broker

    settings = find_broker(settings, os.environ)
    wanted = list(names) or _foreign_topics(settings)
    tables: dict[str, AdoptedTopic] = {}
    facts: dict[str, Any] = {}
    for name in wanted:
        found = _look_at(name, settings, samples)
        facts[name] = {"not_proposed": found} if isinstance(found, str) else _as_facts(found)
        if not isinstance(found, str):
            tables[_choose_section(name, found.topic, tables)] = found.topic
        if not as_json:
            _say(name, found)
    text = "\n".join(as_table(section, topic) for section, topic in tables.items())
    if as_json:
        click.echo(json.dumps({"topics": facts, "toml": text}, ensure_ascii=False))
    elif tables and file is None:
        click.echo(f"\n{text}", nl=False)
    if tables and file is not None:
        _append(file, text, tables)
        click.echo(f"written to {file}: look at it, then run `stream-rec --config {file} ingest`", err=True)
    if not tables:
        raise SystemExit(1)


def as_table(section: str, topic: AdoptedTopic) -> str:
    """Return the settings of one topic as a TOML table.

    Example:
        >>> print(as_table("orders", AdoptedTopic(name="shop.orders", fields={"user_id": "customer.id"})), end="")
        [ingest.topics.orders]
        name = "shop.orders"
        <BLANKLINE>
        [ingest.topics.orders.fields]
        user_id = "customer.id"
    """
    says: Mapping[str, Any] = msgspec.to_builtins(topic)
    lines = [f"[ingest.topics.{_as_key(section)}]"]
    lines += [f"{name} = {toml_value(value)}" for name, value in says.items() if not isinstance(value, Mapping)]
    for name, values in says.items():
        if isinstance(values, Mapping):
            lines += ["", f"[ingest.topics.{_as_key(section)}.{name}]"]
            lines += [f"{_as_key(key)} = {toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _foreign_topics(settings: Settings) -> list[str]:
    """Return the topics that are neither the pipeline's nor Kafka's, nor a registry's or Kafka Connect's."""
    from kafka import KafkaAdminClient

    from stream_rec.client.connect import connect
    from stream_rec.topics.definition import all_topics

    client = connect(KafkaAdminClient, settings.kafka)
    try:
        there = client.list_topics()
    finally:
        client.close()
    own = {topic.name for topic in all_topics(settings)}
    return sorted(name for name in there if name not in own and not re.match(r"_|connect-|.*-changelog$", name))


def _look_at(name: str, settings: Settings, samples: int) -> Proposal | str:
    records = _sample(settings.kafka, name, samples)
    form, decoder = "json", cast(Decoder, JsonDecoder())
    value = next((record.value for record in records if record.value), b"{}")
    if value.startswith(SERIALIZED):
        found = _choose_decoder(name, value, settings)
        if isinstance(found, str):
            return found
        form, decoder = found
    return propose(name, records, decoder, form, time.time_ns() // 1_000_000)


def _choose_decoder(name: str, value: bytes, settings: Settings) -> tuple[str, Decoder] | str:
    """Return the format of what a schema registry's serializer wrote, and what reads it."""
    if not settings.registry.url:
        return "its records are written with a schema registry: set [registry] url, and try again"
    said = ""
    for form in ("avro", "protobuf"):
        decoder = open_decoder(msgspec.convert({"name": name, "format": form}, AdoptedTopic), settings.registry)
        read = decoder.value(name, value)
        if not isinstance(read, Rejection):
            return form, decoder
        said = said or read.detail
    return f"its records are neither Avro nor Protobuf of the registry: {said}"


def _sample(kafka: KafkaSettings, name: str, samples: int) -> list[ForeignRecord]:
    """Return the newest records of each partition."""
    from stream_rec.client.reader import TopicReader

    reader = TopicReader(msgspec.structs.replace(kafka, topic_prefix=""), name, newest=samples)
    try:
        records = reader.read_to_end(READ_S)
    finally:
        reader.close()
    return [
        ForeignRecord(
            name, record.partition, record.offset, record.timestamp, record.key, record.value, dict(record.headers)
        )
        for record in records
    ]


def _choose_section(name: str, topic: AdoptedTopic, taken: Iterable[str]) -> str:
    """Return a short name for a table: the end of the topic's, where that says nothing else and is not taken."""
    bare = re.sub(r"[^A-Za-z0-9_-]+", "-", name.rsplit(".", 1)[-1]) or "topic"
    holds = CONTENT_OF_SECTION.get(bare, (topic.holds, ""))[0]
    if bare not in taken and holds == topic.holds:
        return bare
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:80] + ("" if name not in CONTENT_OF_SECTION else "-topic")


def _as_facts(found: Proposal) -> dict[str, Any]:
    return {
        "records": found.n_records,
        "made": found.n_made,
        "ignored": found.n_ignored,
        "rejected": dict(found.rejected),
        "unsure_types": found.unsure_types,
    }


def _say(name: str, found: Proposal | str) -> None:
    if isinstance(found, str):
        click.echo(f"{name}: not proposed: {found}", err=True)
        return
    n_bad = sum(found.rejected.values())
    click.echo(
        f"{name}: {found.topic.holds}; of {found.n_records} records came {found.n_made} of ours, "
        f"{found.n_ignored} are left out, {n_bad} cannot be used",
        err=True,
    )
    for reason, n in found.rejected.most_common(SHOWN):
        click.echo(f"  {n} x {reason}", err=True)
    if found.unsure_types:
        more = ", ..." if len(found.unsure_types) > SHOWN else ""
        named = ", ".join(map(repr, found.unsure_types[:SHOWN]))
        click.echo(f"  types to look at, for they are left out: {named}{more}", err=True)


def _append(file: Path, text: str, tables: Iterable[str]) -> None:
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(f"{file} cannot be read: {error}") from error
    if before:
        there = load(file, environ={}).ingest.topics  # says what is wrong with it
        if twice := [section for section in tables if section in there]:
            raise FileProblem(f"{file} has [ingest.topics.{twice[0]}] already: take it out first, or write elsewhere")
    try:
        file.write_text(f"{before.rstrip()}\n\n{text}" if before else text, encoding="utf-8")
    except OSError as error:
        raise FileProblem(f"{file} cannot be written: {error.strerror}") from error
    load(file, environ={})


def _as_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)
