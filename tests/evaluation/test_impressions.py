"""Impressions in an evaluation: known once nothing is judged that was chosen from them, and they change nothing else.

A list stands in place of what its user was shown last: told of that, it would know what the choice was made from.
"""

from __future__ import annotations

import io
from itertools import count

import numpy as np
import pytest

from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.evaluation import Evaluation
from stream_rec.evaluation.prequential import judge
from stream_rec.evaluation.scan import ScannedLog, digest_log
from stream_rec.evaluation.schedule import read_groups, schedule
from stream_rec.events.impression import Impression
from stream_rec.events.item import Item
from stream_rec.user.answers import REACH_MS
from tests.evaluation.logs import ImpressionSpy, Spy, experiment_on, impression_line, scanned, search_line
from tests.evaluation.test_prequential import engine

HALF_HOUR_S = REACH_MS / 1000
FAR = ("v", "z", 9_000)
"""An event of somebody else, hours later."""


def told_with(tmp_path, rows) -> list[tuple[list[str], list[str]]]:
    """Return by group which impressions are known before its list is made, and which once it is, by their event_id."""
    log = scanned(tmp_path, rows)
    return [
        (
            [record.event_id for _, record in group.before if isinstance(record, Impression)],
            [shown.record.event_id for shown in group.shown],
        )
        for group in read_groups(log, schedule(log, 0))
    ]


def shown(user: str, name: str, time: float, **fields) -> str:
    """Return the line of an impression of that id."""
    return impression_line(user, ["a", "b"], time, event_id=name, **fields)


def test_a_list_does_not_know_what_it_stands_in_place_of(tmp_path):
    """The user's last impression comes once the list is made; the one before, of another list, is known by then."""
    rows = [shown("u", "first", 1), shown("u", "second", 2), ("u", "a", 3), ("u", "b", 4)]

    assert told_with(tmp_path, rows) == [(["first"], ["second"]), ([], [])]


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        ((1, {"list_id": "l"}), (2, {"list_id": "l"}), True),
        ((1, {"list_id": "l"}), (2, {"list_id": "m"}), False),
        ((1, {}), (2, {}), False),
        ((1, {}), (1, {}), True),
        ((1, {"list_id": "l"}), (1 + HALF_HOUR_S, {"list_id": "l"}), True),
        ((1, {"list_id": "l"}), (1.001 + HALF_HOUR_S, {"list_id": "l"}), False),
    ],
    ids=["one list", "two lists", "lists without an id", "one moment", "for half an hour", "for longer"],
)
def test_parts_of_one_list_are_held_back_together(tmp_path, one, other, is_one):
    """As while the user scrolls; they are of one list by its id, or by their time."""
    rows = [shown("u", "one", one[0], **one[1]), shown("u", "other", other[0], **other[1]), ("u", "a", other[0] + 1)]

    assert told_with(tmp_path, rows) == [([], ["one", "other"])] if is_one else [(["one"], ["other"])]


@pytest.mark.parametrize(("time", "is_known"), [(HALF_HOUR_S, False), (HALF_HOUR_S + 0.001, True)])
def test_what_nothing_is_chosen_from_any_more_is_known(tmp_path, time, is_known):
    """Half an hour later, to the user's own list too; to others' it is not known before, either."""
    rows = [shown("u", "old", 0), ("v", "a", time - 1), ("u", "a", time), FAR]

    assert told_with(tmp_path, rows) == [([], []), (["old"], []) if is_known else ([], ["old"]), ([], [])]


def test_others_know_it_in_half_an_hour_if_the_user_does_nothing(tmp_path):
    """Or never comes back."""
    rows = [shown("u", "seen", 0), ("v", "a", HALF_HOUR_S), ("v", "a", HALF_HOUR_S + 1), ("w", "b", HALF_HOUR_S + 2)]

    assert told_with(tmp_path, rows) == [([], []), (["seen"], []), ([], [])]


