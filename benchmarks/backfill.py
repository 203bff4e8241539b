"""Event to list while live events come at a steady rate, without and with a backfill of history beside them.

    python benchmarks/backfill.py --items ITEMS --events EVENTS [--history 30000] [--live 2000] [--rate 50]

The log's first events are the history, the next ones are live: a part before the backfill, a part while `stream-rec
backfill` sends the history, and a part after it, with all states there. Everything runs on this machine; that the first
and the last part agree says that it had nothing else to do.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil
from pipeline import send

from stream_rec.config import Settings, override
from stream_rec.events.interaction import LoggedEvent
from stream_rec.logs.log import BadLine, read_events, read_items
from stream_rec.testing.arrivals import Arrivals, Latency
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--history", type=int, default=30_000)
    parser.add_argument("--live", type=int, default=2_000, help="Of each part.")
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seam", type=int, default=500, help="Live events that the history has too.")
    parser.add_argument("--behind", type=int, default=100)
    parser.add_argument("--backfill-rate", type=float, default=None)
    parser.add_argument("--encoder", default="hashing")
    arguments = parser.parse_args()
    settings = override(Settings(), {"embedder.encoder": arguments.encoder})
    items = [item for item in read_items(arguments.items, limits=settings.limits) if not isinstance(item, BadLine)]
    log = read_events(arguments.events, limits=settings.limits, received_ms=time.time_ns() // 1_000_000)
    wanted = arguments.history + 3 * arguments.live
    events = [line for line in itertools.islice(log, wanted) if isinstance(line, LoggedEvent)]
    history = events[: arguments.history + arguments.seam]
    parts = [events[arguments.history + n * arguments.live :][: arguments.live] for n in range(3)]
    with (
        kafka_broker(os.environ) as bootstrap,
        tempfile.TemporaryDirectory() as folder,
        RunningPipeline(bootstrap, settings) as pipeline,
    ):
        with pipeline.producer() as producer:
            for item in items:
                producer.item(item)
        while len(pipeline.read_compacted("item-embeddings")) < len(items):
            pipeline.raise_if_ended()
            time.sleep(1)
        file = Path(folder) / "history.jsonl"
        with file.open("wb") as out:
            for kind, event in history:
                out.write(msgspec.json.encode({"event_type": kind.label, **msgspec.to_builtins(event)}) + b"\n")
        with Arrivals(pipeline.settings.kafka) as arrivals:
            before = timed(arrivals, parts[0], arguments.rate)
            say(f"before: {before}")
            command = [sys.executable, "-m", "stream_rec", "--bootstrap", bootstrap]
            command += ["--topic-prefix", pipeline.settings.kafka.topic_prefix, "backfill", "--events", str(file)]
            command += ["--behind", str(arguments.behind)]
            command += ["--rate", str(arguments.backfill_rate)] if arguments.backfill_rate else []
            began = time.monotonic()
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            beside = timed(arrivals, parts[1], arguments.rate)
            say(f"beside: {beside}")
            was_running = child.poll() is None
            said = child.communicate()[0].strip()
            took_s = time.monotonic() - began
            say(said)
            pipeline.wait_until_settled(600.0)
            after = timed(arrivals, parts[2], arguments.rate)
            pipeline.wait_until_settled()
            n_counted = sum(sum(state.counts) for state in pipeline.user_states().values())
    result = {
        "history": len(history),
        "live": sum(map(len, parts)),
        "rate": arguments.rate,
        "event_to_list_ms": msgspec.to_builtins({"before": before, "beside": beside, "after": after}),
        "backfill": said,
        "backfill_took_s": round(took_s, 1),
        "backfill_outlasted_the_live_events": was_running,
        "events_counted": n_counted,
        "events_expected": len(events),
        "cores": len(psutil.Process().cpu_affinity()),
    }
    print(json.dumps(result, indent=2))


def timed(arrivals: Arrivals, events: list[LoggedEvent], rate: float) -> Latency:
    """Send events at a steady rate, and return how long they took to a list."""
    arrivals.took_ms.clear()
    send(arrivals, events, rate)
    return Latency.of(arrivals.took_ms)


def say(text: str) -> None:
    """Print progress where it does not disturb the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
