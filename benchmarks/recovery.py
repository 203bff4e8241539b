"""How soon a worker is back: cold and warm starts over many users, kills, and failover to another worker.

    python benchmarks/recovery.py [--users 100000] [--kills 20] [--failovers 5] [--session-timeout 6]
    python benchmarks/recovery.py --catalog     # instead: starts over what an hour at 500 events a second leaves

States are real ones of about 1 KB whose ids are random, so that nothing compresses. Everything runs on this machine,
the broker and the load included. Times are from the process's start, or from the kill, not from when Python is up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from hour import left, write_hour

from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings, override
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.partition import partition_of
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.clients import new_producer
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.table import Table
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.user import state as user_state
from stream_rec.user.entries import WEEK_MS, Entry, WeeklyCount
from stream_rec.user.state import UserState

EVENTS = 12
"""Of one user: about 1 KB of state."""
ITEMS = 2_000
NOW_MS = 1_760_000_000_000
PROBES = 40
"""Users whose lists are waited for."""
EVERY_S = 0.02
"""One event of a probe."""
STATES_AT_ONCE = 5_000


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--failovers", type=int, default=5)
    parser.add_argument("--session-timeout", type=float, default=6.0)
    parser.add_argument("--catalog", action="store_true")
    parser.add_argument("--knowledge", type=int, default=120_000)
    parser.add_argument("--moves", type=int, default=300_000)
    arguments = parser.parse_args()
    settings = override(
        Settings(), {"embedder.encoder": "hashing", "worker.session_timeout_s": arguments.session_timeout}
    )
    if arguments.catalog:
        with (
            kafka_broker(os.environ) as bootstrap,
            RunningPipeline(bootstrap, settings, workers=0, embedder=False) as pipeline,
        ):
            print(json.dumps(catalog_starts(pipeline, arguments.knowledge, arguments.moves), indent=2))
        return
    with kafka_broker(os.environ) as bootstrap:
        with RunningPipeline(bootstrap, settings, workers=0, embedder=False) as pipeline:
            empty_s = started(pipeline)
            stop(pipeline)
            state_bytes = asyncio.run(fill(pipeline.settings, arguments.users))
            say(f"{arguments.users} users of {state_bytes} bytes are in the changelog")
            result = {
                "users": arguments.users,
                "state_bytes": state_bytes,
                "start_without_states_s": empty_s,
                "cold_start_s": cold(pipeline),
                "warm_start_after_kill_s": warm(pipeline, lambda child: child.kill()),
                "warm_start_after_sigterm_s": warm(pipeline, lambda child: child.stop()),
            }
            say(json.dumps(result))
            result["kill_to_next_list_s"] = spread(kills(pipeline, arguments.kills))
        with RunningPipeline(bootstrap, settings, workers=2, embedder=False) as pipeline:
            result["session_timeout_s"] = arguments.session_timeout
            result["failover_to_next_list_s"] = spread(failovers(pipeline, arguments.failovers))
    print(json.dumps(result, indent=2))


def catalog_starts(pipeline: RunningPipeline, n_knowledge: int, n_moves: int) -> dict[str, object]:
    """Return how long starts took over what an hour leaves, without and with what the worker has on its disk."""
    empty_s = started(pipeline)
    stop(pipeline)
    asyncio.run(write_hour(pipeline.settings, n_knowledge, n_moves))
    result = {
        "knowledge_written": n_knowledge,
        "moves_written": n_moves,
        "records_left": left(pipeline.settings),
        "start_of_all_empty_s": empty_s,
        "cold_start_s": cold(pipeline),
        "warm_start_after_kill_s": warm(pipeline, lambda child: child.kill()),
        "warm_start_after_sigterm_s": warm(pipeline, lambda child: child.stop()),
    }
    log = pipeline.children["worker-1"].log.read_text(errors="replace")
    result["read"] = [line.partition(" caught_up ")[2] for line in log.splitlines() if " caught_up " in line]
    return result


def started(pipeline: RunningPipeline, name: str = "worker-1") -> float:
    """Start a worker and return how long it took until it was ready."""
    began = time.monotonic()
    pipeline.start_worker(name)
    return round(time.monotonic() - began, 2)


def stop(pipeline: RunningPipeline, name: str = "worker-1") -> None:
    """Stop a worker."""
    pipeline.children[name].stop()


def cold(pipeline: RunningPipeline) -> list[float]:
    """Return how long three starts took, each after the directory was lost."""
    took = []
    for _ in range(3):
        shutil.rmtree(pipeline.directory / "worker" / "worker-1", ignore_errors=True)
        took.append(started(pipeline))
        stop(pipeline)
    return took


def warm(pipeline: RunningPipeline, end: Callable) -> list[float]:
    """Return how long three starts took, each after the process was ended and its directory was left."""
    took = []
    started(pipeline)
    for _ in range(3):
        end(pipeline.children["worker-1"])
        took.append(started(pipeline))
    stop(pipeline)
    return took


def kills(pipeline: RunningPipeline, n: int) -> list[float]:
    """Return the seconds from each kill -9 to the next list, with the process started again at once."""
    started(pipeline)
    took = []
    with Probes(pipeline) as probes:
        for number in range(n):
            probes.run_until_answered()
            pipeline.children["worker-1"].kill()
            killed_at = time.monotonic()
            pipeline.start_worker("worker-1", wait=False)
            took.append(probes.run_until_answered(since=killed_at))
            say(f"kill {number + 1}: next list after {took[-1]:.2f} s")
    return took


def failovers(pipeline: RunningPipeline, n: int) -> list[float]:
    """Return the seconds from each kill -9 until a list of every user came, of which the other worker takes half."""
    took = []
    with Probes(pipeline) as probes:
        for number in range(n):
            probes.run_until_answered()
            pipeline.children["worker-1"].kill()
            took.append(probes.run_until_answered(since=time.monotonic()))
            say(f"failover {number + 1}: lists of all users after {took[-1]:.2f} s")
            pipeline.start_worker("worker-1")
    return took


class Probes:
    """Events of some users, one after the other, and their lists."""

    def __init__(self, pipeline: RunningPipeline) -> None:
        self._producer = pipeline.producer()
        self._lists = TopicReader(pipeline.settings.kafka, "recommendations")
        self._number = 0

    def __enter__(self) -> Probes:
        self._lists.read_to_end(30.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close()
        self._lists.close()

    def run_until_answered(self, since: float | None = None, timeout_s: float = 120.0) -> float:
        """Send until each probe has a list on an event sent after ``since``; return how long after it that was."""
        since = since if since is not None else time.monotonic()
        sent: set[str] = set()
        waiting = {f"probe-{number}" for number in range(PROBES)}
        while waiting:
            if time.monotonic() > since + timeout_s:
                sys.exit(f"{len(waiting)} users have no list after {timeout_s:.0f} s")
            event_id = f"p{self._number}"
            self._producer.send_interaction(
                Kind.CLICK,
                Interaction(
                    event_id,
                    f"probe-{self._number % PROBES}",
                    f"item-{self._number % ITEMS}",
                    time.time_ns() // 1_000_000,
                ),
            )
            sent.add(event_id)
            self._number += 1
            for record in self._lists.poll(EVERY_S):
                slate = msgspec.json.decode(record.value, type=Slate)
                if slate.user_id != DEFAULT_LIST and slate.as_of.event_id in sent:
                    waiting.discard(slate.user_id)
        return time.monotonic() - since


def spread(seconds: list[float]) -> dict[str, float]:
    """Return the median and the worst."""
    return {"n": len(seconds), "p50": round(float(np.median(seconds)), 2), "worst": round(max(seconds), 2)}


async def fill(settings: Settings, n_users: int) -> int:
    """Write states to the changelog as a worker does; return the mean size of one."""
    rng = random.Random(1)
    n_bytes = 0
    with tempfile.TemporaryDirectory() as directory:
        producer = new_producer(settings.kafka, Lease(settings.worker.session_timeout_s))
        await producer.start()
        table = Table("user-state", settings.worker.app_id, Path(directory), producer, settings.kafka)
        await table.start()
        await table.own(set(range(settings.kafka.partitions)))
        for first in range(0, n_users, STATES_AT_ONCE):
            states = []
            for number in range(first, min(first + STATES_AT_ONCE, n_users)):
                user_id = f"{rng.getrandbits(64):016x}-{number}"
                value = user_state.encode(random_state(rng))
                states.append(State(partition_of(user_id.encode(), settings.kafka.partitions), user_id.encode(), value))
                n_bytes += len(value)
            await table.commit(states)
        await table.stop()
        await producer.stop()
    return n_bytes // n_users


def random_state(rng: random.Random) -> UserState:
    """Return a user with ``EVENTS`` clicks, none in a partition's log."""
    times = sorted(NOW_MS + rng.randrange(10**9) for _ in range(EVENTS))
    items = [f"item-{rng.randrange(ITEMS)}" for _ in range(EVENTS)]
    recent_events = [
        Entry(at, f"{rng.getrandbits(128):032x}", item, Kind.CLICK, None, 0, n)
        for n, (at, item) in enumerate(zip(times, items))
    ]
    weekly_counts = [WeeklyCount(at // WEEK_MS, item, (0, 1, 0), at) for at, item in zip(times, items)]
    return UserState(
        recent_events=recent_events,
        weekly_counts=sorted(weekly_counts, key=lambda t: (t.week, t.item_id)),
        counts=(0, EVENTS, 0),
    )


def say(text: str) -> None:
    """Print progress where it does not disturb the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
