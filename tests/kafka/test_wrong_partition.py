"""A right key in a wrong partition: rejected with what to set, and sent right by `rejected replay`."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner
from kafka import KafkaProducer

from stream_rec.cli import cli
from stream_rec.client.connect import connect
from stream_rec.embedding import item_embedding
from stream_rec.embedding.text import content_hash
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.partition import partition_of
from stream_rec.events.receipt import Receipt
from stream_rec.events.rejected import Rejected
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import assert_same_as, read, replayed, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def test_what_came_to_a_wrong_partition_is_rejected_and_sent_right(bootstrap: str) -> None:
    """As librdkafka's default partitioner does it, with half of each user's events: every event counts once in the end.

    An erasure request is carried out where the user is, and not receipted before; an item's newer version stays.
    """
    log = [
        LoggedEvent(Kind.CLICK, Interaction(f"e{n}", f"user-{n % 5}", f"i{n % 3}", 1_700_000_000_000 + n))
        for n in range(40)
    ]
    with RunningPipeline(bootstrap, quick_settings()) as running:
        kafka = running.settings.kafka
        raw = connect(KafkaProducer, kafka)

        def send(topic: str, key: bytes, value: bytes, *, is_right: bool) -> None:
            partition = (partition_of(key, kafka.partitions) + (not is_right)) % kafka.partitions
            raw.send(kafka.topic(topic), key=key, value=value, partition=partition).get(10)

        def command(*words: str) -> str:
            address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
            result = CliRunner().invoke(cli, [*address, "rejected", *words], catch_exceptions=False)
            assert result.exit_code == 0, result.output
            return result.output

        for number, (kind, event) in enumerate(log):
            is_right = number % 2 == 0
            send(kind.topic, event.user_id.encode(), msgspec.json.encode(event), is_right=is_right)
        send("items", b"i0", json.dumps({"item_id": "i0", "title": "old"}).encode(), is_right=False)
        send("items", b"i0", json.dumps({"item_id": "i0", "title": "new"}).encode(), is_right=True)
        send("items", b"i1", json.dumps({"item_id": "i1", "title": "only"}).encode(), is_right=False)
        running.wait_until_settled()
        wait_until(lambda: len(read(running, "rejected")) == 22)
        said = [msgspec.json.decode(record.value, type=Rejected) for record in read(running, "rejected")]
        assert {one.reason for one in said} == {"wrong_partition"}
        assert all("partitioner=murmur2_random" in one.detail for one in said)
        assert set(running.read_compacted("item-embeddings")) == {"i0"}

        output = command("replay", "--yes")

        assert "superseded" in output
        running.wait_until_settled()
        wait_until(lambda: set(running.read_compacted("item-embeddings")) == {"i0", "i1"})
        as_taken = sorted(log, key=lambda logged: int(logged.event.event_id[1:]) % 2)
        assert_same_as(running, replayed(running.settings, as_taken))
        newest = item_embedding.decode(running.read_compacted("item-embeddings")["i0"])
        assert newest.content_hash == content_hash("new")

        request = json.dumps({"user_id": "user-1", "timestamp_ms": 1_700_000_000_000, "request_id": "r1"}).encode()
        send("forget", b"user-1", request, is_right=False)
        wait_until(lambda: len({r.value for r in read(running, "rejected")}) == 23)
        assert not read(running, "receipts") and "user-1" in running.user_states()

        command("replay", "--yes", "--topic", "forget")

        wait_until(lambda: read(running, "receipts"))
        receipt = msgspec.json.decode(read(running, "receipts")[0].value, type=Receipt)
        assert (receipt.request_id, receipt.n_events) == ("r1", 8)
        assert "user-1" not in running.user_states()
        raw.close()
