"""Every codec of Kafka, on input and on output topics, is read by every program."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from stream_rec.cli import cli
from stream_rec.client.connect import connect
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.topics.definition import all_topics
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def running(bootstrap: str) -> Iterator[RunningPipeline]:
    """One pipeline for all codecs: its topics hold batches of several in the end."""
    with RunningPipeline(bootstrap, quick_settings()) as running:
        yield running


def command(running: RunningPipeline, *words: str) -> str:
    """Return what a command prints; it ends well, and no library complains meanwhile."""
    kafka = running.settings.kafka
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    result = CliRunner().invoke(cli, [*address, *words])
    assert result.exit_code == 0, (words, result.output, result.exception)
    assert "ERROR" not in result.stderr, (words, result.stderr)
    return result.stdout


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_program_reads_every_codec(running: RunningPipeline, tmp_path: Path, codec: str) -> None:
    """Of a foreign producer, and of a broker that compresses on every topic: worker, embedder, SDK and all commands."""
    kafka = running.settings.kafka
    with closing(connect(KafkaAdminClient, kafka)) as client:
        for topic in all_topics(running.settings):
            config = {**topic.config, "compression.type": codec}
            client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, config)])
    foreign = Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "compression.type": codec,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
        }
    )

    def send(topic: str, key: str, value: bytes) -> None:
        foreign.produce(kafka.topic(topic), key=key.encode(), value=value)

    ann, item = f"ann-{codec}", f"teapot-{codec}"
    now_ms = time.time_ns() // 1_000_000
    send("items", item, json.dumps({"item_id": item, "title": f"Teapot {codec} " * 30}).encode())
    for number in range(40):
        event = Interaction(f"{codec}-{number}", ann, item, now_ms - number, context={"note": "x" * 100})
        send("clicks", ann, msgspec.json.encode(event))
    send("views", ann, b"no event " * 50)
    foreign.flush(20)
    running.wait_until_settled()
    wait_until(lambda: item in running.read_compacted("item-embeddings"))
    wait_until(lambda: any(record.key == ann.encode() for record in read(running, "rejected")))

    with running.view() as lists:
        lists.wait_until_ready()
        assert lists.own(ann) is not None
    assert json.loads(command(running, "watch", ann, "--once", "--json"))["user_id"] == ann
    listed = json.loads(command(running, "rejected", "list", "--limit", "1", "--json"))
    assert "no event" in command(running, "rejected", "show", listed["origin"])
    command(running, "snapshot", "export", str(tmp_path / "state.snapshot"), "--live")
    log = tmp_path / "history.jsonl"
    old = msgspec.to_builtins(Interaction(f"{codec}-0", ann, item, now_ms)) | {"event_type": Kind.CLICK.label}
    new = old | {"event_id": f"{codec}-new"}
    log.write_text(json.dumps(old) + "\n" + json.dumps(new) + "\n")
    assert "1 to clicks; 1 were already there" in command(running, "backfill", "--events", str(log))
    running.wait_until_settled()
    assert sum(running.user_states()[ann].counts) == 41
    assert "forgotten: 41 events" in command(running, "user", "forget", ann, "--yes")
