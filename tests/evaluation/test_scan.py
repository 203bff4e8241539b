"""A log read twice: arrays first, then the events."""

from __future__ import annotations

import pickle
import re

import pytest

from stream_rec.errors import FileProblem
from tests.evaluation.logs import many_rows, scanned, write_events


def told(log) -> list[tuple[str, str, float]]:
    """Return what the second pass says, as rows."""
    return [(one.event.user_id, one.event.item_id, one.event.timestamp_ms / 1000) for one in log.events()]


def test_users_and_items_get_numbers_in_the_order_of_their_first_event(tmp_path):
    """Items of the file come first, in its order; ids that look like numbers are ids."""
    log = scanned(tmp_path, [("7", "x", 1), ("07", "b", 2), ("7", "1", 3), ("7", "x", 4)], ["a", "b"])

    assert log.users.tolist() == [0, 1, 0, 0]
    assert log.items.tolist() == [2, 1, 3, 2]
    assert log.item_ids == ["a", "b", "x", "1"]
    assert (log.n_users, log.n_late, log.times_ms.tolist()) == (2, 0, [1000, 2000, 3000, 4000])


def test_an_unsorted_log_is_sorted_and_ties_stay_as_they_stood(tmp_path):
    """Numbers are given in the order of time; what is late is counted; both passes agree."""
    log = scanned(tmp_path, [("u", "z", 5), ("v", "y", 9), ("w", "x", 1), ("u", "w", 5), ("v", "v", 9)])

    assert told(log) == [("w", "x", 1), ("u", "z", 5), ("u", "w", 5), ("v", "y", 9), ("v", "v", 9)]
    assert log.item_ids == ["x", "z", "w", "y", "v"]
    assert (log.users.tolist(), log.items.tolist(), log.n_late) == ([0, 1, 1, 2, 2], [0, 1, 2, 3, 4], 2)


def test_a_thousand_ties_stay_as_they_stood(tmp_path):
    """So many that a sort which is not stable would show."""
    log = scanned(tmp_path, [("u", f"i{n}", n * 7 % 3) for n in range(1000)])

    assert told(log) == [("u", f"i{n}", at) for at in range(3) for n in range(1000) if n * 7 % 3 == at]


def test_a_shuffled_log_is_the_sorted_one(tmp_path):
    """Where no two events have one time, the order of lines says nothing."""
    rows = [(user, item, 1e9 + n) for n, (user, item, _) in enumerate(many_rows(40))]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = scanned(tmp_path / "a", rows), scanned(tmp_path / "b", rows[::-1])

    assert told(one) == told(other) == rows
    assert [one.users.tolist(), one.items.tolist()] == [other.users.tolist(), other.items.tolist()]
    assert (one.n_late, other.n_late, one.item_ids) == (0, 39, other.item_ids)


@pytest.mark.parametrize("rows", [[("u", "a", 1), "{", ("u", "b", 2)], [("u", "b", 2), "{", ("u", "a", 1)]])
def test_bad_lines_are_left_out_of_both_passes(tmp_path, rows):
    """Sorted or not."""
    bad = []
    log = scanned(tmp_path, rows, on_bad=bad.append)

    assert told(log) == [("u", "a", 1), ("u", "b", 2)]
    assert [(line.line, line.reason) for line in bad] == [(2, "not_json")]


def test_a_limit_counts_usable_lines_of_the_file(tmp_path):
    """Before they are sorted."""
    log = scanned(tmp_path, [("u", "b", 2), "{", ("u", "a", 1), ("u", "c", 0)], limit=2)

    assert told(log) == [("u", "a", 1), ("u", "b", 2)]


def test_a_log_goes_to_another_process_as_its_folder(tmp_path):
    """Arrays are mapped there, not sent."""
    log = scanned(tmp_path, many_rows())
    sent = pickle.dumps(log)

    assert len(sent) < 500
    assert told(pickle.loads(sent)) == told(log)


@pytest.mark.parametrize("rows", [["{}"], ['{"user_id":'] * 3])
def test_a_log_without_events_is_an_error(tmp_path, rows):
    """Nothing in it can be used."""
    with pytest.raises(FileProblem, match=r"has no event that can be used"):
        scanned(tmp_path, rows)


def test_a_log_that_shrinks_between_the_passes_is_an_error(tmp_path):
    """Nothing is scored against another log than the one that was read."""
    log = scanned(tmp_path, many_rows(10))
    write_events(tmp_path / "events.jsonl", many_rows(9))

    with pytest.raises(FileProblem, match=re.escape("9 of 10 events are left")):
        list(log.events())
