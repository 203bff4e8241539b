"""A log through a real Kafka, undisturbed and disturbed, comes to what its replay without Kafka comes to."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.events.interaction import Kind, LoggedEvent
from stream_rec.logs.log import read_events
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.logs import ALL_KINDS, send, zipf_log
from tests.kafka.outcome import Count, assert_same_as_replay
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

DATA = Path(__file__).parents[1] / "data"
LATER_MS = 2_000_000_000_000


def events_of_the_busiest(log: list[LoggedEvent]) -> int:
    return max(Counter(event.user_id for _, event in log).values())


def logs_of_tests() -> list[LoggedEvent]:
    """The cuts of real logs, one after the other."""
    files = sorted(DATA.glob("*-events.jsonl"))
    assert files
    logs = [read_events(file, limits=Settings().limits, received_ms=LATER_MS) for file in files]
    return [line for line in chain(*logs) if isinstance(line, LoggedEvent)]


def test_an_undisturbed_run(bootstrap: str) -> None:
    """Real logs and a long one, on three topics that have no common order: all of it comes out as in the replay."""
    log = [*logs_of_tests(), *zipf_log(n_events=2500, n_users=150, n_items=80, seed=1)]
    assert 64 < events_of_the_busiest(log) < 1024

    with RunningPipeline(bootstrap, quick_settings(user={"recent_events": 1024}), embedder=False) as running:
        with running.producer() as producer:
            send(producer, log)
        running.wait_until_settled()

        assert_same_as_replay(running, log)


@pytest.mark.parametrize("kinds", [[Kind.CLICK], ALL_KINDS], ids=["one topic", "three topics"])
def test_a_worker_killed_in_mid_stream(bootstrap: str, kinds: list[Kind]) -> None:
    """Killed at any moment and started again, a worker loses nothing and counts nothing twice.

    Of 16 recent events most leave again, so that their signals must come from the pending ones.
    """
    log = zipf_log(n_events=2500, n_users=100, n_items=60, seed=2, kinds=kinds)
    assert events_of_the_busiest(log) > 16 * 20
    rng = np.random.default_rng(3)
    settings = quick_settings(
        user={"recent_events": 16, "weekly_counts": 32}, worker={"batch_events": 20, "session_timeout_s": 6.0}
    )

    with RunningPipeline(bootstrap, settings, embedder=False) as running, Count(running, "recommendations") as lists:
        with running.producer() as producer:
            send(producer, log)
        for _ in range(2):
            lists.wait_for(lists() + int(rng.integers(1, 300)))
            running.children["worker-1"].kill()
            running.start_worker()
        running.wait_until_settled()

        assert_same_as_replay(running, log, ordered=len(kinds) == 1)


def test_a_second_worker_that_comes_and_goes(bootstrap: str) -> None:
    """Partitions move to a new worker and back in mid-stream, and nothing is different in the end."""
    log = zipf_log(n_events=4000, n_users=150, n_items=80, seed=4)
    # Small batches, so that there is a backlog at each move: what is lost then is what was fetched and not yet taken.
    settings = quick_settings(user={"recent_events": 1024}, worker={"batch_events": 4, "session_timeout_s": 6.0})

    with RunningPipeline(bootstrap, settings, embedder=False) as running, Count(running, "recommendations") as lists:
        with running.producer() as producer:
            send(producer, log)
        second = running.start_worker("worker-2")
        lists.wait_for(lists() + 100)
        assert second.stop() == 0
        running.wait_until_settled()

        assert_same_as_replay(running, log)
