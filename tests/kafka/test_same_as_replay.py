"""A log through a real Kafka, undisturbed and disturbed, comes to what its replay without Kafka comes to."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Kind, LoggedEvent
from stream_rec.events.search import Search
from stream_rec.logs.log import read_events
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.logs import ALL_KINDS, Logged, send, sent_as, with_impressions, with_profiles, with_searches, zipf_log
from tests.kafka.outcome import Count, assert_same_as_replay, replayed
from tests.kafka.settings import quick_settings, with_pushed

pytestmark = [pytest.mark.kafka, pytest.mark.thorough]

DATA = Path(__file__).parents[1] / "data"
LATER_MS = 2_000_000_000_000
ALL_RECENT = {"recent_events": 1024, "recent_searches": 256, "recent_impressions": 64, "context_keys": "country"}
"""So many that none leaves them: then what answers what is the same in whatever order topics are read. What profiles
say of contexts is not."""


def of_the_busiest(log: list[Logged], of: type = LoggedEvent) -> int:
    return max(Counter(sent_as(line)[1].user_id for line in log if isinstance(line, of)).values())


def logs_of_tests() -> list[LoggedEvent]:
    """The cuts of real logs, one after the other."""
    files = sorted(DATA.glob("*-events.jsonl"))
    assert files
    logs = [read_events(file, limits=Settings().limits, received_ms=LATER_MS) for file in files]
    return [line for line in chain(*logs) if isinstance(line, LoggedEvent)]


def test_an_undisturbed_run(bootstrap: str) -> None:
    """Real logs and a long one, on six topics that have no common order: all of it comes out as in the replay."""
    made = zipf_log(n_events=2500, n_users=150, n_items=80, seed=1)
    log = [*with_searches(logs_of_tests(), seed=6), *with_impressions(with_searches(made, seed=7), seed=10, share=0.1)]
    log = with_profiles(log, seed=13)
    assert 64 < of_the_busiest(log) < 1024
    assert 16 < of_the_busiest(log, Search) < 256
    assert 16 < of_the_busiest(log, Impression) < 64
    expected = replayed(quick_settings(user=ALL_RECENT), log)
    assert sum(len(item.queries) for item in expected.items.values()) > 500
    assert sum(sum(item.chosen) for item in expected.items.values()) > 50
    assert sum(user.profile is not None for user in expected.users.values()) > 50

    with RunningPipeline(bootstrap, with_pushed(quick_settings(user=ALL_RECENT)), embedder=False) as running:
        with running.producer() as producer:
            send(producer, log)
        running.wait_until_settled()

        assert_same_as_replay(running, log)


FEW_RECENT = {
    "recent_events": 16,
    "recent_searches": 4,
    "recent_impressions": 3,
    "weekly_counts": 32,
    "shown_counts": 64,
}


@pytest.mark.parametrize(
    ("kinds", "share_of_searches", "share_of_impressions", "bounds", "ordered"),
    [
        pytest.param([Kind.CLICK], 0.0, 0.0, FEW_RECENT, True, marks=pytest.mark.long),
        (ALL_KINDS, 0.3, 0.3, FEW_RECENT, False),
        ([Kind.CLICK], 0.5, 0.1, ALL_RECENT, True),
    ],
    ids=["one topic", "five topics", "searches, impressions and clicks"],
)
def test_a_worker_killed_in_mid_stream(
    bootstrap: str,
    kinds: list[Kind],
    share_of_searches: float,
    share_of_impressions: float,
    bounds: dict[str, int],
    ordered: bool,
) -> None:
    """Killed at any moment and started again, a worker loses nothing and counts nothing twice.

    Of 16 recent events, 4 searches and 3 impressions most leave again, so that their signals must come from the
    pending ones.
    """
    events = zipf_log(n_events=2500, n_users=100, n_items=60, seed=2, kinds=kinds)
    searched = with_searches(events, seed=8, share=share_of_searches)
    log = with_impressions(searched, seed=11, share=share_of_impressions)
    assert of_the_busiest(log) > 16 * 20
    rng = np.random.default_rng(3)
    settings = with_pushed(quick_settings(user=bounds, worker={"batch_events": 20, "session_timeout_s": 6.0}))

    with RunningPipeline(bootstrap, settings, embedder=False) as running, Count(running, "recommendations") as lists:
        with running.producer() as producer:
            send(producer, log)
        for _ in range(2):
            lists.wait_for(lists() + int(rng.integers(1, 300)))
            running.children["worker-1"].kill()
            running.start_worker()
        running.wait_until_settled()

        assert_same_as_replay(running, log, ordered=ordered)


def test_a_second_worker_that_comes_and_goes(bootstrap: str) -> None:
    """Partitions move to a new worker and back in mid-stream, and nothing is different in the end."""
    log = with_searches(zipf_log(n_events=4000, n_users=150, n_items=80, seed=4), seed=9)
    log = with_impressions(log, seed=12, share=0.05)
    # Small batches, so that there is a backlog at each move: what is lost then is what was fetched and not yet taken.
    settings = with_pushed(quick_settings(user=ALL_RECENT, worker={"batch_events": 4, "session_timeout_s": 6.0}))

    with RunningPipeline(bootstrap, settings, embedder=False) as running, Count(running, "recommendations") as lists:
        with running.producer() as producer:
            send(producer, log)
        second = running.start_worker("worker-2")
        lists.wait_for(lists() + 100)
        assert second.stop() == 0
        running.wait_until_settled()

        assert_same_as_replay(running, log)
