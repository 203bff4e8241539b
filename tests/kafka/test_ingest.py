"""A shop's own topics, under their own names and partitions: every record counts once, whatever is killed meanwhile."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka import KafkaAdminClient, KafkaProducer

from stream_rec.cli import cli
from stream_rec.client.connect import connect
from stream_rec.config import Settings, load
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.rejected import Rejected
from stream_rec.testing.pipeline import RunningPipeline
from tests.ingest.apicurio import apicurio
from tests.interop.test_clients import HERE, program
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

PARTITIONS = {"shop.web.clickstream": 6, "shop.orders": 6, "dbserver.public.products": 3}
PRODUCTS, USERS, RECORDS = 40, 60, 3000
ACTIONS = {
    "product_viewed": "view",
    "product_clicked": "click",
    "added_to_cart": "click",
    "wished": "click",
    "order_paid": "purchase",
    "scrolled": "ignore",
}
"""Six types of events in one topic."""


AVRO = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "session", "type": ["null", {
            "type": "record",
            "name": "Session",
            "fields": [
                {"name": "customer", "type": ["null", "string"], "default": None},
                {"name": "visitor", "type": ["null", "string"], "default": None},
            ],
        }], "default": None},
        {"name": "product", "type": {
            "type": "record", "name": "Product", "fields": [{"name": "sku", "type": "string"}],
        }},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
    ],
}  # fmt: skip


def json_of(topic: str, value: Any) -> bytes:
    return json.dumps(value).encode()


def avro_by(url: str) -> Callable[[str, Any], bytes]:
    """Return what writes the clickstream as Confluent's Avro serializer does, and all else as JSON."""
    write = AvroSerializer(SchemaRegistryClient({"url": url}), json.dumps(AVRO))

    def serialize(topic: str, value: Any) -> bytes:
        if not topic.endswith("clickstream"):
            return json_of(topic, value)
        written = write(value, SerializationContext(topic, MessageField.VALUE))
        assert written is not None
        return written

    return serialize


class Shop:
    """Writes to its topics, and keeps by itself what must come of it."""

    def __init__(self, kafka: Any, prefix: str, serialize: Callable[[str, Any], bytes] = json_of) -> None:
        self._producer = connect(KafkaProducer, kafka, acks="all")
        self._serialize = serialize
        self._prefix = prefix
        self.counts: dict[str, Counter[int]] = defaultdict(Counter)
        """By user, how many events of each kind."""
        self.n_bad = 0
        self.titles: dict[str, str | None] = {}
        self._now = 1_714_564_800_000

    def write(self, chance: random.Random) -> None:
        """Write one record of some kind, as apps do: keyed by what they like, with times of their own."""
        self._now += chance.randrange(2000)
        user, sku = f"u{chance.randrange(USERS)}", f"{chance.randrange(PRODUCTS)}"
        match chance.randrange(10):
            case 0:
                lines = [{"sku": f"{chance.randrange(PRODUCTS)}", "eur": 1.5} for _ in range(chance.randrange(1, 4))]
                order = {"order_no": f"o{self._now}-{chance.random()}", "customer": user, "lines": lines}
                self._send("shop.orders", order["order_no"].encode(), order)
                self.counts[user][Kind.PURCHASE] += len(lines)
            case 1:
                self._change(chance, int(sku))
            case 2 if chance.random() < 0.3:
                self._send("shop.web.clickstream", None, {"name": "product_viewed", "product": {"sku": sku}})
                self.n_bad += 1
            case _:
                name = chance.choice(list(ACTIONS))
                known = {"customer": user} if chance.random() < 0.5 else {"visitor": user, "customer": None}
                event = {"name": name, "session": known, "product": {"sku": sku}, "at": self._now}
                self._send("shop.web.clickstream", sku.encode(), event)
                if name != "scrolled":
                    self.counts[user][{"view": 0, "click": 1, "purchase": 2}[ACTIONS[name]]] += 1

    def _change(self, chance: random.Random, number: int) -> None:
        key = json.dumps({"id": number}).encode()
        row = {"id": number, "name": f"Product {number} of {self._now}", "stock": chance.randrange(3)}
        if chance.random() < 0.15:
            self._send("dbserver.public.products", key, {"op": "d", "before": row, "after": None})
            self._send("dbserver.public.products", key, None)
            self.titles[str(number)] = None
        else:
            self._send("dbserver.public.products", key, {"op": "u", "before": None, "after": row})
            self.titles[str(number)] = row["name"]

    def flush(self) -> None:
        self._producer.flush()

    def _send(self, topic: str, key: bytes | None, value: Any) -> None:
        data = None if value is None else self._serialize(topic, value)
        self._producer.send(self._prefix + topic, key=key, value=data, timestamp_ms=self._now)


def make_topics(kafka: Any, partitions: dict[str, int]) -> None:
    """Make topics of a shop's, with the times of who writes."""
    client = connect(KafkaAdminClient, kafka)
    configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}  # its times are of 2024
    client.create_topics(
        {name: {"num_partitions": n, "replication_factor": 1, "configs": configs} for name, n in partitions.items()}
    )
    client.wait_for_topics(list(partitions))
    client.close()


