"""One run against another."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.changes import EventResults, compare, describe, is_certain

USERS = np.array([0, 0, 1, 1])
PARTS = {"all": np.ones(4, bool), "some": USERS == 1, "none": USERS == 9}


def results(ranks, sources) -> EventResults:
    """Return results of four events."""
    return EventResults(np.array(ranks, np.uint16), np.array(sources, np.uint16))


def test_measures_by_part_by_hand():
    """A hit at rank 3 becomes one at rank 1, a candidate is found, and one hit lies beyond the list."""
    base, value = results([3, 0, 0, 1], [1, 0, 2, 4]), results([1, 0, 7, 1], [1, 8, 2, 4])
    made = compare(base, value, USERS, PARTS, n=5, seed=0)

    assert list(made) == ["all", "some"]
    assert made["all"]["n"] == 4
    assert (made["all"]["ndcg"]["base"], made["all"]["ndcg"]["value"]) == (0.375, 0.5)
    assert made["all"]["ndcg"]["relative"]["mean"] == pytest.approx(1 / 3)
    assert (made["all"]["hit_rate"]["base"], made["all"]["hit_rate"]["value"]) == (0.5, 0.5)
    assert (made["all"]["recall"]["base"], made["all"]["recall"]["value"]) == (0.75, 1)
    assert made["some"]["n"] == 2
    assert made["some"]["ndcg"] == {"base": 0.5, "value": 0.5, "difference": None, "relative": None}


def test_a_change_in_words():
    """In percent where there is a share, as it is where there is none, and nothing of a single user."""
    up, level = {"mean": 0.02, "low": 0.01, "high": 0.03}, {"mean": 0.02, "low": -0.01, "high": 0.05}
    one = {"base": 0.0, "value": 0.02, "difference": up, "relative": None}

    assert describe(one) == ("+0.0200", "+0.0100 to +0.0300")
    assert describe({**one, "relative": level}) == ("+2.0%", "-1.0% to +5.0%")
    assert describe({**one, "difference": None}) == ("", "")


@pytest.mark.parametrize(("low", "high", "certain"), [(0.1, 0.2, True), (-0.2, -0.1, True), (0.0, 0.2, False)])
def test_a_change_is_certain_where_its_interval_leaves_out_zero(low, high, certain):
    """Up or down."""
    assert is_certain({"difference": {"mean": 0, "low": low, "high": high}}) is certain
    assert is_certain({"difference": None}) is False
