"""A log through real Kafka, one worker and one embedder: events per second, CPU, event to list, peak memory.

    python benchmarks/pipeline.py --items ITEMS --events EVENTS [--limit 50000] [--encoder hashing] [--rate 100]

The log is first sent as fast as it goes (throughput), then its last ``--timed`` events at a steady rate (latency): a
flood would time the queue. Everything runs on this machine, the broker and the load generator included.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from pathlib import Path

import msgspec
import psutil

from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings, override
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.source import Source
from stream_rec.logs.log import BadLine, read_events, read_items
from stream_rec.testing.arrivals import Arrivals, Latency
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=50_000)
    parser.add_argument("--timed", type=int, default=3_000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--encoder", default="e5-small+hashing")
    parser.add_argument(
        "--shown-every", type=int, default=0, help="before each so many events, show its user 20 items; 0: never"
    )
    parser.add_argument(
        "--telemetry", type=int, default=0, metavar="PORT", help="measure, judge and serve metrics there; 0: none of it"
    )
    arguments = parser.parse_args()
    telemetry = {"telemetry.port": arguments.telemetry} if arguments.telemetry else {"telemetry.status_interval_s": 0.0}
    settings = override(Settings(), {"embedder.encoder": arguments.encoder, **telemetry})
    items = [item for item in read_items(arguments.items, limits=settings.limits) if not isinstance(item, BadLine)]
    log = read_events(arguments.events, limits=settings.limits, received_ms=time.time_ns() // 1_000_000)
    events = [line for line in itertools.islice(log, arguments.limit) if isinstance(line, LoggedEvent)]
    with kafka_broker(os.environ) as bootstrap, RunningPipeline(bootstrap, settings) as pipeline:
        began = time.monotonic()
        reader = TopicReader(pipeline.settings.kafka, "item-embeddings")
        with pipeline.producer() as producer:
            for item in items:
                producer.item(item)
        embedded: set[bytes] = set()
        while len(embedded) < len(items):
            pipeline.raise_if_ended()
            embedded.update(record.key for record in reader.poll(0.1))
        reader.close()
        say(f"embedded {len(items)} items in {(embedding_s := time.monotonic() - began):.1f} s")
        with Arrivals(pipeline.settings.kafka) as arrivals:
            flood, timed = events[: -arguments.timed], events[-arguments.timed :]
            worker = psutil.Process(pipeline.children["worker-1"].process.pid)
            cpu_s = -total_s(worker)
            flood_s = send(arrivals, flood, None, arguments.shown_every)
            say(f"{len(flood)} events in {flood_s:.1f} s: {len(flood) / flood_s:.0f} a second")
            pipeline.wait_until_settled()  # else the item stage's backlog would be timed
            cpu_s += total_s(worker)
            arrivals.took_ms.clear()
            timed_cpu_s = -total_s(worker)
            send(arrivals, timed, arguments.rate, arguments.shown_every)
            latency = Latency.of(arrivals.took_ms)
            pipeline.wait_until_settled()
            timed_cpu_s += total_s(worker)
            n_counted = sum(sum(state.counts) for state in pipeline.user_states().values())
            result = {
                "events": len(events),
                "items": len(items),
                "lists": arrivals.n_lists,
                "encoder": arguments.encoder,
                "telemetry": bool(arguments.telemetry),
                "embedding_s": round(embedding_s, 1),
                "shown_every": arguments.shown_every,
                "events_per_s": round(len(flood) / flood_s),
                "worker_cpu_us_per_event": round(cpu_s / len(flood) * 1e6),
                "rate": arguments.rate,
                "worker_cpu_us_per_timed_event": round(timed_cpu_s / len(timed) * 1e6),
                "event_to_list_ms": msgspec.to_builtins(latency),
                "lost_events": len(events) - n_counted,
                "duplicate_lists": arrivals.n_duplicates,
                "peak_mb": {name: peak_mb(child.process.pid) for name, child in pipeline.children.items()},
                "cores": len(psutil.Process().cpu_affinity()),
            }
    print(json.dumps(result, indent=2))


def send(arrivals: Arrivals, events: list, rate: float | None, shown_every: int) -> float:
    """Send events, and impressions before some of them, and return the seconds until the last of them was in a list.

    What is shown are the items of the next events, the event's own the first of them.
    """
    began = time.monotonic()
    with arrivals.producer() as producer:
        for n, (kind, event) in enumerate(events):
            if rate is not None:
                time.sleep(max(0.0, began + n / rate - time.monotonic()))
            if shown_every and n % shown_every == 0:
                shown = list(dict.fromkeys(later.item_id for _, later in events[n : n + 60]))[:20]
                arrivals.expect(Source.IMPRESSION, event.user_id)
                producer.impression(event.user_id, "", shown, timestamp_ms=event.timestamp_ms)
            arrivals.expect(kind, event.user_id)
            producer.send_interaction(kind, event)
        producer.flush()
        n_open = arrivals.wait_until_answered(120.0, lambda n_waiting: None)
    if n_open:
        sys.exit(f"{n_open} events are in no list after two minutes")
    return time.monotonic() - began


def total_s(process: psutil.Process) -> float:
    """Return the CPU time that a process has used, in seconds: less the machine's moods than events a second."""
    times = process.cpu_times()
    return times.user + times.system


def peak_mb(pid: int) -> float:
    """Return the largest resident size that a process had so far, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1000, 1)


def say(text: str) -> None:
    """Print progress where it does not disturb the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
