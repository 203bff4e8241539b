"""Predict, then learn: nothing of a group, nor of what comes after it, is known to its list."""

from __future__ import annotations

import io
from itertools import count

import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.errors import FileProblem
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.method import World
from stream_rec.evaluation.prequential import judge
from stream_rec.evaluation.schedule import read_groups, schedule
from stream_rec.events.item import Item
from tests.evaluation.logs import Always, Spy, experiment_on, many_rows, scanned

ROWS = [("u", "a", 1), ("u", "b", 1), ("v", "a", 1), ("u", "a", 1), ("u", "c", 2), ("u", "c", 2)]
"""Four groups: u's events at 1 are two of them, parted by v's."""


def judged(method, log, warmup=0.0, n=3, n_listed=None, **options):
    """Return the trial and the lists."""
    is_listed = np.arange(len(log.item_ids)) < (len(log.item_ids) if n_listed is None else n_listed)
    sink = io.BytesIO()
    options = {"clock": count().__next__, **options}
    trial = judge(method, experiment_on(log, is_listed, n=n, warmup=warmup), lists=sink, **options)
    return trial, np.frombuffer(sink.getvalue(), np.int32).reshape(-1, n)


def engine(log, item_ids):
    """Return the production core on items whose texts say nothing of each other."""
    items = [Item(item_id) for item_id in item_ids]
    n = len(log.item_ids)
    world = World(log.n_users, n, log.item_ids, np.arange(n) < len(items), np.zeros((n, 0), np.float32), 0, 1)
    return Engine(world, 0, settings=Settings(), items=items, embeddings={})


def test_groups_are_consecutive_events_of_one_user_at_one_time(tmp_path):
    """Another user between them parts them, and so does time."""
    log = scanned(tmp_path, ROWS)
    made = [(group.user, group.now_ms, group.items.tolist()) for group in read_groups(log, schedule(log, 0))]

    assert made == [(0, 1000, [0, 1]), (1, 1000, [0]), (0, 1000, [0]), (0, 2000, [2, 2])]


@pytest.mark.parametrize(
    ("warmup", "n_warm", "first"), [(0, 0, 0), (0.01, 1, 2), (0.17, 1, 2), (0.5, 2, 3), (0.51, 3, 4), (0.66, 3, 4)]
)
def test_a_group_that_begins_in_the_warm_up_only_teaches(tmp_path, warmup, n_warm, first):
    """Whole: of six events a hundredth is a part of the first, whose group has two."""
    plan = schedule(scanned(tmp_path, ROWS), warmup)

    assert (plan.n_warm_groups, plan.first_scored) == (n_warm, first)


def test_a_log_that_is_all_warm_up_is_an_error(tmp_path):
    """One group, or everything at one time."""
    log = scanned(tmp_path, [("u", "a", 1), ("u", "b", 1)])

    with pytest.raises(FileProblem, match=r"too small: its 2 events are 1 groups"):
        schedule(log, 0.5)


def test_a_list_is_asked_for_before_the_group_is_told(tmp_path):
    """Once a group, and in the warm-up not at all."""
    spy = Spy()
    judged(spy, scanned(tmp_path, ROWS), warmup=0.17)

    assert spy.calls == [
        ("learn", 0, 1000, [0, 1]),
        ("recommend", 1, 1000),
        ("learn", 1, 1000, [0]),
        ("recommend", 0, 1000),
        ("learn", 0, 1000, [0]),
        ("recommend", 0, 2000),
        ("learn", 0, 2000, [2, 2]),
    ]


def test_each_event_of_a_group_is_scored_against_its_one_list(tmp_path):
    """Rank from 1, 0 where it is not in the list; an item that stands there twice is scored twice."""
    trial, lists = judged(Always(2, 0), scanned(tmp_path, ROWS))

    assert trial.ranks.tolist() == [2, 0, 2, 2, 1, 1]
    assert lists.tolist() == [[2, 0, -1]] * 4
    assert (trial.list_ns.tolist(), trial.learn_ns.tolist()) == ([1] * 4, [1] * 4)


def test_who_looks_does_so_between_scoring_and_learning(tmp_path):
    """In nobody's time, and not in the warm-up."""
    spy, clock = Spy(), count()

    def observe(group):
        spy.calls.append(("observe", group.user, group.now_ms))
        for _ in range(1000):
            next(clock)

    trial, _ = judged(spy, scanned(tmp_path, ROWS[:4]), warmup=0.3, clock=clock.__next__, observe=observe)

    assert spy.calls == [
        ("learn", 0, 1000, [0, 1]),
        ("recommend", 1, 1000),
        ("observe", 1, 1000),
        ("learn", 1, 1000, [0]),
        ("recommend", 0, 1000),
        ("observe", 0, 1000),
        ("learn", 0, 1000, [0]),
    ]
    assert (trial.list_ns.tolist(), trial.learn_ns.tolist()) == ([1, 1], [1, 1])


def test_what_only_the_group_knows_is_no_hit(tmp_path):
    """The real engine: every group repeats an item that no other has. Told its own group it would hit each time."""
    rows = [(f"u{n % 2}", f"item-{n}", n) for n in range(30) for _ in range(2)]
    item_ids = [f"item-{n}" for n in range(5000)]  # some of which fill up lists
    log = scanned(tmp_path, rows, item_ids)
    trial, lists = judged(engine(log, item_ids), log, n=30)

    assert trial.ranks.tolist() == [0] * 60
    assert (lists >= 0).sum() > 200


def test_what_only_the_future_knows_changes_no_list(tmp_path):
    """The real engine makes the same lists when what comes later never happens, and others when it came first."""
    item_ids = [f"i{n}" for n in range(6)]
    rows = many_rows(60)
    last = rows[-1][2]
    future = [("u0", "i5", last + n) for n in range(1, 40)]
    made = {}
    for name, parts in (
        ("short", rows),
        ("long", rows + future),
        ("before", [(u, i, t - 1e8) for u, i, t in future] + rows),
    ):
        (tmp_path / name).mkdir()
        log = scanned(tmp_path / name, parts, item_ids)
        made[name] = judged(engine(log, item_ids), log, n=6)[1]
    n = len(made["short"])

    assert made["long"][:n].tolist() == made["short"].tolist()
    assert made["before"][-n:].tolist() != made["short"].tolist()


@pytest.mark.parametrize(
    ("items", "words"),
    [((0, 0), "2, 1 different"), ((0, 1, 2, 3), "at most 3"), ((4,), "listed items only"), ((-1,), "listed")],
)
def test_what_is_no_list_is_refused(tmp_path, items, words):
    """Otherwise a method that repeats, or shows what may not be shown, would look good."""
    log = scanned(tmp_path, [("u", item, n) for n, item in enumerate("abcde")])
    method = Always(*items)
    method.recommend = lambda user, now_ms, n: method.items

    with pytest.raises(ValueError, match=words):
        judged(method, log, n_listed=4)
