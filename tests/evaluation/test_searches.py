"""Searches in an evaluation: known before the list for the next group, never scored, and they change nothing else."""

from __future__ import annotations

import io
import json
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.evaluation import Evaluation
from stream_rec.evaluation.prequential import judge
from stream_rec.evaluation.scan import LogFile, digest_log, scan
from stream_rec.evaluation.schedule import read_groups, schedule
from stream_rec.evaluation.slices import split_by_search
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from tests.evaluation.logs import LIMITS, NOW_MS, SearchSpy, Spy, experiment_on, scanned, search_line
from tests.evaluation.test_prequential import engine

THINGS = st.lists(
    st.tuples(st.booleans(), st.sampled_from("uvw"), st.integers(min_value=1, max_value=4)), min_size=1, max_size=25
).filter(lambda things: not all(is_search for is_search, _, _ in things))
"""Searches and events by few users at few times, in any order."""


def lines_of(things) -> list:
    """Return them as lines of a log; the query, or the item, is the number of the line."""
    return [
        search_line(user, str(number), time) if is_search else (user, f"i{number}", time)
        for number, (is_search, user, time) in enumerate(things)
    ]


@pytest.fixture(scope="module")
def scan_rows(tmp_path_factory):
    """Return a log of some rows, each in a folder of its own."""
    return lambda rows: scanned(tmp_path_factory.mktemp("log"), rows)


def called(method, log, warmup=0.0, **settings):
    """Return what a method was asked and told."""
    judge(method, experiment_on(log, n=3, warmup=warmup, **settings), clock=count().__next__, lists=io.BytesIO())
    return method.calls


@settings(deadline=None, max_examples=60)
@given(things=THINGS)
def test_searches_change_nothing_else(scan_rows, things):
    """Whatever stands between events, they have the same groups, numbers and digest, and the same bytes are spooled."""
    with_them, without = scan_rows(lines_of(things)), scan_rows([r for r in lines_of(things) if type(r) is tuple])
    named = [(log.item_ids, log.n_users, log.n_late, len(log)) for log in (with_them, without)]
    plans = [schedule(log, 0.3 if len(without) > 9 else 0) for log in (with_them, without)]
    is_listed = np.ones(len(without.item_ids), bool)

    assert named[0] == named[1]
    assert digest_log(with_them, is_listed) == digest_log(without, is_listed)
    assert plans[0].bounds.tolist() == plans[1].bounds.tolist()
    assert plans[0].n_warm_groups == plans[1].n_warm_groups
    rows = [[(e.kind, e.event.item_id, e.event.timestamp_ms) for e in log.events()] for log in (with_them, without)]
    assert rows[0] == rows[1]
    names = [{file.name for file in log.folder.iterdir()} for log in (with_them, without)]
    assert {name for name in names[0] if "unscored" not in name} == names[1]
    assert with_them.unscored.count(Source.SEARCH) == sum(is_search for is_search, _, _ in things)
    for name in names[1] - {"log.msgpack", "events.spool", "bounds.npy"}:
        assert (with_them.folder / name).read_bytes() == (without.folder / name).read_bytes()


@settings(deadline=None, max_examples=80)
@given(things=THINGS)
def test_each_search_comes_right_before_the_group_that_it_is_known_for(scan_rows, things):
    """By time, then as the log stands: the first group of which every event is newer, or that it does not stand in."""
    log = scan_rows(lines_of(things))
    plan = schedule(log, 0)
    order = sorted(range(len(things)), key=lambda number: things[number][2])  # stable
    group_of_event = iter(plan.group_of_event().tolist())
    groups: list[list[str]] = [[] for _ in range(plan.n_groups + 1)]
    next_group, group_of = 0, {}
    for number in order:
        if things[number][0]:
            groups[next_group].append(str(number))
        else:
            group_of[number] = next(group_of_event)
            next_group = group_of[number] + 1
    made = list(read_groups(log, plan))

    assert [[search.query for _, search in group.before] for group in made] == groups[:-1]
    for group in made:
        for user, search in group.before:
            has_events = any(not is_search and who == search.user_id for is_search, who, _ in things)
            assert (user >= 0) == has_events
    by_number = {g.user: g.events[0].event.user_id for g in made}
    assert all(by_number[user] == search.user_id for group in made for user, search in group.before if user >= 0)


@settings(deadline=None, max_examples=80)
@given(things=THINGS)
def test_what_comes_after_a_search_is_found_one_by_one(scan_rows, things):
    """The newest thing of the user before the group: a search, or not."""
    things = [(True, "u", 1), *things]
    log = scan_rows(lines_of(things))
    plan = schedule(log, 0)
    order = sorted(range(len(things)), key=lambda number: things[number][2])
    slow, seen, group_of = [], [], iter(plan.group_of_event().tolist())
    last_group, newest = -1, {}
    for number in order:
        is_search, user, _ = things[number]
        if not is_search:
            group = next(group_of)
            if group != last_group:
                newest, last_group = dict(seen), group
            slow.append(newest.get(user, False))
        seen.append((user, is_search))
    made = split_by_search(log, plan)

    assert made["after=search"].tolist() == slow
    assert made["after=event"].tolist() == [not each for each in slow]


