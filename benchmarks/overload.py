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
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from aiokafka import TopicPartition
from burst import CALM_PER_S, Load, Probes, Watch, say

from stream_rec.config import Settings, override
from stream_rec.events.item import Item
from stream_rec.runtime.changelog import Reading
from stream_rec.runtime.clients import new_producer, new_reader
from stream_rec.runtime.lease import Lease
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user import state as user_state

CALM_S = 15.0
BACKLOG = 10_000


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--times", type=float, default=3.0)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=2_000)
    arguments = parser.parse_args()
    settings = override(Settings(), {"embedder.encoder": "hashing"})
    with kafka_broker(os.environ) as bootstrap, RunningPipeline(bootstrap, settings, embedder=False) as pipeline:
        with pipeline.producer() as producer:
            for number in range(arguments.items):
                producer.item(Item(f"item-{number}", title=f"Thing {number}", category=f"c{number % 20}"))
        result = asyncio.run(overload(pipeline, arguments))
        result["worker_says"] = worker_says(pipeline.children["worker-1"].log)
        result["exit_code"] = pipeline.children["worker-1"].stop()
    print(json.dumps(result, indent=2))


async def overload(pipeline: RunningPipeline, arguments: argparse.Namespace) -> dict:
    """Send the calm before, the burst and the calm after, and return what came of it."""
    kafka = pipeline.settings.kafka
    producer, lists = new_producer(kafka, Lease(15.0)), new_reader(kafka)
    await producer.start()
    await lists.start()
    lists.assign([TopicPartition(kafka.topic("recommendations"), number) for number in range(kafka.partitions)])
    load = Load(pipeline, producer, arguments.users, arguments.items)
    probes = Probes(pipeline, producer, lists)
    watch = Watch(pipeline, load, probes)
    tasks = [asyncio.ensure_future(work) for work in (probes.receive(), probes.send(), watch.run())]

    await load.at_rate(CALM_PER_S, 3.0)  # first lists are slower
    before = await calm("calm before", load, probes, watch)
    joined, n_owned = watch.member(), owned(pipeline)
    served_per_s, cpu_ms = await serve_backlog(load, watch)
    per_s = arguments.times * served_per_s
    say(f"one worker serves {served_per_s:.0f} a second; {per_s:.0f} come for {arguments.seconds:.0f} s")
    burst = await send_burst(load, watch, per_s=per_s, seconds=arguments.seconds)
    after = await calm("calm after", load, probes, watch)
    for one in tasks[1:]:
        one.cancel()
    while probes.n_waiting and time.monotonic() < burst.ended + 3 * arguments.seconds:
        await asyncio.sleep(0.1)
    tasks[0].cancel()
    result = {
        "users": arguments.users,
        "items": arguments.items,
        "cores": len(os.sched_getaffinity(0)),
        "served_per_s_with_a_backlog": round(served_per_s),
        "worker_cpu_ms_per_event": round(cpu_ms, 2),
        **burst.summarize(probes, watch),
        "calm_before": before,
        "calm_after": after,
        "rebalances": owned(pipeline) - n_owned,
        "same_member": watch.member() == joined,
        "probes_unanswered": probes.n_waiting,
        "lost_events": load.n_sent + probes.n_sent - await counted(pipeline),
    }
    await lists.stop()
    await producer.stop()
    return result


async def calm(name: str, load: Load, probes: Probes, watch: Watch) -> dict:
    """Send few events for a while, and return how they are answered."""
    began, before = time.monotonic(), await watch.look()
    await load.at_rate(CALM_PER_S, CALM_S)
    await asyncio.sleep(1.0)
    after = await watch.look()
    answers = probes.between(began, time.monotonic() - 1.0)
    say(f"{name}: {answers}")
    return {"event_to_list": answers, "lists_per_event": per_event(before, after), "rss_mb": after["rss_mb"]}


async def serve_backlog(load: Load, watch: Watch) -> tuple[float, float]:
    """Return how many events a second the worker serves where they wait for it, and its CPU time of one, in ms."""
    began, first = time.monotonic(), await watch.look()
    await load.send(BACKLOG)
    await load.flush()
    await watch.until_caught_up()
    per_s = BACKLOG / (time.monotonic() - began)
    last = await watch.look()
    return per_s, 1000 * (last["cpu_s"] - first["cpu_s"]) / (served(last) - served(first))


class Burst(NamedTuple):
    """When the burst was, and what was seen at its beginning, at its end, and when the worker had caught up."""

    began: float
    ended: float
    caught_up_s: float
    first: dict[str, float]
    last: dict[str, float]
    caught_up: dict[str, float]

    def summarize(self, probes: Probes, watch: Watch) -> dict:
        """Return what came of it, to be printed."""
        first, last, caught_up = self.first, self.last, self.caught_up
        minutes = np.arange(self.began, self.ended + self.caught_up_s, 60.0).tolist()
        return {
            "sent_per_s": round((last["sent"] - first["sent"]) / (self.ended - self.began)),
            "seconds": round(self.ended - self.began),
            "served_per_s_during": round((served(last) - served(first)) / (self.ended - self.began)),
            "open_at_the_end": last["open"],
            "most_open_signal_messages": max(s["open_signals"] for s in watch.between(self.began, self.ended)),
            "caught_up_after_s": round(self.caught_up_s),
            "served_per_s_catching_up": round((served(caught_up) - served(last)) / max(1.0, self.caught_up_s)),
            "worker_cores": {"during": cores(first, last), "catching_up": cores(last, caught_up)},
            "lists_per_event_during": per_event(first, last),
            "lists_per_event_catching_up": per_event(last, caught_up),
            "event_to_list_by_minute_sent": [probes.between(start, start + 60.0) for start in minutes],
            "worker_rss_mb": {
                "before": first["rss_mb"],
                "by_minute": [max(s["rss_mb"] for s in watch.between(start, start + 60.0)) for start in minutes],
                "most": max(sample["rss_mb"] for sample in watch.samples),
            },
        }


async def send_burst(load: Load, watch: Watch, *, per_s: float, seconds: float) -> Burst:
    """Send more than the worker can serve, and wait until it has caught up."""
    began, first = time.monotonic(), await watch.look()
    task = asyncio.ensure_future(load.at_rate(per_s, seconds))
    while not task.done():
        await asyncio.wait([task], timeout=10.0)
        now = watch.samples[-1]
        n_open = f"{now['open']} events and {now['open_signals']} signal messages open"
        say(f"  {now['at'] - began:.0f} s: {now['sent']} sent, {n_open}, worker {now['rss_mb']:.0f} MB")
    await task
    ended, last = time.monotonic(), await watch.look()
    say("the burst is over")
    caught_up_s = await watch.until_caught_up()
    return Burst(began, ended, caught_up_s, first, last, await watch.look())


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


if __name__ == "__main__":
    main()
