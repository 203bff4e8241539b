"""The first part of a log knows nothing of the rest."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.config import Settings, override
from stream_rec.errors import FileProblem
from stream_rec.evaluation.scan import cut_log
from stream_rec.evaluation.schedule import read_groups, schedule
from stream_rec.tuning.chosen import read_parts, require_unseen, write_chosen
from stream_rec.tuning.split import describe_part, find_leak, find_split, take_first, take_rest
from tests.evaluation.logs import experiment_on, impression_line, many_rows, scanned, search_line

N_KNOWN = 3


def lines_of(rows) -> list[str]:
    """Return events with searches and impressions between them."""
    lines = []
    for number, (user, item, time) in enumerate(rows):
        lines.append(json.dumps({"event_type": "view", "user_id": user, "item_id": item, "timestamp": time}))
        if number % 4 == 0:
            lines.append(search_line(f"s{number % 3}" if number % 8 else user, f"q{number}", time))
        if number % 5 == 0:
            lines.append(impression_line(user, [item, "i1"], time))
    return lines


def told(log) -> list:
    """Return all that methods are told of a log, in order."""
    groups = read_groups(log, schedule(log, 0))
    return [
        (group.user, group.now_ms, group.items.tolist(), group.kinds.tolist(), group.events, group.before, group.shown)
        for group in groups
    ]


def named(log, rows: list) -> list:
    """Return the same with names in place of numbers of users and items, which only what was read gives."""
    return [(events, [one for _, one in before], [one for _, one in shown]) for *_, events, before, shown in rows]


@settings(max_examples=15, deadline=None)
@given(n_events=st.integers(2, 59), seed=st.integers(0, 5), is_shuffled=st.booleans())
def test_the_first_events_are_a_log_of_their_own(tmp_path_factory, n_events: int, seed: int, is_shuffled: bool):
    """It tells what the whole tells until then, in order or not; of who and what comes later nothing is known."""
    folder = tmp_path_factory.mktemp("log")
    lines = lines_of(many_rows(60, n_users=9))
    if is_shuffled:
        np.random.default_rng(seed).shuffle(lines)
    whole = scanned(folder, lines, [f"i{n}" for n in range(N_KNOWN)])
    (folder / "first").mkdir()
    first = cut_log(whole, n_events, N_KNOWN, folder / "first")

    assert len(first) == n_events
    assert first.n_users == len(set(first.users.tolist()))
    assert set(first.item_ids[N_KNOWN:]) == {first.item_ids[item] for item in first.items if item >= N_KNOWN}
    assert first.item_ids == whole.item_ids[: len(first.item_ids)]
    assert all(-1 <= user < first.n_users for user in first.unscored.users.tolist())
    n_whole_groups = int(np.searchsorted(schedule(whole, 0).bounds, n_events, "right")) - 1
    assert named(first, told(first)[:n_whole_groups]) == named(whole, told(whole)[:n_whole_groups])


def test_it_is_the_same_whatever_comes_after(tmp_path):
    """Byte for byte, but for the name of the file."""
    lines = lines_of(many_rows(60))
    other = lines_of([(f"x{n}", f"y{n}", 3e9 + n) for n in range(50)])
    logs = []
    for number, rest in enumerate((lines[50:], other)):
        folder = tmp_path / str(number)
        folder.mkdir()
        whole = scanned(folder, lines[:50] + rest)
        (folder / "first").mkdir()
        first = cut_log(whole, 30, 0, folder / "first")
        logs.append((describe_part("a", whole, 30), first.item_ids, first.n_users, told(first)))

    assert logs[0] == logs[1]


def test_two_parts(tmp_path):
    """No group is split; trials are scored on the end of the first part, the report on nothing of it."""
    log = scanned(tmp_path, many_rows(200))
    whole = experiment_on(log)
    n, n_known = find_split(log, 0.5), len(log.item_ids)
    for name in ("first", "short"):
        (tmp_path / name).mkdir()
    first = take_first(whole, n, judged=0.4, n_known=n_known, folder=tmp_path / "first")
    rest = take_rest(whole, n, n_known=n_known)

    assert n in whole.plan.bounds and 100 <= n < 105
    assert len(first.log) == n and len(first.log) - first.plan.first_scored in range(36, 42)
    assert rest.plan.first_scored == n and len(rest.log) == 200
    with pytest.raises(FileProblem, match="too short: settings are chosen on"):
        take_first(whole, n, judged=0.1, n_known=n_known, folder=tmp_path / "short")


def test_settings_say_what_they_were_chosen_on(tmp_path):
    """A file of settings goes on; its log is known again, also a shorter piece of it, and no other is taken for it."""
    log, other = scanned(tmp_path, many_rows(200)), tmp_path / "other"
    other.mkdir()
    part = describe_part("a log", log, 100)
    file = tmp_path / "best.toml"
    write_chosen(file, override(Settings(), {"head.rate": 0.1, "ranking.diversity": 0.0}), [part], "Said.")

    assert read_parts(file) == [part] and read_parts(None) == []
    assert file.read_text().partition("\n\n")[2] == "[head]\nrate = 0.1\n\n[ranking]\ndiversity = 0.0\n"
    assert find_leak([part], log, 99) == part and find_leak([part], log, 100) is None
    assert find_leak([part], scanned(other, [("u", "a", n) for n in range(200)]), 50) is None
    require_unseen(file, log, 100, "--warmup")
    with pytest.raises(FileProblem, match=r"first 100 events of this log \(a log\).*give --warmup 0.50 or more"):
        require_unseen(file, log, 40, "--warmup")
    file.write_text(file.read_text().replace('"n_events"', '"n"'))
    with pytest.raises(FileProblem, match="has been changed"):
        read_parts(file)
