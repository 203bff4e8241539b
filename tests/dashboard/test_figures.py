"""Live figures: sums that are right whatever processes come and go, and quantiles from buckets."""

from __future__ import annotations

from typing import Any

import pytest

from stream_rec.dashboard.figures import (
    FORGET_MS,
    KEPT_S,
    MOST_PROCESSES,
    QUIET_MS,
    Figures,
    describe_feature,
    find_quantiles,
)
from stream_rec.events.status import HeadStatus, Judged, Status
from stream_rec.ranking.features import INPUT_NAMES


def status(name: str = "w1", at_ms: int = 1_000, started_ms: int = 1, role: str = "worker", **more: Any) -> Status:
    fields = {"version": "1", "state": "ready", "written_ms": at_ms, "started_ms": started_ms, **more}
    return Status(role=role, instance_id=name, **fields)


def test_a_rate_is_what_was_done_between_two_words():
    """Of five seconds; what was done before the dashboard looked is no rate, and is in the totals."""
    figures = Figures()
    figures.take(status(taken={"views": 1_000}, lists=900), 1_000, is_new=False)
    assert figures.tick(1_000).rates == {}
    for second in range(2, 8):
        figures.take(
            status(at_ms=1_000 * second, taken={"views": 1_000 + 10 * second}, lists=900 + 5 * second), 1_000 * second
        )
        point = figures.tick(1_000 * second)

    assert point.rates == {"views": 10.0}
    assert point.lists == 5.0
    assert figures.now(7_000).taken == {"views": 1_070}


def test_a_process_that_began_anew_is_counted_whole_and_never_taken_from_the_one_before():
    """Its counts begin at 0: another started_ms is another process."""
    figures = Figures()
    figures.tick(0)
    figures.take(status(taken={"views": 500}, started_ms=1), 1_000)
    figures.tick(1_000)
    figures.take(status(taken={"views": 20}, started_ms=900, at_ms=2_000), 2_000)

    assert figures.tick(2_000).rates["views"] == pytest.approx(520 / 2)
    assert figures.now(2_000).taken == {"views": 20}


def test_what_is_read_again_counts_once():
    """After a broker's restart the topic is read from its beginning; an old word of a process is none."""
    figures = Figures()
    figures.tick(0)
    figures.take(status(taken={"views": 5}, at_ms=1_000), 1_000)
    for _ in range(2):
        figures.take(status(taken={"views": 5}, at_ms=1_000), 1_500, is_new=False)
    figures.take(status(taken={"views": 3}, at_ms=500), 1_500, is_new=False)
    figures.take(status(taken={"views": 99}, at_ms=400, started_ms=0), 1_500, is_new=False)
    figures.take(status(taken={"views": 8}, at_ms=2_000), 2_000, is_new=False)

    assert figures.tick(2_000).rates["views"] == 4.0


def test_several_workers_are_one_pipeline():
    """Sums of what is counted; of what cannot be summed that of the worker that has seen most."""
    figures = Figures()
    judged = {"lists": Judged(10, 5, 2.0)}
    figures.take(
        status("a", lag={"views": 2}, lists=10, items=5, coverage=0.2, gini=0.2, users=3, judged=judged), 1_000
    )
    figures.take(
        status("b", lag={"views": 3}, lists=30, items=6, coverage=0.4, gini=0.6, users=4, judged=judged), 1_000
    )
    figures.take(status("e", role="embedder", taken={"items": 6}, rejected={"bad_json": 1}), 1_000)
    point, now = figures.tick(1_000), figures.now(1_000)

    assert point.lag == 5 and now.lag == {"views": 5}
    assert (now.lists, now.items, now.coverage, now.users) == (40, 6, 0.4, 7)
    assert now.gini == pytest.approx(0.5)
    assert now.rejected == {"bad_json": 1} and now.taken == {"items": 6}
    assert (now.judged["lists"].n, now.judged["lists"].hit_rate, now.judged["lists"].ndcg) == (20, 0.5, 0.2)