def adopt(kafka: Any, file: Path, names: list[str]) -> Settings:
    """Return the settings that `topics adopt` writes for topics of the shop's."""
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    said = [*(["--config", str(file)] if file.exists() else []), *address, "topics", "adopt", *names]
    result = CliRunner().invoke(cli, [*said, "--write", str(file)])
    assert result.exit_code == 0, result.output
    return load(file, environ={})


def test_a_shops_own_topics_are_served_exactly(bootstrap: str, tmp_path: Path) -> None:
    """Adopted by a command, with two processes that read them, each killed at random moments, a worker too."""
    serve_shop(bootstrap, tmp_path, json_of)


@pytest.mark.interop
def test_avro_of_a_registry_is_served_exactly(bootstrap: str, tmp_path: Path) -> None:
    """The same, its mixed topic in Avro, by a real schema registry."""
    with apicurio(tmp_path) as url:
        (tmp_path / "shop.toml").write_text(f'[registry]\nurl = "{url}"\n')
        serve_shop(bootstrap, tmp_path, avro_by(url))


def serve_shop(bootstrap: str, folder: Path, serialize: Callable[[str, Any], bytes]) -> None:
    """Have a shop write, adopt its topics, read them while processes are killed, and compare with what it knows."""
    chance = random.Random(1)
    pipeline = RunningPipeline(bootstrap, quick_settings(), embedder=False)
    kafka = pipeline.settings.kafka
    prefix = f"their-{kafka.topic_prefix}"
    make_topics(kafka, {prefix + name: n for name, n in PARTITIONS.items()})
    shop = Shop(kafka, prefix, serialize)
    for _ in range(200):
        shop.write(chance)
    shop.flush()
    adopted = adopt(kafka, folder / "shop.toml", [prefix + name for name in PARTITIONS])
    pipeline.settings = msgspec.structs.replace(pipeline.settings, ingest=adopted.ingest, registry=adopted.registry)
    with pipeline as running:
        readers = [running.start_ingest(f"ingest-{n}", wait=False) for n in (1, 2)]
        for reader in readers:
            reader.wait_until_ready()
        for number in range(RECORDS):
            shop.write(chance)
            if number % 600 == 300:
                shop.flush()
                running.children[name := chance.choice(["ingest-1", "ingest-2", "worker-1"])].kill()
                start = running.start_worker if name == "worker-1" else running.start_ingest
                start(name, wait=False)
        shop.flush()
        for child in running.children.values():
            child.wait_until_ready()

        def counted() -> dict[str, list[int]]:
            return {user: list(state.counts) for user, state in running.user_states().items()}

        expected = {user: [of[0], of[1], of[2]] for user, of in shop.counts.items()}
        n_expected = sum(map(sum, expected.values()))
        wait_until(lambda: sum(map(sum, counted().values())) >= n_expected, timeout_s=120)
        running.wait_until_settled()
        assert counted() == expected
        items = {key: json.loads(value)["title"] for key, value in running.read_compacted("items").items()}
        assert items == {key: title for key, title in shop.titles.items() if title is not None}
        said = {
            (one.origin.topic, one.origin.partition, one.origin.offset)
            for one in (msgspec.json.decode(record.value, type=Rejected) for record in read(running, "rejected"))
        }
        assert len(said) == shop.n_bad and {topic for topic, _, _ in said} == {prefix + "shop.web.clickstream"}
        with running.view() as lists:
            lists.wait_until_ready()
            assert all(lists.own(user) for user in expected)


@pytest.mark.interop
def test_an_app_that_is_instrumented_for_ubi_needs_nothing_else(bootstrap: str, tmp_path: Path) -> None:
    """One of Node's that has never heard of us; its topics are adopted by the command, and all counts are its own."""
    pipeline = RunningPipeline(bootstrap, quick_settings(), embedder=False)
    kafka = pipeline.settings.kafka
    topics = [f"their-{kafka.topic_prefix}{name}" for name in ("ubi_queries", "ubi_events")]
    make_topics(kafka, dict.fromkeys(topics, 3))
    app = [*program("kafkajs")[:1], str(HERE / "ubi_app.mjs"), kafka.bootstrap, *topics]
    ended = subprocess.run(app, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    adopted = adopt(kafka, tmp_path / "shop.toml", topics)
    pipeline.settings = msgspec.structs.replace(pipeline.settings, ingest=adopted.ingest)
    with pipeline as running:
        with running.producer() as producer:
            for number in range(12):
                producer.item(Item(f"sku-{number}", f"Teapot {number}"))
        running.start_ingest()

        def counted() -> dict[str, dict[str, int]]:
            return {
                user: {
                    "searches": len(state.recent_searches),
                    "shown": len(state.recent_impressions),
                    **dict(zip(("view", "click", "purchase"), state.counts)),
                }
                for user, state in running.user_states().items()
            }

        wait_until(lambda: counted() == told)
        running.wait_until_settled()
        assert counted() == told and not read(running, "rejected")
        with running.view() as lists:
            lists.wait_until_ready()
            assert all(lists.own(user) for user in told)
