"""Who counts as new, and when."""

from __future__ import annotations

import numpy as np

from stream_rec.evaluation.schedule import schedule
from stream_rec.evaluation.slices import (
    count_before,
    count_earlier,
    slice_events,
    split_ages,
    split_halves,
    split_steps,
)
from stream_rec.events.interaction import Kind
from tests.evaluation.logs import many_rows, scanned

ROWS = [("u", "a", 1), ("u", "a", 1), ("v", "a", 1), ("u", "b", 4000), ("u", "a", 4000), ("v", "b", 4000)]


def test_earlier_is_before_the_group(tmp_path):
    """What happens in one group is not earlier than itself."""
    log = scanned(tmp_path, ROWS)
    before = count_earlier(log, schedule(log, 0))

    assert before.of_user.tolist() == [0, 0, 0, 2, 2, 1]
    assert before.of_item.tolist() == [0, 0, 2, 0, 3, 1]
    assert before.of_pair.tolist() == [0, 0, 0, 0, 2, 0]
    assert before.item_age_ms.tolist() == [-1, -1, 0, -1, 3_999_000, 0]


def test_the_warm_up_counts_but_is_not_scored(tmp_path):
    """Of six events the first three teach."""
    log = scanned(tmp_path, ROWS)

    assert count_earlier(log, schedule(log, 0.5)).of_user.tolist() == [2, 2, 1]


def test_counting_agrees_with_counting_one_by_one(tmp_path):
    """On a log with many ties and groups."""
    log = scanned(tmp_path, many_rows(200))
    group_of = schedule(log, 0).group_of_event()
    keys = np.asarray(log.items)
    slow = [sum(k == key and g < group for k, g in zip(keys, group_of)) for key, group in zip(keys, group_of)]

    assert count_before(keys, group_of).tolist() == slow


def test_slices_by_hand(tmp_path):
    """Every event is in one bucket of each row of buckets, seen or new, of one kind."""
    log = scanned(tmp_path, [*ROWS, ("v", "a", 5000)], ["a"])
    masks = slice_events(count_earlier(log, schedule(log, 0)), np.asarray(log.kinds), np.asarray(log.items) == 0)
    where = {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()}

    assert where["user=0"] == [0, 1, 2] and where["user=1-4"] == [3, 4, 5, 6] and where["user=5-19"] == []
    assert where["user<5"] == [0, 1, 2, 3, 4, 5, 6]
    assert where["pair=seen"] == [4, 6] and where["pair=new"] == [0, 1, 2, 3, 5]
    assert where[f"kind={Kind.VIEW.label}"] == [0, 1, 2, 3, 4, 5, 6] and where["kind=purchase"] == []
    assert where["item=unlisted"] == [3, 5]


def test_steps_and_ages_part_all_there_is():
    """Where each begins, and that none is left out."""
    assert list(split_steps(np.arange(3), (0, 1, 3, 10))) == ["0", "1-2", "3-9", "10+"]
    assert sum(split_steps(np.arange(100), (0, 1, 3, 10)).values()).tolist() == [1] * 100
    made = split_ages(np.array([-1, 0, 3_599_999, 3_600_000, 10**12]))
    assert {label: np.flatnonzero(mask).tolist() for label, mask in made.items() if mask.any()} == {
        "none": [0],
        "under 1 h": [1, 2],
        "under 1 d": [3],
        "older": [4],
    }


def test_halves_split_no_group(tmp_path):
    """The middle of four scored events lies in a group of three: all of it is in the half in which it begins."""
    log = scanned(tmp_path, [("v", "a", 0), ("u", "a", 1), ("u", "b", 1), ("u", "c", 1)])
    made = split_halves(schedule(log, 0))

    assert made["first"].tolist() == [True] * 4
    assert made["second"].tolist() == [False] * 4


def test_halves_are_of_what_is_scored(tmp_path):
    """Of ten events two teach, and four are in each half."""
    log = scanned(tmp_path, [("u", "a", at) for at in range(10)])
    made = split_halves(schedule(log, 0.2))

    assert made["first"].tolist() == [True] * 4 + [False] * 4
    assert (made["first"] ^ made["second"]).all()
