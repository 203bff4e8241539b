"""A machine with far more to do than it has CPU: everything is slow, and nothing is started again."""

from __future__ import annotations

import os
import time

import pytest

from stream_rec.testing.pipeline import RunningPipeline
from tests.hogs import hogs, one_cpu
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import Count, assert_same_as_replay
from tests.kafka.settings import quick_settings

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be kept on one CPU here"),
]

HOGS = 8
STARVED_S = 40.0
"""Four times as long as a group coordinator may be unknown, nearly thrice as long as a loop may be mute."""
RATE = 20
"""Events a second."""


def test_eight_hogs_make_the_pipeline_slow_and_end_nothing(bootstrap: str) -> None:
    """Time without CPU is no fault of a process: none ends, and at the end all is as if there had been enough."""
    log = zipf_log(n_events=int(STARVED_S * RATE), n_users=50, n_items=60, seed=12)
    settings = quick_settings(user={"ring": 1024}, worker={"session_timeout_s": 15.0})

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
