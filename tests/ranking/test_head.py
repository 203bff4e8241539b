"""The mixture that ranks all items and that of fresh ones."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream_rec.ranking import linear_head
from stream_rec.ranking.features import INPUTS, NAMES, Inputs
from stream_rec.ranking.head import MixtureHead, cold
from stream_rec.ranking.mixture import Mixture
from stream_rec.ranking.policy import HeadConfig
from tests.ranking.worlds import drawn

CONFIG = HeadConfig(hidden=6)


def chosen(*places: int) -> np.ndarray:
    return np.array(places)


def taught(n: int = 30) -> MixtureHead:
    """Return a head whose experts differ."""
    head = cold(CONFIG, 0)
    for seed in range(n):
        inputs = drawn(seed=seed)
        head = head.learn(head.score(inputs), chosen(int(inputs.items[:, 0].argmax())), np.ones(1), CONFIG)
    return head


def test_several_choices_are_one_step_towards_their_mix():
    """Weights count as shares, and a place that is chosen twice counts twice; a group counts once."""
    head, inputs = taught(), drawn(seed=99)
    scored = head.score(inputs)
    weighted = head.learn(scored, chosen(1, 3), np.array([3.0, 1.0]), CONFIG)
    repeated = head.learn(scored, chosen(1, 1, 3, 1), np.ones(4), CONFIG)

    np.testing.assert_allclose(weighted.of_all.linear.weights, repeated.of_all.linear.weights)
    np.testing.assert_allclose(
        weighted.of_all.networks.of_items, repeated.of_all.networks.of_items, rtol=1e-5, atol=1e-7
    )
    assert weighted.of_all.record == pytest.approx(repeated.of_all.record)
    assert (weighted.n_choices, repeated.n_choices) == (31, 31)


def test_more_choices_are_heard_more_but_not_as_often():
    """Four that agree are heard as the root of four: AdaGrad's sums grow by the number of choices."""
    head, inputs = taught(), drawn(seed=99)
    scored = head.score(inputs)
    one = head.learn(scored, chosen(2), np.ones(1), CONFIG)
    four = head.learn(scored, chosen(2, 2, 2, 2), np.ones(4), CONFIG)

    before, after_one, after_four = (each.of_all.linear.squares[0] for each in (head, one, four))
    np.testing.assert_allclose(after_four - before, 4 * (after_one - before), rtol=1e-6)


def test_every_expert_learns_from_each_choice():
    """Whoever of them is believed."""
    for believed in range(3):
        head = taught()
        record = tuple(0.0 if expert == believed else -1e6 for expert in range(3))
        head = msgspec.structs.replace(head, of_all=msgspec.structs.replace(head.of_all, record=record))
        inputs = drawn(seed=99)
        before = head.score(inputs)
        after = head.learn(before, chosen(2), np.ones(1), CONFIG).score(inputs)
        assert (after.experts[:, 2] > before.experts[:, 2]).all()


def test_steps_are_as_the_settings_say():
    """The linear expert's and the networks' each by their own, longer once there were many choices; alike for fresh."""
    inputs = drawn(seed=99)
    config = HeadConfig(hidden=6, networks=3, rate=0.25, network_rate=0.125, forget_choices=10.0)
    first = cold(config, 0)
    largest = largest_steps(first.of_all, first.learn(first.score(inputs), chosen(2), np.ones(1), config).of_all)
    of_fresh = first.learn_fresh(first.score_fresh(inputs), chosen(2), config).of_fresh

    assert largest == pytest.approx((0.25, 0.125), rel=1e-3)
    assert largest_steps(first.of_fresh, of_fresh) == pytest.approx((0.25, 0.125), rel=1e-3)
    head = taught()
    scored = head.score(inputs)
    steps = [
        largest_steps(head.of_all, head.learn(scored, chosen(2), np.ones(1), HeadConfig(forget_choices=n)).of_all)
        for n in (1e9, 10.0)
    ]
    assert steps[1] > steps[0]


def largest_steps(before: Mixture, after: Mixture) -> tuple[float, float]:
    """Return how far any weight of the linear expert has gone, and any of the networks'."""
    linear = np.abs(after.linear.weights - before.linear.weights).max()
    return float(linear), float(np.abs(after.networks.of_items - before.networks.of_items).max())


def test_there_are_as_many_networks_as_the_settings_say():
    """For all items; for fresh ones one. None begins like another, and no seed like the next."""
    heads = [cold(HeadConfig(hidden=5, networks=n), 1) for n in (1, 3)] + [cold(HeadConfig(hidden=5, networks=3), 2)]
    outputs = [row for head in heads[1:] for row in (*head.of_all.networks.output, *head.of_fresh.networks.output)]

    assert [head.of_all.networks.output.shape for head in heads] == [(1, 5), (3, 5), (3, 5)]
    assert [head.of_fresh.networks.output.shape for head in heads] == [(1, 5)] * 3
    assert [(len(head.of_all.record), len(head.of_fresh.record)) for head in heads] == [(2, 2), (4, 2), (4, 2)]
    assert len({row.tobytes() for row in outputs}) == len(outputs) == 8


def test_fresh_items_have_experts_of_their_own():
    """What they learn changes nothing of the others, and the other way round; but time goes on for both records."""
    head, inputs = taught(), drawn(seed=99)
    fresh = head.learn_fresh(head.score_fresh(inputs), chosen(2), CONFIG)
    assert fresh.of_all is head.of_all and fresh.n_choices == head.n_choices
    assert (fresh.of_fresh.linear.weights != head.of_fresh.linear.weights).any()
    assert (fresh.of_fresh.networks.of_items != head.of_fresh.networks.of_items).any()
    assert fresh.of_fresh.record == pytest.approx(tuple(head.score_fresh(inputs).experts[:, 2]))

    both = fresh.learn(fresh.score(inputs), chosen(1), np.ones(1), CONFIG)
    assert both.of_fresh.linear is fresh.of_fresh.linear and both.of_fresh.networks is fresh.of_fresh.networks
    assert both.of_fresh.record == pytest.approx([CONFIG.memory * each for each in fresh.of_fresh.record])
    assert np.exp(both.score_fresh(inputs).log_p).sum() == pytest.approx(1, abs=1e-6)
    again = both.learn_fresh(both.score_fresh(inputs), chosen(3), CONFIG)
    gained = np.array(both.of_fresh.record) + both.score_fresh(inputs).experts[:, 3]
    assert again.of_fresh.record == pytest.approx(gained, abs=1e-9)  # a second fading would be against the clock


def test_contributions_are_weight_times_input_over_the_average():
    """They sum to the linear score's distance from the mean score; the average candidate has none."""
    items = np.zeros((3, INPUTS), np.float32)
    items[:, 0] = [1.0, 0.0, 0.5]
    inputs = Inputs(items, drawn().context, 1)
    weights = np.zeros((5, INPUTS))
    weights[0, 0], weights[2, 0] = 2.0, 4.0  # shared, and of histories of this length
    head = cold(CONFIG, 0)
    linear = linear_head.LinearHead(weights, np.ones_like(weights))
    head = msgspec.structs.replace(head, of_all=msgspec.structs.replace(head.of_all, linear=linear))
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
    np.testing.assert_allclose(np.exp(cold(CONFIG, 3).score(inputs).experts[0]), 1 / 6, rtol=1e-6)
