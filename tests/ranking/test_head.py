"""The mixture of both experts, and the head of fresh items."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.ranking import linear_head
from stream_rec.ranking.features import INPUTS, NAMES, Inputs
from stream_rec.ranking.head import MixtureHead, cold, log_softmax
from stream_rec.ranking.policy import HeadConfig
from tests.ranking.worlds import drawn

CONFIG = HeadConfig(hidden=6)


def chosen(*places: int) -> np.ndarray:
    return np.array(places)


@settings(max_examples=100, deadline=None)
@given(scores=st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20))
def test_probabilities_sum_to_one(scores):
    """Also of scores whose exponentials no number can hold."""
    log_p = log_softmax(np.array(scores))

    assert np.isfinite(log_p).all()
    assert np.exp(log_p).sum() == pytest.approx(1)
    assert (np.diff(log_p[np.argsort(scores)]) >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_are_the_exponentials_shares(dtype):
    """In the type of the scores."""
    log_p = log_softmax(np.log(np.array([1, 2, 5], dtype=dtype)))

    assert log_p.dtype == dtype
    assert np.exp(log_p) == pytest.approx([1 / 8, 2 / 8, 5 / 8], rel=1e-6)


def test_no_scores_are_no_probabilities():
    """A list without candidates."""
    assert log_softmax(np.zeros(0)).tolist() == []


def recorded(linear: float, network: float, head: MixtureHead | None = None) -> MixtureHead:
    return msgspec.structs.replace(head or taught(), record=(linear, network))


def taught(n: int = 30) -> MixtureHead:
    """Return a head whose experts differ."""
    head = cold(CONFIG, 0)
    for seed in range(n):
        inputs = drawn(seed=seed)
        head = head.learn(head.score(inputs), chosen(int(inputs.items[:, 0].argmax())), np.ones(1), CONFIG)
    return head


@pytest.mark.parametrize(("record", "share"), [((0, 0), 0.5), ((-5, -5), 0.5), ((-1, -1 + np.log(3)), 0.75)])
def test_the_mixture_believes_an_expert_as_far_as_it_was_right(record, share):
    """Shares are as the likelihoods of what was chosen: three times as likely, three times the weight."""
    scored = recorded(*record).score(drawn(seed=99))
    expected = (1 - share) * np.exp(scored.linear) + share * np.exp(scored.network)

    np.testing.assert_allclose(np.exp(scored.log_p), expected, rtol=1e-5)
    assert np.exp(scored.log_p).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("record", "name"), [((-2000.0, 0.0), "network"), ((0.0, -2000.0), "linear")])
def test_an_expert_that_was_always_wrong_is_not_heard(record, name):
    """Nor does its weight of 0 make anything infinite."""
    scored = recorded(*record).score(drawn(seed=99))

    np.testing.assert_allclose(scored.log_p, getattr(scored, name), rtol=1e-6)


def test_the_weight_goes_to_the_expert_that_predicts_better():
    """The record is what each said of the choice, fading; the better one is believed before it has to learn."""
    head = taught()
    inputs = drawn(seed=99)
    scored = head.score(inputs)
    place = int((scored.linear - scored.network).argmax())
    before = head.record[0] - head.record[1]
    after = head.learn(scored, chosen(place), np.ones(1), CONFIG)

    assert after.record[0] == pytest.approx(CONFIG.memory * head.record[0] + float(scored.linear[place]))
    assert after.record[1] == pytest.approx(CONFIG.memory * head.record[1] + float(scored.network[place]))
    assert after.record[0] - after.record[1] > CONFIG.memory * before


def test_the_mixture_is_nearly_as_good_as_the_better_expert():
    """Over a stream in which only the network can tell its mean log-loss is near the network's."""
    head, rng = cold(HeadConfig(), 0), np.random.default_rng(0)
    losses = []
    for _ in range(1500):
        inputs = drawn(6, seed=int(rng.integers(10**6)))
        inputs.context[4] = wants_large = rng.random() < 0.5
        scored = head.score(inputs)
        first = inputs.items[:, 0]
        place = int(first.argmax() if wants_large else first.argmin())
        losses.append([-scored.linear[place], -scored.network[place], -scored.log_p[place]])
        head = head.learn(scored, chosen(place), np.ones(1), HeadConfig())
    linear, network, mixed = np.mean(losses[-300:], axis=0)

    assert network < linear - 0.1
    assert mixed < network + 0.02


