"""A popular item is sold out: seconds until no list shows it any more, and what that does to live events.

    python benchmarks/sold_out.py [--users 10000] [--rate 100] [--seconds 20]

Every user has a list with the item and is quiet from then on, but for a few whose events come at a steady rate, before
and while the item leaves the lists. Everything runs on this machine: the broker, the load, and a process of its own
that reads all lists, as an app would that keeps them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import re
import sys
import threading
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

import msgspec
import psutil

from stream_rec.client import EventProducer
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings, override
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.testing.arrivals import Arrivals, Latency
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline

ITEMS = 200
GONE = "item-0"
LIVE_USERS = 200
PATIENCE_S = 120.0
_SETTLED_S = 3.0


class Showing:
    """How many users are shown the item, by the newest list of each on the topic; read by a process of its own."""

    def __init__(self, kafka: KafkaSettings) -> None:
        start = multiprocessing.get_context("spawn")
        self._n_users = start.Value("q", 0)
        self._is_over = start.Event()
        self._process = start.Process(target=_watch, args=(kafka, self._n_users, self._is_over), daemon=True)
        self._process.start()

    @property
    def n_users(self) -> int:
        """How many are shown it now."""
        return self._n_users.value

    def wait_until(self, n: int, timeout_s: float) -> float:
        """Return after how many seconds at most ``n`` users are shown it."""
        began = time.monotonic()
        while self.n_users > n:
            if time.monotonic() - began > timeout_s:
                sys.exit(f"{self.n_users} users are still shown the item after {timeout_s:g} s")
            time.sleep(0.01)
        return time.monotonic() - began

    def close(self) -> None:
        """Read no more."""
        self._is_over.set()
        self._process.join()


def _watch(kafka: KafkaSettings, n_users: Synchronized, is_over: Event) -> None:
    in_list = re.compile(rb'"item_id":' + json.dumps(GONE).encode() + rb',"score"')
    reader, users = TopicReader(kafka, "recommendations"), set()
    while not is_over.is_set():
        for record in reader.poll(0.05):
            (users.add if in_list.search(record.value or b"") else users.discard)(record.key)
        n_users.value = len(users)
    reader.close()


class Live(threading.Thread):
    """Events of some users at a steady rate."""

    def __init__(self, arrivals: Arrivals, rate: float) -> None:
        super().__init__(daemon=True)
        self._arrivals = arrivals
        self._rate = rate
        self._is_over = threading.Event()

    def run(self) -> None:
        """Send until told to stop."""
        began = time.monotonic()
        with self._arrivals.producer() as producer:
            for number in itertools.count():
                if self._is_over.wait(max(0.0, began + number / self._rate - time.monotonic())):
                    return
                user, item = f"live-{number * 7 % LIVE_USERS}", f"item-{1 + number * 13 % (ITEMS - 1)}"
                self._arrivals.expect(Kind.VIEW, user)
                event = Interaction(f"live-{number}", user, item, time.time_ns() // 1_000_000)
                producer.send_interaction(Kind.VIEW, event)

    def stop(self) -> None:
        """Send no more."""
        self._is_over.set()
        self.join()


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=20.0, help="of live load before")
    parser.add_argument("--after", type=float, default=10.0, help="seconds of live load from the moment it is sold out")
    parser.add_argument("--refresh-share", type=float, default=Settings().worker.refresh_share)
    arguments = parser.parse_args()
    settings = override(Settings(), {"embedder.encoder": "hashing", "worker.refresh_share": arguments.refresh_share})
    with (
        kafka_broker(os.environ) as bootstrap,
        RunningPipeline(bootstrap, settings, embedder=False) as pipeline,
        pipeline.producer() as producer,
    ):
        showing = Showing(pipeline.settings.kafka)
        fill(pipeline, producer, arguments.users)
        with Arrivals(pipeline.settings.kafka) as arrivals:
            live = Live(arrivals, arguments.rate)
            live.start()
            time.sleep(_SETTLED_S)
            arrivals.took_ms.clear()
            time.sleep(arguments.seconds)
            before, n_showing = Latency.of(list(arrivals.took_ms)), showing.n_users
            arrivals.took_ms.clear()
            began = time.monotonic()
            producer.item(Item(GONE, title="thing 0", available=False))
            producer.flush()
            gone_s = showing.wait_until(0, PATIENCE_S)
            until_gone = Latency.of(list(arrivals.took_ms))
            time.sleep(max(0.0, began + arguments.after - time.monotonic()))
            during = Latency.of(list(arrivals.took_ms))
            live.stop()
        restarted_s = restart(pipeline, showing, producer, arguments.users)
        showing.close()
        result = {
            "users": arguments.users,
            "lists_with_the_item": n_showing,
            "gone_s": round(gone_s, 2),
            "rate": arguments.rate,
            "event_to_list_ms_before": msgspec.to_builtins(before),
            "event_to_list_ms_until_gone": msgspec.to_builtins(until_gone),
            "event_to_list_ms_during": msgspec.to_builtins(during),
            "p99_ratio": round(during.p99 / before.p99, 2),
            "sold_out_while_down": restarted_s,
            "worker_mb": round(psutil.Process(pipeline.children["worker-1"].process.pid).memory_info().rss / 1e6),
            "cores": len(psutil.Process().cpu_affinity()),
        }
    print(json.dumps(result, indent=2))


def fill(pipeline: RunningPipeline, producer: EventProducer, n_users: int) -> None:
    """Let every user have a list, with the item."""
    for number in range(ITEMS):
        producer.item(Item(f"item-{number}", title=f"thing {number}"))
    for number in range(ITEMS):
        producer.view(f"first-{number % 20}", f"item-{number}")
    producer.flush()
    pipeline.wait_until_settled(600.0)
    click(pipeline, producer, n_users)


def click(pipeline: RunningPipeline, producer: EventProducer, n_users: int) -> None:
    """Let every user click the item: it is in the user's list then, and popular."""
    for number in range(n_users):
        producer.click(f"user-{number}", GONE)
    producer.flush()
    pipeline.wait_until_settled(600.0)


def restart(pipeline: RunningPipeline, showing: Showing, producer: EventProducer, n_users: int) -> dict[str, float]:
    """Sell the item out while the worker is down; return the seconds from when it is ready until no list shows it."""
    producer.item(Item(GONE, title="thing 0"))
    producer.flush()
    click(pipeline, producer, n_users)
    time.sleep(_SETTLED_S)
    n_showing = showing.n_users
    pipeline.children["worker-1"].kill()
    producer.item(Item(GONE, title="thing 0", available=False))
    producer.flush()
    began = time.monotonic()
    pipeline.start_worker()
    ready_s = time.monotonic() - began
    gone_s = showing.wait_until(0, PATIENCE_S)
    return {"lists_with_the_item": n_showing, "ready_s": round(ready_s, 2), "gone_s_after_ready": round(gone_s, 2)}


if __name__ == "__main__":
    main()
