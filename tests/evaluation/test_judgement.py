"""What an evaluation means in plain words."""

from __future__ import annotations

import pytest

from stream_rec.evaluation.bootstrap import Interval
from stream_rec.evaluation.judgement import judge, name_outcome, tell_figures
from stream_rec.evaluation.losses import Loss


def said(ours=0.333, others=(("ease", 0.291), ("stan", 0.2)), ndcg=(0.02, 0.01, 0.03)):
    """Return what is said of an engine and of baselines, with the difference of NDCG and its interval."""
    results = {"stream_rec": {"hit_rate": ours}, "stream_rec_random": {"hit_rate": 0.9}, "bad": {"error": "no"}}
    results |= {name: {"hit_rate": rate} for name, rate in others}
    difference = dict(zip(("mean", "low", "high"), ndcg))
    comparison = {"baseline": "ease", "ndcg": difference} if others else None
    return {"protocol": {"list_size": 20}, "results": results, "comparison": comparison}


def loss(part="item<5", n=500, high=-0.01, metric="ndcg") -> Loss:
    """Return a part in which ease is ahead."""
    return Loss(part, n, metric, 0.1, "ease", 0.2, 1, Interval(-0.1, -0.2, high))


def test_figures_are_counted_in_things():
    """The best simple method is a baseline, not the control; one that failed is none."""
    assert tell_figures(said()) == (
        "Of 100 things that users did next, 33 stood in the 20 that they would have been shown at that moment. "
        "The best simple method, ease, had 29."
    )


@pytest.mark.parametrize(
    ("ours", "best", "words"),
    [
        (0.3333, 0.3312, "Of 1,000 things that users did next, 333"),
        (0.33333, 0.33337, "Of 10,000 things"),
        (0.012, 0.03, "Of 1,000 things that users did next, 12"),
        (0.3, 0.3, "Of 100 things that users did next, 30"),
        (0.3, 0.0, "ease, had 0."),
    ],
)
def test_the_scale_tells_two_methods_apart(ours, best, words):
    """Never 33 and 33 of two that differ, nor 1 of 100."""
    assert words in tell_figures(said(ours, [("ease", best)]))


def test_without_an_engine_or_a_baseline():
    """Nothing is said of what did not run."""
    assert tell_figures({**said(), "results": {"stream_rec": {"error": "no"}}}) == ""
    assert judge({**said(), "results": {"stream_rec": {"error": "no"}}}, []) == []
    assert tell_figures(said(others=())).endswith("at that moment.")
    assert judge(said(others=()), []) == [
        "No simple method was run beside it, so whether this is much or little is not known."
    ]


@pytest.mark.parametrize(
    ("ndcg", "outcome", "words"),
    [
        ((0.02, 0.01, 0.03), "better", "stream_rec is better than ease"),
        ((-0.02, -0.03, -0.01), "worse", "here the simple method is the one to take"),
        ((0.02, -0.01, 0.05), "level", "cannot be told apart on this log: it is ahead of it by no more than chance"),
        ((-0.02, -0.05, 0.01), "level", "it is behind it by no more than chance"),
        ((0.02,), "unknown", "of a single user nothing can be said of others"),
    ],
)
def test_the_judgement_is_by_the_interval(ndcg, outcome, words):
    """Ahead is not better."""
    assert name_outcome(said(ndcg=ndcg)["comparison"]) == outcome
    assert words in judge(said(ndcg=ndcg), [])[0]


def test_parts_in_which_a_simple_method_is_better_are_named():
    """Those beyond chance, of enough events; the others are counted. All events and halves are not parts."""
    losses = [loss("all"), loss("half=first"), loss(), loss("item<5", metric="hit_rate"), loss("user=0", high=0.01)]
    losses += [loss("kind=view", n=99)]

    assert judge(said(), losses)[1] == (
        "A simple method is better for items with under 5 events (ease). In 2 other parts one is ahead by no more than "
        "chance may make, or of too few events to tell."
    )


def test_no_part_and_only_chance_are_said_apart():
    """Honest both ways."""
    assert judge(said(), [])[1] == "In no part of the events is a simple method better."
    assert judge(said(), [loss(high=0.01)])[1].startswith(
        "In no part of the events is a simple method better beyond chance. In 1 part one is ahead"
    )
    assert ", and 2 more." in judge(said(), [loss(f"part {n}") for n in range(8)])[1]
