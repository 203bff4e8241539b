"""Calibration: the fast greedy is the slow one, and what it does to a list."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.reranking.calibrate import SMOOTHING, Balance, Categories, calibrate
from tests.reranking.lists import candidates, single


def divergence(categories: Categories, target: np.ndarray, places) -> float:
    """Return KL(p || q~) of a list whose items all have categories."""
    share = target / target.sum()
    mix = np.zeros(len(target))
    for place in places:
        np.add.at(mix, categories.ids[place], categories.weights[place] / len(places))
    smoothed = (1 - SMOOTHING) * mix + SMOOTHING * share
    asked = share > 0
    return float((share[asked] * np.log(share[asked] / smoothed[asked])).sum())


def with_categories(categories: Categories) -> Categories:
    """Return the same with everyone's first category for those who have none."""
    weights = categories.weights.copy()
    weights[~weights.any(axis=1), 0] = 1.0
    return Categories(categories.ids, weights)


@settings(max_examples=60, deadline=None)
@given(candidates(max_k=8), st.data())
def test_gains_are_those_of_the_divergence(drawn, data):
    """After any choices two items' gains differ as t KL of the lists with them does."""
    _, _, categories, target = drawn
    categories, target = with_categories(categories), target + 0.1 * (not target.any())
    distinct = Categories(categories.ids.copy(), categories.weights)
    distinct.ids[:, 1] = (distinct.ids[:, 0] + 1) % len(target)
    order = data.draw(st.permutations(range(len(distinct.ids))))
    balance = Balance(distinct, target)

    for t, place in enumerate(order):
        left = order[t:]
        want = np.array([-(t + 1) * divergence(distinct, target, [*order[:t], i]) for i in left])
        got = balance.gains()[left]
        np.testing.assert_allclose(got - got[0], want - want[0], atol=1e-9)
        balance.choose(place)


@settings(max_examples=60, deadline=None)
@given(candidates(), st.integers(0, 14), st.floats(0, 1))
def test_a_list_repeats_nothing_and_leaves_nothing_out(drawn, n, strength):
    """As many as there are, up to n, each once."""
    relevance, _, categories, target = drawn
    places = calibrate(relevance, categories, target, n, strength).tolist()

    assert len(places) == len(set(places)) == min(n, len(relevance))
    assert set(places) <= set(range(len(relevance)))


def test_at_full_strength_the_mix_is_the_target():
    """A taste of 2 : 1 gives 2 : 1 at every third slot."""
    categories = single(*[0] * 20, *[1] * 20, *[2] * 20)
    places = calibrate(-np.arange(60.0), categories, np.array([2.0, 1.0, 0.0]), 9, 1.0)

    ids = categories.ids[places, 0]
    assert [np.bincount(ids[:stop], minlength=3).tolist() for stop in (3, 6, 9)] == [[2, 1, 0], [4, 2, 0], [6, 3, 0]]
    assert places[ids == 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_strength_zero_is_the_ranking():
    """Ties by place."""
    assert calibrate(np.array([1.0, 3.0, 3.0]), single(0, 1, 1), np.array([1.0, 0.0]), 3, 0.0).tolist() == [1, 2, 0]


def test_without_a_target_the_ranking_stays():
    """Nothing is known of a new user."""
    assert calibrate(np.array([1.0, 3.0, 2.0]), single(0, 1, 0), np.zeros(2), 3, 0.9).tolist() == [1, 2, 0]


def test_target_need_not_sum_to_one():
    """Counts do."""
    relevance, categories = np.array([5.0, 4.0, 3.0, 2.0]), single(0, 0, 1, 1)
    counted, shared = (
        calibrate(relevance, categories, p, 4, 0.5) for p in (np.array([6.0, 2]), np.array([0.75, 0.25]))
    )

    assert counted.tolist() == shared.tolist() == [0, 2, 1, 3]


def test_first_gain_by_hand():
    """p log((0.99 + 0.01 p) / 0.01 p) for a whole item of a category wanted by share p; nothing for one unwanted."""
    gains = Balance(single(0, 1, 2), np.array([0.75, 0.25, 0.0])).gains()

    assert gains == pytest.approx([0.75 * np.log(0.9975 / 0.0075), 0.25 * np.log(0.9925 / 0.0025), 0.0])


def test_an_item_without_categories_is_taken_for_an_average_one():
    """Between the wanted and the unwanted, and choosing it changes nobody's gain."""
    balance = Balance(single(0, -1, 1), np.array([1.0, 0.0]))
    before = balance.gains()
    balance.choose(1)

    assert before[1] == pytest.approx((before[0] + before[2]) / 2) and before[0] > before[1] > before[2]
    assert balance.gains() == pytest.approx(before)


def test_padding_may_repeat_an_id():
    """A weight of 0 takes nothing from the category that stands beside it."""
    padded = Categories(np.array([[0, 0], [0, -1], [1, 0]]), np.array([[1.0, 0.0]] * 3))

    assert calibrate(np.zeros(3), padded, np.ones(2), 3, 0.5).tolist() == [0, 2, 1]


def test_more_strength_is_less_divergence():
    """On average over lists, from each setting to the next."""
    rng = np.random.default_rng(3)
    divergences = np.zeros(5)
    for _ in range(40):
        categories = single(*rng.choice(6, 60, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05]))
        target, relevance = rng.dirichlet(np.ones(6)), rng.normal(size=60)
        for at, strength in enumerate((0.0, 0.1, 0.3, 0.5, 1.0)):
            places = calibrate(relevance, categories, target, 10, strength)
            divergences[at] += divergence(categories, target, places)

    assert (np.diff(divergences) < 0).all()
