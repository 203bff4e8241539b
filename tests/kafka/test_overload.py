"""Events faster than the worker serves them: a short form of ``benchmarks/overload.py``."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient

from stream_rec.client import EventProducer
from stream_rec.client.connect import connect
from stream_rec.events.interaction import TOPIC_OF_KIND, LoggedEvent
from stream_rec.operations.lag import open_records
from stream_rec.testing.pipeline import Child, RunningPipeline
from tests.kafka.logs import send, zipf_log
from tests.kafka.outcome import Count, assert_committed_to_the_end, assert_same_as, replayed, wait_until
from tests.kafka.settings import quick_settings

pytestmark = [pytest.mark.kafka, pytest.mark.thorough]

CALM, BURST, MORE = 300, 8_000, 1_000
"""The burst comes as fast as it can be sent: several times as fast as it is served, in batches this small."""
OVERRUN, AT_MOST = 3_000, 40_000
"""With fewer open records ``MORE`` are sent, until the worker has spoken, as it does every ten seconds; all of them."""
LARGE = "x" * 16_000
"""In each event of the burst: together they are 130 MB and more, of which a worker may hold what its buffers take."""
MOST_MB = 90.0
MUCH = 100
"""Open records, in what the worker says."""


def resident_mb(child: Child) -> float:
    pages = int(Path(f"/proc/{child.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Peak:
    """The most memory that a process has while this lasts."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.mb = 0.0

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.mb = max(self.mb, resident_mb(self._child))


def with_context(logged: LoggedEvent) -> LoggedEvent:
    return LoggedEvent(logged.kind, msgspec.structs.replace(logged.event, context={"note": LARGE}))


def member_id(running: RunningPipeline) -> str:
    """The name that the broker gave the only worker, another one each time it joins."""
    client = connect(KafkaAdminClient, running.settings.kafka)
    try:
        group = running.settings.kafka.topic(running.settings.worker.app_id)
        (member,) = client.describe_groups([group])[group]["members"]
        return member["member_id"]
    finally:
        client.close()


def said(worker: Child, field: str) -> list[int]:
    """What the worker's summaries said of a field."""
    served = re.findall(r" served .*", worker.log.read_text(errors="replace"))
    return [int(re.search(rf" {field}=(\d+)", line).group(1)) for line in served]


def overrun(running: RunningPipeline, producer: EventProducer, events: Iterator[LoggedEvent]) -> list[LoggedEvent]:
    """Send a burst, and more of it until the worker has said that it is behind; return what was sent."""
    kafka, worker = running.settings.kafka, running.children["worker-1"]
    group, topics = kafka.topic(running.settings.worker.app_id), [kafka.topic(name) for name in TOPIC_OF_KIND.values()]
    sent = list(islice(events, BURST))
    send(producer, sent)
    with closing(connect(KafkaAdminClient, kafka)) as client:
        while max(said(worker, "open_records"), default=0) <= MUCH:
            if sum(open_records(client, group, topics, kafka.partitions).values()) > OVERRUN:
                time.sleep(0.1)
                continue
            more = list(islice(events, MORE))
            assert more, f"{AT_MOST} events were served, and the worker never said that it was behind"
            send(producer, more)
            sent += more
    return sent


def test_a_worker_that_is_overrun_stays_in_bounds_says_so_and_catches_up(bootstrap: str) -> None:
    """Memory is bounded, nothing moves, fewer lists are made than events come, the lag is told, nothing is lost."""
    log = zipf_log(n_events=CALM + AT_MOST, n_users=60, n_items=60, seed=8)
    calm = log[:CALM]
    settings = quick_settings(worker={"batch_events": 40, "session_timeout_s": 6.0})

    with (
        RunningPipeline(bootstrap, settings, embedder=False) as running,
        running.producer() as producer,
        Count(running, "recommendations") as lists,
    ):
        worker = running.children["worker-1"]
        send(producer, calm)
        running.wait_until_settled()
        member, before_mb, n_lists = member_id(running), resident_mb(worker), lists()
        with Peak(worker) as peak:
            burst = overrun(running, producer, map(with_context, log[CALM:]))
            running.wait_until_settled()
        burst_lists = lists() - n_lists
        assert_same_as(running, replayed(running.settings, [*calm, *burst]), ordered=False)
        assert_committed_to_the_end(running)
        wait_until(lambda: producer.view("late", "item-1") or time.sleep(0.5) or max(said(worker, "age_max_ms")) > 500)
        with running.view() as view:
            view.wait_until_ready()
            began = time.monotonic()
            producer.view("later", "item-1")
            producer.flush()
            wait_until(lambda: view.own("later"))
            answered_s = time.monotonic() - began

        assert peak.mb - before_mb < MOST_MB
        assert burst_lists < 0.7 * len(burst)
        assert worker.log.read_text(errors="replace").count(" owns table=user-state") == 1
        assert member_id(running) == member
        assert answered_s < 2.0
