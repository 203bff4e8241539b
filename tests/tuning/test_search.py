"""A search that goes on where it was, and tries the same with the same seed."""

from __future__ import annotations

import pytest

from stream_rec.errors import SettingsError
from stream_rec.tuning.results import judge_reported, value_of
from stream_rec.tuning.search import Search, Tried, choose_best
from stream_rec.tuning.space import Choices, Range

pytest.importorskip("optuna")

SPACE = {
    "head.rate": Range(0.01, 1.0, log=True),
    "head.hidden": Range(8, 48, step=8),
    "head.memory": Choices((0.9, 1.0)),
}
BEFORE = {"head.rate": 0.1, "head.hidden": 24, "head.memory": 1.0}


def value(settings: dict) -> float:
    """Return what is highest at a rate of .3 and many hidden units."""
    return round(1 - abs(settings["head.rate"] - 0.3) + settings["head.hidden"] / 100, 6)


def run(file, n: int, *, seed: int = 0, at_once: int = 1, before=BEFORE) -> Search:
    """Return a search of so many trials, on from where the file ends."""
    search = Search(file, SPACE, seed=seed)
    if not search.before:
        search.put_before(before, {"log": 0.2})
    while len(search.tried()) <= n:
        for number, settings in [search.ask() for _ in range(at_once)]:
            search.tell(number, value(settings), {"log": value(settings) / 5})
    return search


def test_in_one_go_or_in_several_the_same_is_tried(tmp_path):
    """Also where one was begun and not ended: it is begun again."""
    whole = run(tmp_path / "a", 14).tried()
    for n in (3, 4, 12):
        run(tmp_path / "b", n).ask()
    again = run(tmp_path / "b", 14).tried()

    assert again == whole
    assert [one.number for one in whole] == list(range(15))
    assert whole[0] == Tried(0, BEFORE, 1.0, {"log": 0.2})
    assert run(tmp_path / "c", 14, seed=1).tried() != whole


def test_those_tried_beside_each_other_differ(tmp_path):
    """And the same number at once tries the same again."""
    first, second = (run(tmp_path / name, 12, at_once=4).tried() for name in ("a", "b"))

    assert first == second
    assert len({tuple(one.settings.values()) for one in first}) == len(first)


def test_it_stays_in_its_space_and_finds_what_is_good(tmp_path):
    """After thirty trials better than the first ten, and what mattered is known."""
    search = run(tmp_path / "a", 30)
    tried = search.tried()

    for one in tried[1:]:
        assert 0.01 <= one.settings["head.rate"] <= 1 and one.settings["head.hidden"] in range(8, 49, 8)
        assert one.settings["head.memory"] in (0.9, 1.0)
    assert choose_best(tried).value > max(one.value for one in tried[:11])
    assert next(iter(search.importances())) in ("head.rate", "head.hidden")
    assert sum(search.importances().values()) == pytest.approx(1)
    assert run(tmp_path / "b", 3).importances() == {}


def test_settings_that_cannot_be_used_are_tried_once(tmp_path):
    """They count as tried, and are never the best."""
    search = run(tmp_path / "a", 2)
    number, settings = search.ask()
    search.tell_failed(number, "too slow")
    tried = run(tmp_path / "a", 3).tried()

    assert tried[3] == Tried(3, settings, None, {}, "too slow")
    assert choose_best([*tried[:1], tried[3]]) == tried[0]


def test_settings_outside_the_space_are_measured_by_all_the_same(tmp_path):
    """They are trial 0, and guide nothing."""
    tried = run(tmp_path / "a", 2, before=BEFORE | {"head.hidden": 25}).tried()

    assert tried[0].settings["head.hidden"] == 25 and tried[0].value == 1.0


def test_of_equal_trials_the_first_is_the_best():
    """Which may be what was there before."""
    trials = [Tried(number, {}, value, {}) for number, value in enumerate((1.0, 1.0, 0.9))]

    assert choose_best(trials).number == 0


def test_without_optuna_its_extra_is_named(tmp_path, monkeypatch):
    """Nothing else needs it."""
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)

    with pytest.raises(SettingsError, match=r"stream-rec\[tune\]"):
        Search(tmp_path / "a", SPACE, seed=0)


def test_a_value_is_the_mean_of_ratios():
    """So a log with small figures counts as much as one with large ones."""
    assert value_of({"a": 0.02, "b": 0.2}, {"a": 0.01, "b": 0.4}) == 1.25


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([(0.1, 0.2)], "better beyond chance on this log"),
        ([(0.1, 0.2), (0.1, 0.3)], "better beyond chance on all logs"),
        ([(0.1, 0.2), (-0.1, 0.2)], "better beyond chance on log0, and cannot be told apart on the others"),
        ([(-0.1, 0.2)], "cannot be told apart"),
        ([(0.1, 0.2), (-0.2, -0.1)], "worse beyond chance on log1: keep the settings of before"),
    ],
)
def test_what_is_said_of_the_rest(changes, says):
    """By the intervals of the differences."""
    reported = {
        f"log{n}": {"ndcg": {"base": 1.0, "value": 1 + (low + high) / 2, "difference": {"low": low, "high": high}}}
        for n, (low, high) in enumerate(changes)
    }

    assert says in judge_reported(reported)
