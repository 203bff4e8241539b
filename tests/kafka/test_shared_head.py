"""What heads and items' factors learn reaches the other workers, and outlives a restart."""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest

from stream_rec.catalog import factors
from stream_rec.config import Settings
from stream_rec.ranking import head as heads
from stream_rec.ranking import merge
from stream_rec.ranking.merge import Contribution
from stream_rec.stages.factor_exchange import BETWEEN
from stream_rec.testing.pipeline import Child, RunningPipeline
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def contributions(running: RunningPipeline) -> dict[str, Contribution]:
    """The newest contribution of each worker."""
    settings: Settings = running.settings
    cold = heads.cold(settings.head, settings.ranking.seed)
    of = merge.fingerprint(cold)
    found = running.read_compacted("head-weights")
    return {worker: merge.decode(value, cold, of) for worker, value in found.items() if BETWEEN.decode() not in worker}


def choices(running: RunningPipeline) -> dict[str, int]:
    """How many choices each worker has learned from, as it has told the others."""
    return {worker: contribution.n_choices for worker, contribution in contributions(running).items()}


def moves(running: RunningPipeline) -> Counter[str]:
    """How many items each worker has told that its users moved."""
    found = running.read_compacted("head-weights")
    words = {key: factors.decode(value) for key, value in found.items() if BETWEEN.decode() in key}
    return Counter(key.partition(BETWEEN.decode())[0] for key, moved in words.items() if moved.any())


def factors_at_start(child: Child) -> list[tuple[int, int]]:
    """(items its own users moved, others' ones) that a worker began with, at each of its starts."""
    log = child.log.read_text(errors="replace")
    return [(int(own), int(others)) for own, others in re.findall(r" factors own=(\d+) others=(\d+)", log)]


def heads_at_start(child: Child) -> list[tuple[int, int]]:
    """(all choices, its own ones) in the head that a worker began with, at each of its starts."""
    log = child.log.read_text(errors="replace")
    return [(int(all_), int(own)) for all_, own in re.findall(r" head choices=(\d+) own=(\d+)", log)]


def test_workers_share_what_they_learn_and_go_on_from_it(bootstrap: str) -> None:
    """Two workers learn from their own users; a third, and the first after a kill, begin with all of it."""
    log = zipf_log(n_events=900, n_users=100, n_items=40, seed=9)
    settings = quick_settings(worker={"batch_events": 20, "session_timeout_s": 6.0, "head_interval_s": 0.2})

    with RunningPipeline(bootstrap, settings, workers=2, embedder=False) as running:
        with running.producer() as producer:
            for item in catalog_of(log):
                producer.item(item)
            producer.flush()
            send(producer, log[:600])
        running.wait_until_settled()
        time.sleep(1.0)  # five intervals: what was learned has been told
        told = choices(running)
        assert set(told) == {"worker-1", "worker-2"} and min(told.values()) > 20 and sum(told.values()) <= 600
        moved = moves(running)
        assert set(moved) == set(told) and min(moved.values()) > 20
        assert (
            heads_at_start(running.children["worker-1"]) == factors_at_start(running.children["worker-1"]) == [(0, 0)]
        )
        running.children["worker-1"].kill()
        first = running.start_worker("worker-1")

        # It begins with what both had learned, and knows which part is its own.
        assert heads_at_start(first)[1] == (sum(told.values()), told["worker-1"])
        assert factors_at_start(first)[1] == (moved["worker-1"], moved["worker-2"])

        with running.producer() as producer:
            send(producer, log[600:])
        running.wait_until_settled()
        # How many choices there are depends on the batches: a user's events of one batch are one.
        wait_until(lambda: all(after > told[worker] for worker, after in choices(running).items()))

        # Told to end, a worker leaves nothing unsaid; one that comes for the first time knows all of it.
        assert first.stop() == 0
        assert running.children["worker-2"].stop() == 0
        last, last_moved = choices(running), moves(running)
        third = running.start_worker("worker-3")
        assert heads_at_start(third) == [(sum(last.values()), 0)]
        assert factors_at_start(third) == [(0, sum(last_moved.values()))]
