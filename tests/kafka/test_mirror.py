"""A start reads this process's mirror of the catalog's topics, and of the topics only what came since."""

from __future__ import annotations

import re

import pytest
from kafka import KafkaAdminClient

from stream_rec.client.connect import connect
from stream_rec.events.item import Item
from stream_rec.runtime.mirror import FOLDER
from stream_rec.testing.pipeline import Child, RunningPipeline
from stream_rec.topics import admin as topics
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def starts(child: Child) -> list[tuple[int, int]]:
    """(records from the mirror, records from the topics) of each start."""
    log = child.log.read_text(errors="replace")
    return [(int(a), int(b)) for a, b in re.findall(r" caught_up .* mirrored=(\d+) records=(\d+)", log)]


def n_bytes_written(child: Child) -> int:
    """What the process's mirror has on the disk: it is written every two seconds, and it is there before that."""
    return sum(path.stat().st_size for path in (child.directory / FOLDER).glob("*.log"))


def test_after_a_kill_a_start_reads_the_mirror_and_the_tail(bootstrap: str) -> None:
    """Worker and embedder: an item that was told, one that changed and one that was deleted are as they were.

    Where the topics were deleted and made again, the mirror is not taken for them.
    """
    log = zipf_log(n_events=600, n_users=40, n_items=30, seed=4)
    with RunningPipeline(bootstrap, quick_settings()) as running, running.producer() as producer:
        for item in catalog_of(log):
            producer.item(item)
        producer.flush()
        wait_until(lambda: len(running.read_compacted("item-embeddings")) == len(catalog_of(log)))
        send(producer, log)
        running.wait_until_settled()
        worker, embedder = running.children["worker-1"], running.children["embedder-1"]
        n_bytes = sum(map(len, running.read_compacted("item-embeddings").values()))
        for child in (worker, embedder):
            wait_until(lambda child=child: n_bytes_written(child) > n_bytes)
        assert starts(worker) == starts(embedder) == [(0, 0)]

        producer.item(Item("item-0", title="another title", available=False))
        producer.flush()
        running.wait_until_settled()
        for child in (worker, embedder):
            child.kill()
        worker, embedder = running.start_worker(), running.start_embedder()

        with running.view() as view:
            view.wait_until_ready()
            producer.click("ann", "item-1")
            producer.flush()
            wait_until(lambda: view.own("ann"))
            assert "item-0" not in [item.item_id for item in view.own("ann").items]
        (_, first), (_, second) = starts(worker), starts(embedder)
        n_all = sum(len(running.read_compacted(t)) for t in ("items", "item-embeddings", "item-knowledge"))
        assert first[0] > n_all / 2 and second[0] > 20, (first, second)

        assert [child.stop() for child in (worker, embedder)] == [0, 0]
        client = connect(KafkaAdminClient, running.settings.kafka)
        client.delete_topics([running.settings.kafka.topic("head-weights")])
        wait_until(lambda: topics.create(running.settings))
        client.close()
        worker = running.start_worker()

        assert starts(worker)[2][0] == 0
        assert "removed_mirror" in worker.log.read_text()
