"""Whether probabilities are right, against what the definitions say, event by event and pair by pair."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.evaluation.reliability import (
    EDGES,
    ProbabilityWatch,
    calibration_error,
    describe_bins,
    find_bins,
    measure_auc,
)

P = st.sampled_from([0.0, 0.0004, 0.001, 0.01, 0.015, 0.05, 0.2, 0.3, 0.5, 1.0])
"""Few, so that there are ties; some stand on an edge."""


@st.composite
def lists(draw):
    """Return what was chosen, the candidates with their probabilities, and the list, not all of it candidates."""
    p_of = draw(st.dictionaries(st.integers(0, 12), P, max_size=8))
    chosen = draw(st.lists(st.integers(0, 12), min_size=1, max_size=4))
    shown = draw(st.lists(st.sampled_from([*p_of, 90, 91]), unique=True, max_size=6))
    return chosen, dict(sorted(p_of.items())), shown


def arrays(p_of):
    """Return rows and probabilities."""
    return np.array(list(p_of), np.int64), np.array(list(p_of.values()), np.float64)


@given(lists())
def test_auc_is_the_share_of_pairs_that_stand_right(drawn):
    """Of each chosen candidate with each that was not chosen; equals count half."""
    chosen, p_of, _ = drawn
    others = [p for item, p in p_of.items() if item not in chosen]
    expected = [
        np.mean([(p_of[item] > p) + 0.5 * (p_of[item] == p) for p in others]) if item in p_of and others else np.nan
        for item in chosen
    ]

    assert measure_auc(np.array(chosen), *arrays(p_of)) == pytest.approx(expected, nan_ok=True)


@given(st.lists(lists(), max_size=5))
def test_brier_score_and_bins_by_definition(many):
    """Each event is asked of each item of its list: how likely was it said to be, and was it this."""
    watch = ProbabilityWatch()
    briers, asked = [], []
    for chosen, p_of, shown in many:
        watch.watch(np.array(chosen), *arrays(p_of), np.array(shown, np.int64))
        for item in chosen:
            pairs = [(p_of[one], float(one == item)) for one in shown if one in p_of]
            asked += pairs
            briers.append(np.mean([(p - y) ** 2 for p, y in pairs]) if pairs else np.nan)
    of_bin = [
        [pair for pair in asked if low <= pair[0] < high or (high == 1.0 and pair[0] == 1.0)]
        for low, high in pairwise(EDGES)
    ]
    described = describe_bins(watch.bins)
    error = sum(abs(sum(p - y for p, y in one)) for one in of_bin) / len(asked) if asked else None

    assert watch.briers() == pytest.approx(briers, nan_ok=True, abs=1e-7)
    assert watch.bins[:, 0].tolist() == list(map(len, of_bin))
    assert [one["n"] for one in described] == [len(one) for one in of_bin if one]
    assert [(one["predicted"], one["chosen"]) for one in described] == [
        pytest.approx(tuple(np.mean(one, axis=0))) for one in of_bin if one
    ]
    assert calibration_error(described) == (error if error is None else pytest.approx(error))


def test_what_is_always_right_has_no_error():
    """Half of what is said to be .5 likely is chosen; its Brier score is that of a coin all the same."""
    watch = ProbabilityWatch()
    for chosen in (3, 4):
        watch.watch(np.array([chosen]), np.array([3, 4]), np.array([0.5, 0.5]), np.array([4, 3]))

    assert calibration_error(describe_bins(watch.bins)) == 0
    assert watch.briers().tolist() == [0.25, 0.25]
    assert watch.aucs().tolist() == [0.5, 0.5]


def test_bins_hold_their_lower_edge():
    """And the last one both."""
    assert find_bins(np.array(EDGES)).tolist() == [*range(len(EDGES) - 1), len(EDGES) - 2]


def test_sklearn_says_the_same():
    """One list of many candidates, one of which was chosen."""
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(50)).round(3)
    (auc,) = measure_auc(np.array([17]), np.arange(50), p)

    assert auc == pytest.approx(sklearn_metrics.roc_auc_score(np.arange(50) == 17, p))
