"""Real deletion: nothing of a user who was forgotten is on any disk, once topics have been compacted."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from stream_rec.broker.local import start_local, stop_local
from stream_rec.client.connect import connect
from stream_rec.config import BrokerSettings
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.topics.definition import all_topics
from tests.disk import holding
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

GONE = "to-be-forgotten-4711"
AT_ONCE = {
    "segment.ms": "100",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "100",
    "delete.retention.ms": "0",
    "min.cleanable.dirty.ratio": "0.01",
    "file.delete.delay.ms": "0",
}
"""What compaction does within a day, within seconds."""


def compact(running: RunningPipeline, *, at_once: bool = True) -> None:
    """Have the broker compact what is compacted, and drop what is dropped some day, at once; or as ever."""
    client = connect(KafkaAdminClient, running.settings.kafka)
    for topic in all_topics(running.settings):
        is_compacted = topic.config["cleanup.policy"] == "compact"
        config = (AT_ONCE if is_compacted else {"retention.ms": "1", **AT_ONCE}) if at_once else {}
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, {**topic.config, **config})])
    client.close()


@pytest.fixture
def broker_directory(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and directory of a Kafka that drops what is due every second."""
    broker = start_local(
        BrokerSettings(preferred_port=0), tmp_path, extra_properties="log.retention.check.interval.ms=1000\n"
    )
    yield broker.bootstrap, tmp_path
    stop_local(broker)


def test_nothing_of_a_forgotten_user_is_left_on_any_disk(broker_directory: tuple[str, Path]) -> None:
    """Within ten seconds the receipt; then the directories of worker and broker are searched for the id."""
    bootstrap, kafka = broker_directory
    log = zipf_log(n_events=300, n_users=20, n_items=15, seed=3)
    with RunningPipeline(bootstrap, quick_settings(), embedder=False) as running, running.producer() as producer:
        for item in catalog_of(log):
            producer.item(item)
        send(producer, log)
        for number in range(300):  # more than a state holds: there is an archive, too
            producer.click(GONE, f"item-{number % 15}")
        producer.flush()
        running.wait_until_settled()
        assert running.user_states()[GONE].n_archived

        began = time.monotonic()
        request_id = producer.forget(GONE)
        producer.flush()
        wait_until(lambda: any(r.key == request_id.encode() for r in read(running, "receipts")), 10.0)
        assert GONE not in running.user_states()
        assert GONE not in running.read_compacted("recommendations")
        assert time.monotonic() - began < 10.0

        compact(running)
        more = itertools.count()

        def left() -> list[str]:
            # A topic's last segment is never compacted: others must go on.
            for user, item in itertools.product(range(20), range(3)):
                producer.view(f"user-{user}", f"item-{item}", event_id=f"more-{next(more)}")
                producer.purchase(f"user-{user}", f"item-{item}")
                producer.click(f"user-{user}", f"item-{item}")
            producer.forget(f"nobody-{next(more)}")
            producer.flush()
            return [*holding(kafka, GONE.encode()), *holding(running.directory, GONE.encode())]

        wait_until(lambda: not left(), 90.0)

        compact(running, at_once=False)
        producer.click(GONE, "item-1")
        producer.flush()
        wait_until(lambda: GONE in running.user_states())
        assert running.user_states()[GONE].counts == (0, 1, 0)
        with running.view() as view:
            wait_until(lambda: view.own(GONE))
