"""How fast `stream-rec serve` answers: lists that are read out, and what it ranks on the spot.

    npm install --prefix /tmp/load autocannon@8
    python benchmarks/serve.py --autocannon /tmp/load [--items 4000] [--users 1000] [--events 10000] [--seconds 8]

A pipeline of its own takes made-up events; then autocannon asks one copy of the service, each kind of question at a
steady rate that leaves it time, and as fast as it answers. Broker, worker, service and load share this machine.

Printed is one JSON object: milliseconds as the client sees them, requests a second, milliseconds of the service's CPU
time for each request, the share of requests that took at most so many seconds in the service, its memory and start,
and the load average at the beginning and the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import msgspec
import psutil

from stream_rec.config import Settings, as_toml, override
from stream_rec.events.item import Item
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline

PORT = 18_080
CATEGORIES = 20
GIVEN = 100
CALM_PER_S = 50
BUSY_PER_S = 1000
"""Lists that are read out."""
ADDRESSES = {"rank": "/v1/rank", "similar": "/v1/items/{item_id}/similar", "search": "/v1/search"}
CALM, FULL = 4, 16
"""Connections."""
QUESTIONS = 300
"""Different ones of each kind."""
WORDS = (
    "red blue green white black old new small large wooden steel paper glass tin copper silk lamp cup pot chair table "
    "bag box clock frame sign heart star bird rose tree house garden kitchen party gift"
)


class Service:
    """One copy of the service, as a process."""

    def __init__(self, process: subprocess.Popen[bytes], started_s: float) -> None:
        self.process = psutil.Process(process.pid)
        self.started_s = started_s

    def cpu_s(self) -> float:
        """Return the CPU time that it has taken."""
        times = self.process.cpu_times()
        return times.user + times.system

    def memory_mb(self) -> int:
        """Return the memory that it holds."""
        return self.process.memory_info().rss >> 20

    def answered(self, what: str) -> dict[str, float]:
        """Return how many requests of one kind took no longer than so many seconds in the service, since its start."""
        path = ADDRESSES.get(what, "/v1/users/{user_id}/recommendations")
        found: dict[str, float] = {}
        for labels, n in re.findall(r"stream_rec_request_duration_seconds_bucket{(.+)} (\S+)", ask("/metrics")):
            if f'path="{path}"' in labels:
                le = re.search(r'le="([^"]+)"', labels)
                found[le[1] if le else ""] = found.get(le[1] if le else "", 0.0) + float(n)
        return found


def ask(path: str) -> str:
    """Return what the service answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}") as answer:
        return str(answer.read().decode())