def test_who_goes_on_scrolling_keeps_nobody_waiting(tmp_path):
    """What others were shown meanwhile is known in half an hour; the list that is still looked at is not."""
    later_s = HALF_HOUR_S - 100
    rows = [shown("u", "top", 0, list_id="l"), shown("v", "other", 10), shown("u", "below", later_s, list_id="l")]

    assert told_with(tmp_path, [*rows, ("u", "a", HALF_HOUR_S + 11), FAR]) == [(["other"], ["top", "below"]), ([], [])]


def test_a_search_is_something_that_the_user_does(tmp_path):
    """What was shown before it comes before it; what is shown then, the list that answers it stands in place of."""
    log = scanned(
        tmp_path, [shown("u", "before", 1), search_line("u", "cup", 2), shown("u", "results", 3), ("u", "a", 4)]
    )
    [group] = read_groups(log, schedule(log, 0))

    assert [type(record).__name__ for _, record in group.before] == ["Impression", "Search"]
    assert [one.record.event_id for one in group.shown] == ["results"]


ROWS = [
    shown("u", "s1", 1), ("u", "a", 2), shown("x", "of nobody", 3), shown("v", "s2", 4), ("v", "b", 4), FAR,
    ("u", "c", 9_001),
]  # fmt: skip


def called(method, log: ScannedLog, **settings) -> list[tuple]:
    judge(method, experiment_on(log, n=3, warmup=0, **settings), clock=count().__next__, lists=io.BytesIO())
    return method.calls


def test_impressions_are_told_in_their_order(tmp_path):
    """Each after the list and before the group is learned; of users without events there is no number."""
    calls = [call[:2] if call[0] != "shown" else call for call in called(ImpressionSpy(), scanned(tmp_path, ROWS))]

    assert calls == [
        ("recommend", 0), ("shown", 0, "s1"), ("learn", 0),
        ("recommend", 1), ("shown", 1, "s2"), ("learn", 1),
        ("shown", -1, "of nobody"), ("recommend", 1), ("learn", 1), ("recommend", 0), ("learn", 0),
    ]  # fmt: skip


def test_who_takes_no_impressions_is_not_told(tmp_path):
    """Nor is anybody where they are left out; what is asked and told else is the same."""
    log = scanned(tmp_path, ROWS)
    plain = called(Spy(), log)

    assert called(ImpressionSpy(), log, has_impressions=False) == plain
    assert [call for call in called(ImpressionSpy(), log) if call[0] != "shown"] == plain


def test_impressions_change_nothing_else(tmp_path):
    """Groups, numbers and digest of the log are what they are without them; how many there are is counted."""
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    log, without = (
        scanned(tmp_path / name, [row for row in ROWS if name == "with" or isinstance(row, tuple)])
        for name in ("with", "without")
    )
    is_listed = np.ones(len(log.item_ids), bool)
    counts = [
        Evaluation(experiment_on(one, warmup=0), [Item(each) for each in "abcz"]).count() for one in (log, without)
    ]

    assert log.item_ids == without.item_ids
    assert digest_log(log, is_listed) == digest_log(without, is_listed)
    assert counts[0] == counts[1] | {"n_impressions": 3}
    assert {file.name for file in without.folder.iterdir()} == {
        file.name for file in log.folder.iterdir() if not file.name.startswith("unscored")
    }


def test_the_engine_learns_from_impressions(tmp_path):
    """They are in the user's state and count with their items; the choice from one is a choice from it."""
    log = scanned(
        tmp_path, [("v", "a", 0), ("v", "b", 0), shown("u", "s", 1), ("u", "b", 2), ("u", "a", 9_000)], list("ab")
    )
    method: Engine = engine(log, list("ab"))
    judge(method, experiment_on(log, n=3, warmup=0), clock=count().__next__, lists=io.BytesIO())
    pipeline = method._pipeline

    assert [each.event_id for each in pipeline.users["u"].recent_impressions] == ["s"]
    assert [sum(pipeline.items[item_id].shown) for item_id in "ab"] == [1, 1]
    assert [sum(pipeline.items[item_id].chosen) for item_id in "ab"] == [0, 1]
    assert pipeline.recommender.head.n_outcomes == 1
