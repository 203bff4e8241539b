"""More events than a worker can serve, and what can be seen of it from outside; for ``overload.py``."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import defaultdict, deque
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaAdminClient

from stream_rec.client.connect import connect
from stream_rec.events.interaction import TOPIC_OF_KIND, Interaction, Kind
from stream_rec.events.partition import partition_of
from stream_rec.events.slate import Slate
from stream_rec.operations.lag import open_records
from stream_rec.testing.pipeline import RunningPipeline

TICK_S = 0.05
SAMPLE_S = 2.0
PROBES = 200
CALM_PER_S = 100
KINDS = (Kind.VIEW, Kind.VIEW, Kind.VIEW, Kind.CLICK, Kind.PURCHASE)


class Load:
    """Events of many users, a few of them busy, sent in batches of the sender's own making."""

    def __init__(self, pipeline: RunningPipeline, producer: AIOKafkaProducer, n_users: int, n_items: int) -> None:
        self._kafka = pipeline.settings.kafka
        self._producer = producer
        self._rng = np.random.default_rng(1)
        weights = 1 / (np.arange(n_users) + 10.0)
        self._weights = np.cumsum(weights / weights.sum())
        self._n_items = n_items
        self._partitions = [partition_of(b"user-%d" % user, self._kafka.partitions) for user in range(n_users)]
        self._open: set[asyncio.Future] = set()
        self.n_sent = 0
        self.n_acknowledged = 0

    async def send(self, n: int) -> None:
        """Send ``n`` events; wait only for what the producer has no room for."""
        users = np.searchsorted(self._weights, self._rng.random(n)).tolist()
        items = (self._n_items * self._rng.random(n) ** 2).astype(int).tolist()
        now_ms = time.time_ns() // 1_000_000
        by_source: dict[tuple[Kind, int], list[tuple[bytes, bytes]]] = defaultdict(list)
        for user, item in zip(users, items):
            user_id, kind = f"user-{user}", KINDS[self.n_sent % len(KINDS)]
            event = Interaction(f"e{self.n_sent}", user_id, f"item-{item}", now_ms)
            by_source[kind, self._partitions[user]].append((user_id.encode(), msgspec.json.encode(event)))
            self.n_sent += 1
        for (kind, partition), records in by_source.items():
            batch = self._producer.create_batch()
            n_records = 0
            for key, value in records:
                if batch.append(key=key, value=value, timestamp=None) is None:
                    await self._put(batch, kind, partition, n_records)
                    batch, n_records = self._producer.create_batch(), 0
                    batch.append(key=key, value=value, timestamp=None)
                n_records += 1
            await self._put(batch, kind, partition, n_records)

    async def _put(self, batch, kind: Kind, partition: int, n_records: int) -> None:
        batch.close()
        future = await self._producer.send_batch(batch, self._kafka.topic(TOPIC_OF_KIND[kind]), partition=partition)
        self._open.add(future)

        def acknowledged(done: asyncio.Future) -> None:
            self._open.discard(done)
            done.result()
            self.n_acknowledged += n_records

        future.add_done_callback(acknowledged)

    async def flush(self) -> None:
        """Wait until the broker has all of it."""
        while self._open:
            await asyncio.gather(*self._open)

    async def at_rate(self, per_s: float, seconds: float) -> None:
        """Send so many each second, in as even a stream as ``TICK_S`` allows."""
        began, first = time.monotonic(), self.n_sent
        while (elapsed := time.monotonic() - began) < seconds:
            if (due := int(elapsed * per_s) - (self.n_sent - first)) > 0:
                await self.send(due)
            await asyncio.sleep(TICK_S)
        await self.flush()