@contextmanager
def serving(settings: Settings, folder: Path) -> Iterator[Service]:
    """Start the service, and give it once it is ready."""
    file = folder / "serve.toml"
    file.write_text(as_toml(msgspec.to_builtins(settings)))
    began = time.monotonic()
    command = [sys.executable, "-m", "stream_rec", "--config", str(file), "serve"]
    with (folder / "serve.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            while True:
                if process.poll() is not None:
                    sys.exit((folder / "serve.log").read_text())
                try:
                    ask("/readyz")
                    break
                except URLError:
                    time.sleep(0.05)
            yield Service(process, time.monotonic() - began)
        finally:
            process.terminate()


def fill(running: RunningPipeline, arguments: argparse.Namespace, rng: random.Random) -> None:
    """Send items and events, and wait until all of them are taken."""
    with running.producer() as producer:
        for number in range(arguments.items):
            title = " ".join(rng.sample(WORDS.split(), 4))
            price, category = rng.randrange(1, 100), f"c{number % CATEGORIES}"
            producer.item(Item(f"item-{number}", title=title, category=category, attributes={"price": price}))
        for _ in range(arguments.events):
            user, item = rng.randrange(arguments.users), int(arguments.items * rng.random() ** 2)
            getattr(producer, rng.choice(("view", "click", "purchase")))(f"user-{user}", f"item-{item}")
    running.wait_until_settled(900.0)


def questions(arguments: argparse.Namespace, rng: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Return what is asked, by kind, as autocannon takes it."""

    def user() -> str:
        return f"user-{rng.randrange(arguments.users)}"

    def given() -> str:
        item_ids = [f"item-{number}" for number in rng.sample(range(arguments.items), GIVEN)]
        return json.dumps({"user_id": user(), "item_ids": item_ids, "n": 20})

    def get(path: str) -> dict[str, Any]:
        return {"method": "GET", "path": path}

    json_body = {"content-type": "application/json"}
    n = range(QUESTIONS)
    return {
        "list": [get(f"/v1/users/{user()}/recommendations?n=20") for _ in n],
        "rank": [{"method": "POST", "path": "/v1/rank", "headers": json_body, "body": given()} for _ in n],
        "recommendations": [
            get(f"/v1/users/{user()}/recommendations?category=c{rng.randrange(CATEGORIES)}&price_max=80") for _ in n
        ],
        "similar": [get(f"/v1/items/item-{rng.randrange(arguments.items)}/similar") for _ in n],
        "search": [get(f"/v1/search?q={'%20'.join(rng.sample(WORDS.split(), 2))}&user_id={user()}") for _ in n],
    }


def load(asked: list[dict[str, Any]], seconds: int, autocannon: Path, **options: Any) -> dict[str, float]:
    """Ask; return what the client saw."""
    said = {"url": f"http://127.0.0.1:{PORT}", "duration": seconds, "requests": asked, **options}
    script = str(Path(__file__).with_name("serve_load.mjs"))
    done = subprocess.run(
        ["node", script, str(autocannon.resolve())], input=json.dumps(said), capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def measure(service: Service, what: str, asked: list[dict[str, Any]], arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask one kind of question; return what that took."""
    load(asked, 2, arguments.autocannon, connections=CALM)
    began = service.answered(what)
    rate = BUSY_PER_S if what == "list" else CALM_PER_S
    calm = load(asked, arguments.seconds, arguments.autocannon, connections=CALM, overallRate=rate)
    ended = service.answered(what)
    before = service.cpu_s()
    full = load(asked, arguments.seconds, arguments.autocannon, connections=FULL)
    report = {
        "asked_per_s": rate,
        "calm_ms": {"p50": calm["p50"], "p99": calm["p99"]},
        "within_s": {
            le: round((n - began.get(le, 0.0)) / (ended["+Inf"] - began.get("+Inf", 0.0)), 4) for le, n in ended.items()
        },
        "full_per_s": round(full["per_s"]),
        "full_ms": {"p50": full["p50"], "p99": full["p99"]},
        "cpu_ms": round(1000 * (service.cpu_s() - before) / full["n"], 2),
        "not_answered": calm["bad"] + full["bad"],
    }
    return report


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--autocannon", type=Path, required=True, help="folder in which npm has installed autocannon")
    parser.add_argument("--items", type=int, default=4_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=(), help="kinds of questions; all by default")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    settings = override(Settings(), {"embedder.encoder": "hashing"})
    report: dict[str, Any] = {"load_average": [os.getloadavg()[0]]}
    with (
        kafka_broker() as bootstrap,
        RunningPipeline(bootstrap, settings) as running,
        tempfile.TemporaryDirectory() as folder,
    ):
        fill(running, arguments, rng)
        asked = questions(arguments, rng)
        asked = {what: each for what, each in asked.items() if not arguments.only or what in arguments.only}
        flags = {"serve.port": PORT, "serve.data_dir": folder}
        with serving(override(running.settings, flags), Path(folder)) as service:
            report["lists alone"] = {"start_s": round(service.started_s, 1), "memory_mb": service.memory_mb()}
            if "list" in asked:
                report["lists alone"]["list"] = measure(service, "list", asked["list"], arguments)
        for start in ("first start", "restart"):
            with serving(override(running.settings, {**flags, "serve.ranks": True}), Path(folder)) as service:
                report[start] = {"start_s": round(service.started_s, 1), "memory_mb": service.memory_mb()}
                if start == "restart":
                    report[start] |= {what: measure(service, what, each, arguments) for what, each in asked.items()}
                    report[start]["memory_mb_after"] = service.memory_mb()
    report["load_average"].append(os.getloadavg()[0])
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