def test_who_says_nothing_is_gone_and_forgotten_later():
    """By the clock of who listens; nothing of a worker that is gone is shown as if it were now."""
    figures = Figures()
    figures.take(status(lag={"views": 2}, at_ms=10**12), 1_000)
    assert figures.now(1_000 + QUIET_MS).has_workers
    late = figures.now(1_001 + QUIET_MS)
    assert not late.has_workers and late.lag == {} and [each.state for each in late.processes] == ["gone"]
    assert figures.tick(1_001 + QUIET_MS).lag is None

    figures.tick(1_001 + FORGET_MS)
    assert figures.now(1_001 + FORGET_MS).processes == []


def test_who_answers_requests_says_how_many_a_second():
    """Between its last two words, over all routes; a process that began anew, or is gone, has none."""
    figures = Figures()
    figures.take(status("s", 1_000, role="serve", requests={"GET /v1/popular 2xx": 10}), 1_000)
    figures.take(status("w", 1_000), 1_000)
    assert [each.requests_s for each in figures.now(1_000).processes] == [None, None]

    answered = {"GET /v1/popular 2xx": 40, "POST /v1/events 5xx": 2}
    figures.take(status("s", 3_000, role="serve", requests=answered), 3_000)
    figures.take(status("w", 3_000), 3_000)
    assert [each.requests_s for each in figures.now(3_000).processes] == [16.0, None]
    assert figures.now(3_001 + QUIET_MS).processes[0].requests_s is None

    figures.take(status("s", 4_000, started_ms=3_500, role="serve"), 4_000)
    assert figures.now(4_000).processes[0].requests_s is None


def test_memory_is_bounded():
    """So many points, and so many processes: those heard of last."""
    figures = Figures()
    for number in range(MOST_PROCESSES + 50):
        figures.take(status(f"w{number}"), 1_000)
    for second in range(KEPT_S + 50):
        figures.tick(1_000 * second)

    figures.take(status("last"), 10**6)
    assert len(figures.points) == KEPT_S
    assert len(Figures().points) == 0
    assert len(figures.now(1_000).processes) <= MOST_PROCESSES


def test_judged_and_times_are_of_their_windows():
    """A minute, and ten seconds; what was before is in the totals alone."""
    figures = Figures()
    for second in range(80):
        n = second if second < 10 else 10
        more = {"judged": {"lists": Judged(n, n, float(n))}, "event_to_list": [n]}
        figures.take(status(at_ms=1_000 + 1_000 * second, **more), 1_000 * second)
        point = figures.tick(1_000 * second)

    assert point.judged["lists"].n == 0 and point.latency.n == 0 and point.latency.p50 is None
    assert figures.points[15].judged["lists"].n == 10 and figures.points[15].latency.n == 5
    assert figures.now(80_000).judged["lists"].hit_rate == 1.0 and figures.now(80_000).latency.n == 10


@pytest.mark.parametrize(
    ("histogram", "expected"),
    [
        ({0: 1}, (1, 5.0, 9.5, 9.9)),
        ({1: 10}, (10, 15.0, 19.5, 19.9)),
        ({2: 3}, (3, 20.0, 20.0, 20.0)),
        ({0: 98, 2: 2}, (100, 5.102, 9.694, 20.0)),
    ],
)
def test_quantiles_lie_within_their_buckets(histogram: dict[int, int], expected: tuple[float, ...]):
    """As if a bucket's were evenly apart; what is above the last bound is as long as that at least."""
    found = find_quantiles(histogram, bounds=(10, 20))
    assert (found.n, found.p50, found.p95, found.p99) == pytest.approx(expected, abs=0.001)


def test_every_feature_has_words():
    """None is shown by its name in the code."""
    assert [name for name in INPUT_NAMES if "_" in describe_feature(name)] == []


def test_the_head_is_that_of_who_has_heard_most():
    """Its largest weights first, whichever way they speak."""
    figures = Figures()
    figures.take(
        status("a", head=HeadStatus(5, {"linear": 1.0}, {"own": 0.5, "sknn": -2.0}, 1.5, 2, 77, {"wished": 2.5})), 1_000
    )
    figures.take(status("b", head=HeadStatus(3)), 1_000)
    head = figures.now(1_000).head

    assert head is not None and (head.choices, head.drifts, head.drifted_ms) == (5, 2, 77)
    assert [weight.feature for weight in head.weights] == ["sknn", "own"] and head.actions == {"wished": 2.5}
