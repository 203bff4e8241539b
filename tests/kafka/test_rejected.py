"""Every malformed input lands on ``rejected`` with where it stood and why, and changes nothing else."""

from __future__ import annotations

import json
import time

import msgspec
import pytest
from kafka import KafkaProducer

from stream_rec.events.rejected import Rejected
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import assert_same_as_replay, read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

RECORD_BYTES = 4096
DAY_MS = 86_400_000
ANN = b"ann"


def event(**changed: object) -> bytes:
    """A good event of ann's, but for what is changed; ``...`` leaves a field out."""
    fields = {"event_id": "bad", "user_id": "ann", "item_id": "teapot", "timestamp_ms": 1_700_000_000_000, **changed}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def bad_events() -> list[tuple[str, bytes | None, bytes | None]]:
    """(reason, key, value) of inputs that are no events."""
    return [
        ("not_json", ANN, b"click!"),
        ("not_json", ANN, b'{"event_id":"e1"'),
        ("not_json", ANN, b"\xff\xfe\x00"),
        ("not_json", ANN, b""),
        ("not_json", ANN, event(value=float("nan"))),
        ("wrong_type", ANN, b"[]"),
        ("wrong_type", ANN, b"null"),
        ("wrong_type", ANN, event(timestamp_ms="yesterday")),
        ("wrong_type", ANN, event(item_id=7)),
        ("wrong_type", ANN, event(value="9.99")),
        ("wrong_type", ANN, event(context=[1])),
        ("wrong_type", ANN, event(event_id=...)),
        ("wrong_type", ANN, event(user_id=...)),
        ("wrong_type", ANN, event(item_id=...)),
        ("wrong_type", ANN, event(timestamp_ms=...)),
        ("bad_id", ANN, event(event_id="")),
        ("bad_id", ANN, event(user_id="")),
        ("bad_id", ANN, event(item_id="")),
        ("bad_id", ANN, event(item_id="x" * 257)),
        ("bad_id", ANN, event(item_id="\u00e9" * 129)),
        ("bad_id", ANN, event(item_id="a\0b")),
        ("bad_id", b"*", event(user_id="*")),
        ("bad_timestamp", ANN, event(timestamp_ms=-1)),
        ("bad_timestamp", ANN, event(timestamp_ms=time.time_ns() // 1_000_000 + 2 * DAY_MS)),
        ("too_large", ANN, event(context={"note": "x" * RECORD_BYTES})),
        ("empty", ANN, None),
        ("key_mismatch", None, event()),
        ("key_mismatch", b"bob", event()),
        ("key_mismatch", b"", event()),
    ]


def bad_items() -> list[tuple[str, bytes | None, bytes | None]]:
    """(reason, key, value) of inputs that are no items. The broker itself takes none without a key: it compacts."""
    return [
        ("not_json", b"teapot", b"teapot"),
        ("wrong_type", b"teapot", b'{"item_id":"teapot","title":5}'),
        ("wrong_type", b"teapot", b'{"title":"Teapot"}'),
        ("wrong_type", b"teapot", b'{"item_id":"teapot","vectors":{"image":["a"]}}'),
        ("bad_id", b"", b'{"item_id":""}'),
        ("bad_id", b"x" * 257, None),
        ("bad_id", b"\xff", None),
        ("too_large", b"teapot", json.dumps({"item_id": "teapot", "title": "x" * RECORD_BYTES}).encode()),
        ("key_mismatch", b"kettle", b'{"item_id":"teapot"}'),
    ]


def test_bad_input_is_set_aside_and_nothing_else_changes(bootstrap: str) -> None:
    """Between good events and items, each bad one is named on ``rejected`` once; all else is as without it."""
    log = zipf_log(n_events=200, n_users=20, n_items=20, seed=5)
    items = catalog_of(log)
    settings = quick_settings(limits={"record_bytes": RECORD_BYTES})
    expected: dict[tuple[str, int, int], tuple[str, bytes | None, bytes | None]] = {}

    with RunningPipeline(bootstrap, settings) as running:
        topic = running.settings.kafka.topic
        raw = KafkaProducer(bootstrap_servers=bootstrap)
        with running.producer() as producer:
            send(producer, log[:100])
            for item in items[:10]:
                producer.item(item)
            producer.flush()
            bad = [("clicks", *record) for record in bad_events()] + [("items", *record) for record in bad_items()]
            for name, reason, key, value in bad:
                stands = raw.send(topic(name), key=key, value=value).get(10)
                expected[stands.topic, stands.partition, stands.offset] = reason, key, value
            raw.close()
            send(producer, log[100:])
            for item in items[10:]:
                producer.item(item)
        running.wait_until_settled()
        wait_until(lambda: len(running.read_compacted("item-embeddings")) == len(items))
        wait_until(lambda: len(read(running, "rejected")) >= len(expected))

        assert_same_as_replay(running, log)
        found = {}
        for record in read(running, "rejected"):
            rejected = msgspec.json.decode(record.value, type=Rejected)
            origin = rejected.origin.topic, rejected.origin.partition, rejected.origin.offset
            found[origin] = rejected.reason, record.key
            assert rejected.head == (expected[origin][2] or b"")[:512]
            assert rejected.detail
        assert found == {origin: (reason, key) for origin, (reason, key, _) in expected.items()}
        assert set(running.read_compacted("item-embeddings")) == {item.item_id for item in items}
