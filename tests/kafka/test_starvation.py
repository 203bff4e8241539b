"""A machine with far more to do than it has CPU: everything is slow, and nothing is started again."""

from __future__ import annotations

import os
import re
import time
from datetime import datetime

import pytest

from stream_rec.testing.pipeline import Child, RunningPipeline
from tests.hogs import hogs, one_cpu
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import Count, assert_same_as_replay
from tests.kafka.settings import quick_settings

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.long,
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be kept on one CPU here"),
]

HOGS = 8
"""They leave enough CPU to answer every look of the watchdog: what its limits count is asked of the start, below."""
STARVED_S = 40.0
"""Four times as long as a group coordinator may be unknown, nearly thrice as long as a loop may be mute."""
RATE = 20
"""Events a second."""
HOGS_AT_START = 16
READY_S = 10.0
"""More than a start takes without hogs, and a fraction of what it takes beside them."""


def test_eight_hogs_make_the_pipeline_slow_and_end_nothing(bootstrap: str) -> None:
    """Time without CPU is no fault of a process: none ends, and at the end all is as if there had been enough."""
    log = zipf_log(n_events=int(STARVED_S * RATE), n_users=50, n_items=60, seed=12)
    settings = quick_settings(user={"recent_events": 1024}, worker={"session_timeout_s": 15.0})

    with (
        one_cpu(),
        RunningPipeline(bootstrap, settings) as running,
        Count(running, "recommendations") as lists,
        running.producer() as producer,
    ):
        with hogs(HOGS, STARVED_S + 60):
            began = time.monotonic()
            for item in catalog_of(log):
                producer.item(item)
            for number, logged in enumerate(log):
                time.sleep(max(0.0, began + number / RATE - time.monotonic()))
                send(producer, [logged])
                running.raise_if_ended()
            assert lists() > 0
        running.wait_until_settled()

        running.raise_if_ended()
        assert_same_as_replay(running, log)


def test_a_start_beside_hogs_is_waited_for(bootstrap: str) -> None:
    """What ``ready_timeout_s`` allows is running time: by the clock on the wall it is long over when it is ready."""
    settings = quick_settings(worker={"ready_timeout_s": READY_S})

    with (
        one_cpu(),
        RunningPipeline(bootstrap, settings, workers=0, embedder=False) as running,
        hogs(HOGS_AT_START, 400.0),
    ):
        worker = running.start_worker()

        assert watched_s(worker) > READY_S  # else nothing was starved, and nothing is proven


def watched_s(worker: Child) -> float:
    """Return how long a worker took from when it was watched, which is when it began to compile, until it was ready."""
    compiled, took_ms, ready = re.search(
        r"^(\S+ \S+) [^\n]* compiled took_ms=(\d+).*^(\S+ \S+) [^\n]* ready instance=",
        worker.log.read_text(),
        re.DOTALL | re.MULTILINE,
    ).groups()
    moments = [datetime.strptime(moment, "%Y-%m-%d %H:%M:%S,%f") for moment in (compiled, ready)]
    return (moments[1] - moments[0]).total_seconds() + int(took_ms) / 1000
