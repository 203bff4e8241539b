"""Every malformed input lands on ``rejected`` with where it stood and why, and changes nothing else."""

from __future__ import annotations

import msgspec
import pytest
from kafka import KafkaProducer

from stream_rec.events.rejected import Rejected
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.logs import catalog_of, send, with_impressions, with_profiles, with_searches, zipf_log
from tests.kafka.malformed import bad_events, bad_impressions, bad_items, bad_profiles, bad_rules, bad_searches
from tests.kafka.outcome import assert_same_as_replay, read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

RECORD_BYTES = 4096


def test_bad_input_is_set_aside_and_nothing_else_changes(bootstrap: str) -> None:
    """Between good events and items, each bad one is named on ``rejected`` once; all else is as without it."""
    log = with_impressions(with_searches(zipf_log(n_events=200, n_users=20, n_items=20, seed=5), seed=6), seed=7)
    log = with_profiles(log, seed=8)
    items = catalog_of(log)
    settings = quick_settings(limits={"record_bytes": RECORD_BYTES}, user={"context_keys": "country"})
    expected: dict[tuple[str, int, int], tuple[str, bytes | None, bytes | None]] = {}

    with RunningPipeline(bootstrap, settings) as running:
        topic = running.settings.kafka.topic
        raw = KafkaProducer(bootstrap_servers=bootstrap)
        with running.producer() as producer:
            send(producer, log[:100])
            for item in items[:10]:
                producer.item(item)
            producer.flush()
            bad = [("clicks", *record) for record in bad_events(record_bytes=RECORD_BYTES)]
            bad += [("searches", *record) for record in bad_searches(record_bytes=RECORD_BYTES)]
            bad += [("impressions", *record) for record in bad_impressions(record_bytes=RECORD_BYTES)]
            bad += [("profiles", *record) for record in bad_profiles(record_bytes=RECORD_BYTES)]
            bad += [("items", *record) for record in bad_items(record_bytes=RECORD_BYTES)]
            bad += [("rules", *record) for record in bad_rules(record_bytes=RECORD_BYTES)]
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
