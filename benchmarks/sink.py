"""A sink and its target: how fast lists come in after a start, in what memory, and how old one is when it is in.

    STREAM_REC_SINK_PASSWORD=... python benchmarks/sink.py URL [--lists 50000] [--single 300]

The target is a Redis or a PostgreSQL that there is; keys and rows get a prefix and a table of their own and stay. Lists
have 20 items, with scores, sources and reasons as workers write them, some 3.5 KB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from urllib.error import URLError
from urllib.parse import urlsplit

import msgspec
from kafka import KafkaProducer

from stream_rec.client.connect import connect
from stream_rec.config import Settings, as_toml, override
from stream_rec.events.slate import AsOf, Reason, Slate, SlateItem
from stream_rec.testing.broker import kafka_broker
from stream_rec.topics import admin

PORT = 9187
PATIENCE_S = 600.0


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--lists", type=int, default=50_000)
    parser.add_argument("--single", type=int, default=300)
    chosen = parser.parse_args()
    name = f"b{uuid.uuid4().hex[:8]}"
    with kafka_broker() as bootstrap, tempfile.TemporaryDirectory() as folder:
        settings = override(
            Settings(),
            {
                "kafka.bootstrap": bootstrap,
                "kafka.topic_prefix": f"{name}-",
                "sink.url": chosen.url,
                "sink.prefix": f"{name}:",
                "sink.table": name,
                "telemetry.port": PORT,
            },
        )
        admin.create(settings)
        producer = connect(KafkaProducer, settings.kafka, acks="all", linger_ms=5, batch_size=1 << 18)
        topic = settings.kafka.topic("recommendations")
        n_bytes = 0
        for n in range(chosen.lists):
            value = make_list(f"user-{n}", n)
            n_bytes += len(value)
            producer.send(topic, key=f"user-{n}".encode(), value=value)
        producer.flush()
        file = Path(folder, "settings.toml")
        file.write_text(as_toml(msgspec.to_builtins(settings)))
        command = [sys.executable, "-m", "stream_rec", "--log-level", "warning", "--config", str(file), "sink"]
        with subprocess.Popen(command) as process:
            try:
                wait_until(lambda: metric("stream_rec_records_total") > 0)
                n_first, began = metric("stream_rec_records_total"), time.perf_counter()
                wait_until(is_ready)
                took_s = time.perf_counter() - began
                rss_mb, cpu_s = metric("process_resident_memory_bytes") / 1e6, metric("process_cpu_seconds_total")
                ages_ms = measure_ages(settings, producer, chosen.single)
            finally:
                process.terminate()
    n = chosen.lists - n_first
    cuts = quantiles(ages_ms, n=100)
    print(f"{urlsplit(chosen.url).scheme}: {n:,.0f} lists of {n_bytes / chosen.lists / 1000:.1f} KB in {took_s:.1f} s")
    print(f"{n / took_s:,.0f} a second; {rss_mb:.0f} MB and {cpu_s:.1f} s of CPU since the start")
    print(f"one list alone is in after p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, p99 {cuts[98]:.1f} ms")


def make_list(user_id: str, n: int) -> bytes:
    """Return a record as a worker writes it."""
    items = [
        SlateItem(
            f"item-{(n * 7 + at) % 5000}",
            3.5 - at / 10,
            0.98,
            {"similar": 0.125 + at / 100, "successors": 0.5, "trending": 0.0625},
            Reason("similar", f"item-{n % 5000}", f"{user_id}-{n}", "click"),
        )
        for at in range(20)
    ]
    as_of = AsOf("clicks", n % 4, n, f"{user_id}-{n}", 1_700_000_000_000 + n)
    return msgspec.json.encode(Slate(f"{n:032x}", user_id, 1_700_000_000_000 + n, as_of, {"clicks": n}, "p", items))


def measure_ages(settings: Settings, producer: KafkaProducer, n: int) -> list[float]:
    """Return how many milliseconds after the broker had it a list was in the target, one list after the other."""
    find = open_target(settings)
    ages_ms = []
    for number in range(n):
        value = make_list("single", 10_000_000 + number)
        producer.send(settings.kafka.topic("recommendations"), key=b"single", value=value).get(10)
        sent = time.perf_counter()
        wait_until(lambda value=value: find() == value, pause_s=0.0)  # type: ignore[misc]
        ages_ms.append((time.perf_counter() - sent) * 1000)
    return ages_ms


def open_target(settings: Settings) -> Callable[[], bytes | None]:
    """Return what looks up the list of the user ``single``, as an app would."""
    sink, password = settings.sink, os.environ.get("STREAM_REC_SINK_PASSWORD")
    if urlsplit(sink.url).scheme.startswith("postgres"):
        import psycopg

        connection = psycopg.connect(sink.url, password=password, autocommit=True)
        query = f"SELECT value FROM {sink.table} WHERE topic = 'recommendations' AND user_id = 'single'"

        def find() -> bytes | None:
            row = connection.execute(query).fetchone()  # type: ignore[call-overload]
            return row and row[0].encode()

        return find
    import redis

    client = redis.Redis.from_url(sink.url, password=password)
    return lambda: client.get(f"{sink.prefix}recommendations:single")


def metric(name: str) -> float:
    """Return the sum of a metric of the sink's; 0 where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except (URLError, OSError):
        return 0.0
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def is_ready() -> bool:
    """Return whether all that was there is in the target."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=5) as answer:
            return bool(json.load(answer)["status"] == "ok")
    except (URLError, OSError):
        return False


def wait_until(fact: Callable[[], bool], pause_s: float = 0.05) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        if time.monotonic() > deadline:
            raise SystemExit("it did not happen")
        time.sleep(pause_s)


if __name__ == "__main__":
    main()