class Probes:
    """One event each ``TICK_S`` of users of their own, and how long each took to its list."""

    def __init__(self, pipeline: RunningPipeline, producer: AIOKafkaProducer, lists: AIOKafkaConsumer) -> None:
        self._kafka = pipeline.settings.kafka
        self._producer = producer
        self._lists = lists
        self._waiting: dict[str, deque[tuple[int, float]]] = defaultdict(deque)
        self.answers: list[tuple[float, float]] = []
        """(when it was sent, milliseconds)."""
        self._sending: set[asyncio.Task] = set()
        self.n_sent = 0
        self.n_lists = 0
        """Of all other users."""

    @property
    def n_waiting(self) -> int:
        """Events that no list has seen."""
        return self.n_sent - len(self.answers)

    async def send(self) -> None:
        """Send for ever."""
        while True:
            user_id = f"probe-{self.n_sent % PROBES}"
            event = Interaction(f"p{self.n_sent}", user_id, f"item-{self.n_sent % 50}", time.time_ns() // 1_000_000)
            self.n_sent += 1
            sending = asyncio.ensure_future(self._send(event, time.monotonic()))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
            await asyncio.sleep(TICK_S)

    async def _send(self, event: Interaction, sent_at: float) -> None:
        topic, key = self._kafka.topic("clicks"), event.user_id.encode()
        record = await self._producer.send_and_wait(topic, msgspec.json.encode(event), key=key)
        self._waiting[event.user_id].append((record.offset, sent_at))

    async def receive(self) -> None:
        """Take lists for ever."""
        while True:
            for records in (await self._lists.getmany(timeout_ms=100)).values():
                now = time.monotonic()
                for record in records:
                    self.n_lists += record.key.startswith(b"user-")
                    if record.key.startswith(b"probe-"):
                        slate = msgspec.json.decode(record.value, type=Slate)
                        waiting = self._waiting[slate.user_id]
                        while waiting and waiting[0][0] <= slate.seen.get("clicks", -1):
                            sent_at = waiting.popleft()[1]
                            self.answers.append((sent_at, 1000 * (now - sent_at)))

    def between(self, began: float, ended: float) -> dict[str, float]:
        """Return what events that were sent in this time took."""
        took = [ms for sent_at, ms in self.answers if began <= sent_at < ended]
        p50, p95 = np.percentile(took or [0.0], [50, 95])
        return {"n": len(took), "p50_ms": round(p50), "p95_ms": round(p95), "max_ms": round(max(took, default=0.0))}


class Watch:
    """What can be seen of the worker from outside, every ``SAMPLE_S``."""

    def __init__(self, pipeline: RunningPipeline, load: Load, probes: Probes) -> None:
        self._pipeline = pipeline
        self._load = load
        self._probes = probes
        self._admin = connect(KafkaAdminClient, pipeline.settings.kafka)
        self.samples: list[dict[str, float]] = []

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(SAMPLE_S)

    async def look(self) -> dict[str, float]:
        """Return how things stand."""
        self._pipeline.raise_if_ended()
        n_sent = self._load.n_acknowledged
        n_open, n_signals = await asyncio.get_running_loop().run_in_executor(None, self._n_open)
        sample = {
            "at": time.monotonic(),
            "sent": n_sent,
            "open": n_open,
            "open_signals": n_signals,
            "lists": self._probes.n_lists,
            "rss_mb": rss_mb(self._pipeline.children["worker-1"].process.pid),
            "cpu_s": cpu_s(self._pipeline.children["worker-1"].process.pid),
        }
        self.samples.append(sample)
        return sample

    async def until_caught_up(self) -> float:
        """Return how many seconds it takes until nothing is open."""
        began = time.monotonic()
        while (sample := await self.look())["open"] > 2 * CALM_PER_S or sample["open_signals"] > 2 * CALM_PER_S:
            say(f"  {sample['open']} events and {sample['open_signals']} signal messages open")
            await asyncio.sleep(SAMPLE_S)
        return time.monotonic() - began

    def between(self, began: float, ended: float) -> list[dict[str, float]]:
        """Return the samples of some time."""
        return [sample for sample in self.samples if began <= sample["at"] <= ended]

    def member(self) -> tuple[str, str]:
        """Return the group's state and its only member, whose id changes when it joins again."""
        settings = self._pipeline.settings
        group = settings.kafka.topic(settings.worker.app_id)
        found = self._admin.describe_groups([group])[group]
        (member,) = found["members"]
        return str(found["group_state"] if "group_state" in found else found.get("state")), str(member["member_id"])

    def _n_open(self) -> tuple[int, int]:
        settings = self._pipeline.settings
        group, n = settings.kafka.topic(settings.worker.app_id), settings.kafka.partitions
        counted = []
        for names in (TOPIC_OF_KIND.values(), ["item-signals"]):
            topics = [settings.kafka.topic(name) for name in names]
            counted.append(sum(open_records(self._admin, group, topics, n).values()))
        return counted[0], counted[1]


def rss_mb(pid: int) -> float:
    """Return the resident size of a process, in MB."""
    return round(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    """Print progress where it does not disturb the result."""
    print(text, file=sys.stderr, flush=True)
