"""Events faster than one worker can serve them, for minutes: memory, lag, lists, rebalances, and how soon it is over.

    python benchmarks/overload.py [--seconds 300] [--times 3] [--users 1000] [--items 2000]

First a backlog tells what one worker serves in a second, then ``--times`` as many are sent. Users of their own, one
event each 50 ms throughout, tell how long an event takes to its list, from before it is sent. Everything runs on this
machine, the broker and the load included, which take from the worker what they need themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections import defaultdict, deque
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient

from stream_rec.changelog import Reading
from stream_rec.client.connect import connect
from stream_rec.client.lag import open_records
from stream_rec.config import Settings, overridden
from stream_rec.events.interaction import TOPIC_OF_KIND, Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.slate import Slate
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user import state as user_state
from stream_rec.wiring.apps import new_producer, new_reader, partition_of
from stream_rec.wiring.lease import Lease

TICK_S = 0.05
SAMPLE_S = 2.0
PROBES = 200
CALM_PER_S = 100
CALM_S = 15.0
BACKLOG = 10_000
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
        self._partitions = [partition_of(f"user-{user}", self._kafka) for user in range(n_users)]
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


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--times", type=float, default=3.0)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=2_000)
    arguments = parser.parse_args()
    settings = overridden(Settings(), {"embedder.encoder": "hashing"})
    with kafka_broker(os.environ) as bootstrap, RunningPipeline(bootstrap, settings, embedder=False) as pipeline:
        with pipeline.producer() as producer:
            for number in range(arguments.items):
                producer.item(Item(f"item-{number}", title=f"Thing {number}", category=f"c{number % 20}"))
        result = asyncio.run(overloaded(pipeline, arguments))
        result["worker_says"] = worker_says(pipeline.children["worker-1"].log)
        result["exit_code"] = pipeline.children["worker-1"].stop()
    print(json.dumps(result, indent=2))


async def overloaded(pipeline: RunningPipeline, arguments: argparse.Namespace) -> dict:
    """Return what came of it."""
    kafka = pipeline.settings.kafka
    producer, lists = new_producer(kafka, Lease(15.0)), new_reader(kafka)
    await producer.start()
    await lists.start()
    lists.assign([TopicPartition(kafka.topic("recommendations"), number) for number in range(kafka.partitions)])
    load = Load(pipeline, producer, arguments.users, arguments.items)
    probes = Probes(pipeline, producer, lists)
    watch = Watch(pipeline, load, probes)
    tasks = [asyncio.ensure_future(work) for work in (probes.receive(), probes.send(), watch.run())]

    async def calm(name: str) -> dict:
        began, before = time.monotonic(), await watch.look()
        await load.at_rate(CALM_PER_S, CALM_S)
        await asyncio.sleep(1.0)
        after = await watch.look()
        answers = probes.between(began, time.monotonic() - 1.0)
        say(f"{name}: {answers}")
        return {"event_to_list": answers, "lists_per_event": per_event(before, after), "rss_mb": after["rss_mb"]}

    await load.at_rate(CALM_PER_S, 3.0)  # first lists are slower
    before = await calm("calm before")
    joined, n_owned = watch.member(), owned(pipeline)
    began, first = time.monotonic(), await watch.look()
    await load.send(BACKLOG)
    await load.flush()
    await watch.until_caught_up()
    per_s = BACKLOG / (time.monotonic() - began)
    backlog = await watch.look()
    cpu_ms = 1000 * (backlog["cpu_s"] - first["cpu_s"]) / (served(backlog) - served(first))
    say(f"one worker serves {per_s:.0f} a second; {arguments.times * per_s:.0f} come for {arguments.seconds:.0f} s")

    began, first = time.monotonic(), await watch.look()
    task = asyncio.ensure_future(load.at_rate(arguments.times * per_s, arguments.seconds))
    while not task.done():
        await asyncio.wait([task], timeout=10.0)
        now = watch.samples[-1]
        n_open = f"{now['open']} events and {now['open_signals']} signal messages open"
        say(f"  {now['at'] - began:.0f} s: {now['sent']} sent, {n_open}, worker {now['rss_mb']:.0f} MB")
    await task
    ended, last = time.monotonic(), await watch.look()
    say("the burst is over")
    caught_up_s = await watch.until_caught_up()
    caught_up = await watch.look()
    after = await calm("calm after")
    for one in tasks[1:]:
        one.cancel()
    while probes.n_waiting and time.monotonic() < ended + 3 * arguments.seconds:
        await asyncio.sleep(0.1)
    tasks[0].cancel()
    minutes = np.arange(began, ended + caught_up_s, 60.0).tolist()
    result = {
        "users": arguments.users,
        "items": arguments.items,
        "cores": len(os.sched_getaffinity(0)),
        "served_per_s_with_a_backlog": round(per_s),
        "worker_cpu_ms_per_event": round(cpu_ms, 2),
        "sent_per_s": round((last["sent"] - first["sent"]) / (ended - began)),
        "seconds": round(ended - began),
        "served_per_s_during": round((served(last) - served(first)) / (ended - began)),
        "open_at_the_end": last["open"],
        "most_open_signal_messages": max(sample["open_signals"] for sample in watch.between(began, ended)),
        "caught_up_after_s": round(caught_up_s),
        "served_per_s_catching_up": round((served(caught_up) - served(last)) / max(1.0, caught_up_s)),
        "worker_cores": {"during": cores(first, last), "catching_up": cores(last, caught_up)},
        "calm_before": before,
        "lists_per_event_during": per_event(first, last),
        "lists_per_event_catching_up": per_event(last, caught_up),
        "event_to_list_by_minute_sent": [probes.between(at, at + 60.0) for at in minutes],
        "calm_after": after,
        "worker_rss_mb": {
            "before": first["rss_mb"],
            "by_minute": [max(s["rss_mb"] for s in watch.between(at, at + 60.0)) for at in minutes],
            "most": max(sample["rss_mb"] for sample in watch.samples),
        },
        "rebalances": owned(pipeline) - n_owned,
        "same_member": watch.member() == joined,
        "probes_unanswered": probes.n_waiting,
        "lost_events": load.n_sent + probes.n_sent - await counted(pipeline),
    }
    await lists.stop()
    await producer.stop()
    return result


def served(sample: dict[str, float]) -> float:
    """Return how many events were finished."""
    return sample["sent"] - sample["open"]


def per_event(before: dict[str, float], after: dict[str, float]) -> float:
    """Return how many lists came for an event that was served."""
    return round((after["lists"] - before["lists"]) / max(1, served(after) - served(before)), 2)


def cores(before: dict[str, float], after: dict[str, float]) -> float:
    """Return how many processors the worker had: fewer than one means that others took them."""
    return round((after["cpu_s"] - before["cpu_s"]) / (after["at"] - before["at"]), 2)


def owned(pipeline: RunningPipeline) -> int:
    """Return how often the worker took its partitions over."""
    return pipeline.children["worker-1"].log.read_text(errors="replace").count(" owns table=user-state")


def worker_says(log: Path) -> list[str]:
    """Return the worker's own summaries, from one minute to the next."""
    found = re.findall(r" served (.*)", log.read_text(errors="replace"))
    return found[::6]


async def counted(pipeline: RunningPipeline) -> int:
    """Return how many events all users' states hold."""
    kafka = pipeline.settings.kafka
    topic = kafka.topic(f"{pipeline.settings.worker.app_id}-user-state-changelog")
    sources = [TopicPartition(topic, number) for number in range(kafka.partitions)]
    reader = new_reader(kafka)
    await reader.start()
    reader.assign(sources)
    ends = await reader.end_offsets(sources)
    await reader.seek_to_beginning(*sources)
    readings: dict[int, Reading] = defaultdict(Reading)
    states: dict[bytes, bytes] = {}
    while any([await reader.position(source) < ends[source] for source in sources]):
        for records in (await reader.getmany(timeout_ms=200)).values():
            for record in records:
                if readings[record.partition].counts(record.key, record.value, record.headers):
                    states[record.key] = record.value
    await reader.stop()
    return sum(sum(user_state.decode(value).counts) for key, value in states.items() if not key.startswith(b"\0"))


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


if __name__ == "__main__":
    main()
