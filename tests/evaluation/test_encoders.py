"""Which encoder to take, and how certain that is."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.encoders import advise, compare_encoders
from stream_rec.evaluation.trials import Failed
from tests.evaluation.test_evaluation import LISTS, SEEN, evaluation, finished

UP, DOWN = {"mean": 0.02, "low": 0.01, "high": 0.03}, {"mean": -0.02, "low": -0.03, "high": -0.01}
LEVEL = {"mean": 0.0, "low": -0.01, "high": 0.01}


def change(interval) -> dict:
    """Return a change of 2 points, or none, whose interval is given."""
    return {"base": 0.5, "value": 0.5 + interval["mean"], "difference": interval, "relative": interval}


def row(over=UP, new_items=LEVEL, embed_s=None, event_ms=2.0) -> dict:
    """Return what is said of an encoder."""
    over_random = {"all": {"ndcg": change(over)}, "item<5": {"hit_rate": change(new_items)}}
    return {"over_random": over_random, "embed_s": embed_s, "cost": {"event_ms": event_ms}}


RANDOM = {"over_random": None, "embed_s": None, "cost": {"event_ms": 1.0}}


def test_each_is_compared_with_random_and_with_the_best(tmp_path):
    """The highest NDCG first; one that failed is named, and so is what it came to."""
    poor = {**SEEN, "sources": np.array([1, 0, 0, 0], np.uint16)}
    found = compare_encoders(
        evaluation(tmp_path),
        {
            "worse": finished([2, 0, 2, 0], LISTS, observed=SEEN),
            "better": finished([1, 0, 2, 0], LISTS, observed=SEEN),
            "broken": Failed("no"),
            "random": finished([1, 0, 0, 0], LISTS, observed=poor),
        },
        {"worse": 1.0, "better": 2.0, "broken": None, "random": 0.0},
    )
    rows = found["encoders"]

    assert list(rows) == ["better", "worse", "random"] and found["best"] == "better"
    assert found["failed"] == {"broken": "no"}
    assert rows["better"]["over_random"]["all"]["recall"]["difference"]["mean"] == 0.25
    assert rows["random"]["over_random"] is None
    assert rows["worse"]["embed_s"] == 1.0
    assert found["to_best"]["worse"]["ndcg"]["difference"]["mean"] == pytest.approx((1 / np.log2(3) - 1) / 4)
    assert found["advice"]


def test_the_best_is_advised_where_all_others_are_certainly_worse():
    """By its NDCG over random."""
    said = advise({"a": row(), "b": row(), "random": RANDOM}, {"b": change(DOWN)})

    assert said.startswith("a has the highest NDCG, over random vectors +2.0% (95 %: +1.0% to +3.0%).")
    assert said.endswith("Every other is certainly worse over these events: choose a.")


def test_of_those_that_cannot_be_told_apart_the_lightest_is_advised():
    """That which embeds fastest, where all were timed; else that which takes least time for an event."""
    rows = {"a": row(embed_s=9.0, event_ms=1.0), "b": row(embed_s=3.0, event_ms=2.0), "c": row(embed_s=1.0)}
    to_best = {"b": change(LEVEL), "c": change(DOWN)}
    timed = advise({**rows, "random": RANDOM}, to_best)
    untimed = advise({**rows, "b": row(event_ms=0.5), "random": RANDOM}, to_best)
    itself = advise({**rows, "b": row(event_ms=5.0), "random": RANDOM}, to_best)

    assert "cannot be told apart from b, of which b embeds fastest: choose b, or a if a longer log" in timed
    assert "of which b takes least time for an event: choose b" in untimed
    assert "and takes least time for an event: choose a." in itself


def test_no_encoder_is_praised_that_is_not_better_than_random():
    """Then new items decide; and where text brings nothing to them either, what costs least and does no harm."""
    level = {"a": row(LEVEL, UP, event_ms=2.0), "b": row(LEVEL, event_ms=1.0), "random": RANDOM}
    nothing = {"a": row(LEVEL, event_ms=2.0), "b": row(DOWN, DOWN, event_ms=1.0), "random": RANDOM}
    for_new, lightest = (advise(rows, {"b": change(LEVEL)}) for rows in (level, nothing))

    assert for_new.startswith(
        "No encoder is certainly better than random vectors over all events: a, the best, by +0.0%"
    )
    assert "Of items with under 5 events a has the highest hit rate, over random vectors +2.0%" in for_new
    assert for_new.endswith("choose it if new items matter, else b, which takes least time for an event.")
    assert "Certainly worse than random vectors: b. " in lightest and "worse than random" not in for_new
    assert "Text brings nothing that can be seen here: choose a, which takes least time" in lightest


def test_where_each_encoder_does_harm_none_is_advised():
    """Rather random vectors, which cost least."""
    assert advise({"random": RANDOM, "a": row(DOWN, DOWN)}, {}).endswith("Each does harm here: choose random.")


def test_an_encoder_that_is_best_and_lightest_is_named_once():
    """There is no other to choose."""
    said = advise({"a": row(LEVEL, UP, event_ms=1.0), "b": row(LEVEL), "random": RANDOM}, {"b": change(LEVEL)})

    assert said.endswith("choose it, which also takes least time for an event.")


def test_little_is_said_where_little_has_run():
    """None, only one, or without random."""
    assert advise({"random": RANDOM}, {}) == "No encoder has run: nothing can be said."
    assert advise({"a": row(), "random": RANDOM}, {}).endswith("No other was compared.")
    assert "without the run of `random`" in advise({"a": {**row(), "over_random": None}}, {})