def test_several_choices_are_one_step_towards_their_mix():
    """Weights count as shares, and a place that is chosen twice counts twice; a group counts once."""
    head, inputs = taught(), drawn(seed=99)
    scored = head.score(inputs)
    weighted = head.learn(scored, chosen(1, 3), np.array([3.0, 1.0]), CONFIG)
    repeated = head.learn(scored, chosen(1, 1, 3, 1), np.ones(4), CONFIG)

    np.testing.assert_allclose(weighted.linear.weights, repeated.linear.weights)
    np.testing.assert_allclose(weighted.network.of_items, repeated.network.of_items)
    assert weighted.record == pytest.approx(repeated.record)
    assert (weighted.n_choices, repeated.n_choices) == (31, 31)


def test_more_choices_are_heard_more_but_not_as_often():
    """Four that agree are heard as the root of four: AdaGrad's sums grow by the number of choices."""
    head, inputs = taught(), drawn(seed=99)
    scored = head.score(inputs)
    one = head.learn(scored, chosen(2), np.ones(1), CONFIG)
    four = head.learn(scored, chosen(2, 2, 2, 2), np.ones(4), CONFIG)

    growth_of_one = one.linear.squares[0] - head.linear.squares[0]
    np.testing.assert_allclose(four.linear.squares[0] - head.linear.squares[0], 4 * growth_of_one, rtol=1e-6)


def test_both_experts_learn_from_each_choice():
    """Whoever of them is believed."""
    for head in (recorded(0, -1e6), recorded(-1e6, 0)):
        inputs = drawn(seed=99)
        before = head.score(inputs)
        after = head.learn(before, chosen(2), np.ones(1), CONFIG).score(inputs)
        assert after.linear[2] > before.linear[2] and after.network[2] > before.network[2]


def test_fresh_items_have_a_head_of_their_own():
    """What it learns changes nothing of the others, and the other way round."""
    head, inputs = taught(), drawn(seed=99)
    fresh = head.learn_fresh(inputs, chosen(2), CONFIG)
    assert fresh.linear is head.linear and fresh.network is head.network and fresh.record == head.record
    assert (fresh.fresh.weights != head.fresh.weights).any()

    both = fresh.learn(fresh.score(inputs), chosen(1), np.ones(1), CONFIG)
    assert both.fresh is fresh.fresh
    assert np.exp(both.score_fresh(inputs)).sum() == pytest.approx(1)


def test_contributions_are_weight_times_input_over_the_average():
    """They sum to the linear score's distance from the mean score; the average candidate has none."""
    items = np.zeros((3, INPUTS), np.float32)
    items[:, 0] = [1.0, 0.0, 0.5]
    inputs = Inputs(items, drawn().context, 1)
    weights = np.zeros((5, INPUTS))
    weights[0, 0], weights[2, 0] = 2.0, 4.0  # shared, and of histories of this length
    head = msgspec.structs.replace(cold(CONFIG, 0), linear=linear_head.LinearHead(weights, np.ones_like(weights)))
    parts = head.contributions(head.score(inputs), chosen(0, 2, 1))

    assert parts.shape == (3, INPUTS)
    assert parts[:, 0].tolist() == [3.0, 0.0, -3.0]
    assert not parts[:, 1:].any()
    assert NAMES[0].startswith("popularity")


def test_the_seed_makes_the_cold_head():
    """Equal seeds score equally; without experience no candidate is preferred by the linear expert."""
    inputs = drawn()

    np.testing.assert_array_equal(cold(CONFIG, 3).score(inputs).log_p, cold(CONFIG, 3).score(inputs).log_p)
    assert (cold(CONFIG, 3).score(inputs).log_p != cold(CONFIG, 4).score(inputs).log_p).any()
    np.testing.assert_allclose(np.exp(cold(CONFIG, 3).score(inputs).linear), 1 / 6, rtol=1e-6)
