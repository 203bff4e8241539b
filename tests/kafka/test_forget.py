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
from stream_rec.events.partition import partition_of
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.topics.definition import all_topics
from tests.disk import holding
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings, with_pushed

pytestmark = pytest.mark.kafka

GONE, ONLY_SEARCHED = "to-be-forgotten-4711", "forget-my-search-4712"
PRIVATE = "unspeakable-affliction"
"""What both have searched for."""
SHOWN = "unseen-list-4713"
"""Where the first was shown something."""
DECLARED = "unusual-pastime-4714"
"""What both say to like."""
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
    """Within ten seconds the receipts; then the directories of worker and broker are searched for ids and queries."""
    bootstrap, kafka = broker_directory
    log = zipf_log(n_events=300, n_users=20, n_items=15, seed=3)
    with (
        RunningPipeline(bootstrap, with_pushed(quick_settings()), embedder=False) as running,
        running.producer() as producer,
    ):
        for item in catalog_of(log):
            producer.item(item)
        send(producer, log)
        for number in range(300):  # more than a state holds: there is an archive, too
            producer.click(GONE, f"item-{number % 15}")
        now_ms = time.time_ns() // 1_000_000
        for user, n in ((GONE, 3), (ONLY_SEARCHED, 40)):  # of 40 most have left the recent ones
            for number in range(n):
                about = f"item-{number % 15}" if number % 2 else None
                producer.search(user, f"{PRIVATE} {number}", item_id=about, timestamp_ms=now_ms - n + number)
        for number in range(20):  # most have left the recent ones
            producer.impression(GONE, SHOWN, [f"item-{n}" for n in range(number % 15 + 1)], surface=SHOWN)
        for user in (GONE, ONLY_SEARCHED):
            producer.profile(user, interests=[DECLARED])
        producer.click(GONE, "item-2")
        producer.flush()
        running.wait_until_settled()
        assert running.user_states()[GONE].n_archived
        assert running.user_states()[GONE].recent_impressions and running.user_states()[GONE].shown_counts
        assert running.user_states()[ONLY_SEARCHED].recent_searches[-1].query == f"{PRIVATE} 39"
        for topic in ("recommendations", "surfaces", "profiles"):
            assert {GONE, ONLY_SEARCHED} <= running.read_compacted(topic).keys()
        assert holding(running.directory, PRIVATE.encode())  # it can be found where it is

        began = time.monotonic()
        request_ids = {producer.forget(user).encode() for user in (GONE, ONLY_SEARCHED)}
        producer.flush()
        wait_until(lambda: request_ids <= {record.key for record in read(running, "receipts")}, 10.0)
        assert not {GONE, ONLY_SEARCHED} & running.user_states().keys()
        for topic in ("recommendations", "surfaces", "profiles"):
            assert not {GONE, ONLY_SEARCHED} & running.read_compacted(topic).keys()
        assert time.monotonic() - began < 10.0

        compact(running)
        more = itertools.count()

        def left() -> list[str]:
            # A topic's last segment is never compacted: others must go on.
            for user, item in itertools.product(range(20), range(3)):
                producer.view(f"user-{user}", f"item-{item}", event_id=f"more-{next(more)}")
                producer.purchase(f"user-{user}", f"item-{item}")
                producer.click(f"user-{user}", f"item-{item}")
                producer.search(f"user-{user}", "a cup")
                producer.impression(f"user-{user}", "a list", [f"item-{item}"])
                producer.profile(f"user-{user}", interests=["a cup"])
            producer.forget(f"nobody-{next(more)}")
            producer.flush()
            texts = [text.encode() for text in (GONE, ONLY_SEARCHED, PRIVATE, SHOWN, DECLARED)]
            return [file for folder in (kafka, running.directory) for text in texts for file in holding(folder, text)]

        wait_until(lambda: not left(), 90.0)

        compact(running, at_once=False)
        producer.click(GONE, "item-1")
        producer.flush()
        wait_until(lambda: GONE in running.user_states())
        assert running.user_states()[GONE].counts == (0, 1, 0)
        assert running.user_states()[GONE].profile is None
        with running.view() as view:
            wait_until(lambda: view.own(GONE))


def test_a_search_of_before_that_is_read_late_brings_nobody_back(bootstrap: str) -> None:
    """Their searches stand behind megabytes of others, their erasure requests at the beginning of another topic."""
    settings = quick_settings(worker={"session_timeout_s": 6.0})
    of_one_worker = (
        name
        for name in map("shy-{}".format, itertools.count())
        if not partition_of(name.encode(), settings.kafka.partitions)
    )
    loud, *users = itertools.islice(of_one_worker, 11)
    with RunningPipeline(bootstrap, settings, embedder=False) as running, running.producer() as producer:
        running.children["worker-1"].kill()
        for number in range(3_000):
            producer.search(loud, f"cup {number}", context={"note": "x" * 3_000})
        for user in users:
            producer.search(user, PRIVATE)
            producer.view(user, "item-1")
        producer.flush()
        request_ids = {producer.forget(user).encode() for user in users}
        producer.flush()
        producer.search(users[0], "a cup")
        producer.flush()
        running.start_worker()
        wait_until(lambda: request_ids <= {record.key for record in read(running, "receipts")})
        running.wait_until_settled()

        states, lists = running.user_states(), running.read_compacted("recommendations")
        assert states.keys() - {loud} == {users[0]} == lists.keys() & set(users)
        assert [asked.query for asked in states[users[0]].recent_searches] == ["a cup"]
