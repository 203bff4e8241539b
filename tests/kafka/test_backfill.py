"""A history that is loaded after live events, and beside them, comes to what the whole log comes to."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from stream_rec.events.interaction import KIND_OF_TOPIC, LoggedEvent
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.logs import send, zipf_log
from tests.kafka.outcome import assert_same_as_replay, read, wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def write(path: Path, log: list[LoggedEvent]) -> None:
    """Write a log as `backfill` reads it."""
    with path.open("wb") as out:
        for kind, event in log:
            out.write(msgspec.json.encode({"event_type": kind.label, **msgspec.to_builtins(event)}) + b"\n")


def test_history_after_and_beside_live_events(bootstrap: str, tmp_path: Path) -> None:
    """Live events first, then a history that reaches into them, killed in the middle and run again, others coming.

    Recent events that hold all make pairs exact too, and all events of a week teach: which of many alike do so is a
    matter of order.
    """
    log = zipf_log(n_events=900, n_users=60, n_items=50, seed=21)
    history, seam, live = log[:650], log[450:650], log[650:]
    assert max(Counter((event.user_id, event.timestamp_ms) for _, event in log).values()) == 1
    write(tmp_path / "history.jsonl", history)
    settings = quick_settings(user={"recent_events": 1024, "weekly_training_events": 1000})

    with RunningPipeline(bootstrap, settings, embedder=False) as running, running.producer() as producer:
        address = ["--bootstrap", bootstrap, "--topic-prefix", running.settings.kafka.topic_prefix]
        command = [
            sys.executable,
            "-m",
            "stream_rec",
            *address,
            "backfill",
            "--events",
            str(tmp_path / "history.jsonl"),
        ]

        def n_backfilled() -> int:
            return sum(bool(record.headers) for topic in KIND_OF_TOPIC for record in read(running, topic))

        send(producer, seam)
        first = subprocess.Popen([*command, "--rate", "10"])  # else it may have sent all before it is killed
        wait_until(lambda: n_backfilled() >= 40)
        first.kill()
        first.wait()
        n_before = n_backfilled()
        assert 40 <= n_before < 450
        others = threading.Thread(target=send, args=(producer, live))
        others.start()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        others.join()

        assert f"sent {450 - n_before:,} events" in said and f"{200 + n_before:,} were already there" in said
        assert sum(len(read(running, topic)) for topic in KIND_OF_TOPIC) == len(log)
        running.wait_until_settled()
        assert_same_as_replay(running, log, beginnings=False)  # of some users live events came first