def test_where_there_are_no_searches_nothing_is_said_of_them(tmp_path):
    """Neither files nor slices nor a count."""
    log = scanned(tmp_path, [("u", "a", 1), ("u", "b", 2)])
    counts = Evaluation(experiment_on(log, warmup=0), [Item("a"), Item("b")]).count()

    assert sorted(file.name for file in log.folder.iterdir()) == [
        "items.npy", "kinds.npy", "log.msgpack", "times_ms.npy", "users.npy",
    ]  # fmt: skip
    assert split_by_search(log, schedule(log, 0)) == {}
    assert "n_searches" not in counts


ROWS = [
    search_line("u", "first", 1), ("u", "a", 1), search_line("u", "middle", 1), ("u", "b", 1),
    search_line("x", "of nobody", 2), ("v", "a", 3), search_line("v", "late", 2), ("u", "c", 4),
    search_line("u", "last", 5),
]  # fmt: skip
"""Three groups: u's two events, v's, u's. The first only teaches where asked for."""


def test_searches_are_told_before_the_list_that_may_know_them(tmp_path):
    """In the warm-up too; that of a user without events has no number; those after the last group are not told."""
    calls = called(SearchSpy(), scanned(tmp_path, ROWS), warmup=0.3)

    assert calls == [
        ("search", 0, "first"),
        ("learn", 0, 1000, [0, 1]),
        ("search", 0, "middle"),
        ("search", -1, "of nobody"),
        ("search", 1, "late"),
        ("recommend", 1, 3000),
        ("learn", 1, 3000, [0]),
        ("recommend", 0, 4000),
        ("learn", 0, 4000, [2]),
    ]


def test_who_takes_no_searches_is_not_told(tmp_path):
    """Nor is anybody where they are left out; what is asked and told else is the same."""
    log = scanned(tmp_path, ROWS)
    plain = called(Spy(), log)

    assert called(SearchSpy(), log, has_searches=False) == plain
    assert [call for call in called(SearchSpy(), log) if call[0] != "search"] == plain


def test_the_time_of_a_search_is_that_of_learning(tmp_path):
    """Of the group that comes next. Each look at the clock is a tick."""
    trial = judge(
        SearchSpy(), experiment_on(scanned(tmp_path, ROWS), n=3, warmup=0), clock=count().__next__, lists=io.BytesIO()
    )

    assert (trial.list_ns.tolist(), trial.learn_ns.tolist()) == ([1, 1, 1], [2, 2, 1])


def test_critiques_count_to_the_limit(tmp_path):
    """Right behind their events; which came is known."""
    file = tmp_path / "log.jsonl"
    view = {"event_type": "view", "user_id": "u", "item_id": "a", "source_type": "nicer"}
    file.write_text("".join(json.dumps(view | {"timestamp": time}) + "\n" for time in (1, 2, 3)))
    (tmp_path / "folder").mkdir()
    log_file = LogFile(str(file), LIMITS, NOW_MS, 3, {"nicer": "nicer", "cheaper": "cheaper"})
    log = scan(log_file, tmp_path / "folder", item_ids=["a"], on_bad=print)

    assert (len(log), len(list(log.events())), list(log.n_critiques)) == (2, 2, ["nicer"])
    assert list(log.unscored.read([Source.SEARCH])) == [(1, (0, Search("log-1-asked", "u", "nicer", 1000, "a")))]


def test_a_log_of_many_searches_is_counted(tmp_path):
    """In the report's counts."""
    log = scanned(tmp_path, ROWS)

    assert Evaluation(experiment_on(log, warmup=0), [Item(each) for each in "abc"]).count()["n_searches"] == 5


def test_the_engine_takes_searches_to_the_state(tmp_path, monkeypatch):
    """Whose list it then is, is known before the user's first event."""
    log = scanned(tmp_path, ROWS, list("abc"))
    method: Engine = engine(log, list("abc"))
    taken, asked = [], []
    pipeline = method._pipeline
    rank = pipeline.rank
    monkeypatch.setattr(pipeline, "search", taken.append)
    monkeypatch.setattr(pipeline, "rank", lambda user_id, *now: asked.append(user_id) or rank(user_id, *now))
    judge(method, experiment_on(log, n=3, warmup=0), clock=count().__next__, lists=io.BytesIO())

    assert [search.query for search in taken] == ["first", "middle", "of nobody", "late"]
    assert asked == ["u", "v", "u"]


@pytest.mark.parametrize("warmup", [0, 0.3])
def test_parts_after_a_search_by_hand(tmp_path, warmup):
    """u's first events follow a search, and v's; u's last one follows an event, behind the search in its group."""
    log = scanned(tmp_path, ROWS)
    made = split_by_search(log, schedule(log, warmup))["after=search"].tolist()

    assert made == [True, True, True, False][2 if warmup else 0 :]
