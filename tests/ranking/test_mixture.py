"""What a mixture says of its experts, against a slower way; how far each is believed, and what each learns."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.ranking import linear_head, network_head
from stream_rec.ranking.features import HISTORY, INPUTS, Inputs
from stream_rec.ranking.linear_head import Step
from stream_rec.ranking.mixture import Mixture, Rates, _mix, cold, log_softmax
from stream_rec.ranking.network_head import LEAK, NetworkHead
from tests.ranking.worlds import drawn

RATES = Rates(Step(0.05, 2.0), Step(0.1, 2.0), memory=0.999)
ONE = np.ones(1)


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
    """A list without candidates, or without fresh ones."""
    assert log_softmax(np.zeros(0)).tolist() == []
    scored = taught().score(drawn(0))
    assert scored.log_p.shape == (0,) and scored.experts.shape == (3, 0)


def place(inputs: Inputs) -> np.ndarray:
    return np.array([inputs.items[:, 0].argmax()])


def taught(n: int = 30, networks: int = 2) -> Mixture:
    """Return a mixture whose experts differ."""
    mixture = cold(6, range(networks))
    for seed in range(n):
        inputs = drawn(seed=seed)
        mixture = mixture.learn(mixture.score(inputs), place(inputs), ONE, RATES)
    return mixture


def recorded(*record: float) -> Mixture:
    return msgspec.structs.replace(taught(), record=record)


def network(head: NetworkHead, number: int) -> NetworkHead:
    """Return one of the networks alone."""
    h = head.output.shape[1]
    units = slice(number * h, (number + 1) * h)
    return NetworkHead(
        head.of_items[:, units].copy(),
        head.of_context[:, units].copy(),
        head.output[number : number + 1],
        head.squares_of_items[:, units].copy(),
        head.squares_of_context[:, units].copy(),
        head.squares_of_output[number : number + 1],
    )


def softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


def experts_of(mixture: Mixture, inputs: Inputs) -> list[np.ndarray]:
    """Return the probabilities of each expert, in float64 and one by one."""
    items, context = inputs.items.astype(float), inputs.context.astype(float)
    found = [softmax(items @ (mixture.linear.weights[0] + mixture.linear.weights[1 + inputs.history]))]
    for number in range(len(mixture.record) - 1):
        one = network(mixture.networks, number)
        signal = (items - items.mean(axis=0)) @ one.of_items + context @ one.of_context
        found.append(softmax(np.where(signal > 0, signal, LEAK * signal) @ one.output[0].astype(float)))
    return found


@settings(max_examples=60, deadline=None)
@given(
    n_networks=st.integers(1, 3),
    seed=st.integers(0, 10**6),
    k=st.integers(1, 12),
    history=st.integers(0, len(HISTORY)),
    data=st.data(),
)
def test_the_mixture_is_what_a_slower_way_gives(n_networks, seed, k, history, data):
    """Of each expert the softmax, in float64, weighted by exp(record / 10): whatever the record."""
    record = data.draw(st.lists(st.floats(-300, 0), min_size=1 + n_networks, max_size=1 + n_networks))
    mixture = msgspec.structs.replace(taught(10, n_networks), record=tuple(record))
    inputs = drawn(k, seed, history)
    scored, experts = mixture.score(inputs), experts_of(mixture, inputs)
    weights = np.exp(np.array(record) / 10)

    np.testing.assert_allclose(np.exp(scored.experts), experts, rtol=1e-4)
    np.testing.assert_allclose(np.exp(scored.log_p), np.array(experts).T @ weights / weights.sum(), rtol=1e-4)
    assert scored.log_p.dtype == np.float64 and scored.experts.dtype == np.float32


@pytest.mark.parametrize(
    ("record", "weights"),
    [
        ((0, 0, 0), (1, 1, 1)),
        ((-700, -700, -700), (1, 1, 1)),
        ((-20, -50, -50), (np.e**3, 1, 1)),
        ((-50, -20, -40), (1, np.e**3, np.e)),
    ],
)
def test_an_expert_is_believed_as_far_as_it_was_right(record, weights):
    """A lead of 30 nats is odds of e ** 3 to 1; experts that were as good are believed alike."""
    scored = recorded(*record).score(drawn(seed=99))
    expected = np.average(np.exp(scored.experts.astype(float)), axis=0, weights=weights)

    np.testing.assert_allclose(np.exp(scored.log_p), expected, rtol=1e-5)
    assert np.exp(scored.log_p).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_an_expert_that_was_always_wrong_is_not_heard(best):
    """Nor does its weight of 0 make anything infinite."""
    record = [-1e6] * 3
    record[best] = 0.0
    scored = recorded(*record).score(drawn(seed=99))

    np.testing.assert_allclose(scored.log_p, scored.experts[best], rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.tuples(st.floats(-1e4, 1e4, width=32), st.floats(-1e4, 1e4, width=32)), min_size=1, max_size=9),
    lead=st.floats(-1e5, 1e5),
)
def test_what_is_most_unlikely_keeps_its_order(scores, lead):
    """Where no float32 can hold a probability its logarithm still says how unlikely it is: to all digits."""
    both = np.array(scores, dtype=np.float32).T.copy()
    experts, log_p = _mix(both, np.array([lead, 0.0]))
    weights = np.array([0.1 * lead, 0.0]) - np.logaddexp(0.1 * lead, 0.0)

    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(log_p, np.logaddexp(*(experts.astype(float) + weights[:, None])), rtol=1e-5, atol=1e-5)


def test_a_record_is_what_an_expert_gave_to_what_was_chosen():
    """In nats, fading; for several choices their weighted mean."""
    mixture, inputs = taught(), drawn(seed=99)
    scored = mixture.score(inputs)
    after = mixture.learn(scored, np.array([1, 4]), np.array([3.0, 1.0]), RATES)

    gained = (3 * scored.experts[:, 1] + scored.experts[:, 4]) / 4
    assert after.record == pytest.approx(0.999 * np.array(mixture.record) + gained)
    assert mixture.fade(0.5).record == pytest.approx(0.5 * np.array(mixture.record))
    assert mixture.fade(0.5).networks is mixture.networks


@pytest.mark.parametrize("n_networks", [1, 2, 3])
def test_each_expert_learns_by_its_own_errors_as_if_it_were_alone(n_networks):
    """Side by side the networks share one product of matrices, and nothing else."""
    mixture, inputs = taught(30, n_networks), drawn(seed=99)
    scored = mixture.score(inputs)
    after = mixture.learn(scored, np.array([2]), ONE, RATES)
    errors = np.eye(6)[2] - np.array(experts_of(mixture, inputs))

    linear = linear_head.learn(mixture.linear, inputs.items, inputs.history, errors[0], RATES.linear)
    np.testing.assert_allclose(after.linear.weights, linear.weights, rtol=1e-4, atol=1e-6)
    for number in range(n_networks):
        before = network(mixture.networks, number)
        _, hidden = network_head.score(before, inputs.items, inputs.context)
        alone = network_head.learn(
            before, inputs.items, inputs.context, hidden, errors[number + 1 : number + 2], RATES.network
        )
        found = network(after.networks, number)
        for name in alone.__struct_fields__:
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=1e-3, atol=1e-5, err_msg=name)


def test_networks_begin_differently():
    """Or their average would be one of them; each begins as its seed has it, however many there are."""
    three, two = cold(6, range(3)), cold(6, range(2))
    ones = [network(three.networks, number) for number in range(3)]

    for n, one in enumerate(ones):
        for other in ones[n + 1 :]:
            assert (one.of_items != other.of_items).all() and (one.output != other.output).all()
        alone = cold(6, range(n, n + 1)).networks
        np.testing.assert_array_equal(one.of_items, alone.of_items)
        np.testing.assert_array_equal(one.of_context, alone.of_context)
        np.testing.assert_array_equal(one.output, alone.output)
    np.testing.assert_array_equal(network(two.networks, 1).of_items, ones[1].of_items)
    assert three.record == (0.0,) * 4


@pytest.mark.parametrize("wants", ["what only a network can tell", "what a weight can tell"])
def test_the_mixture_is_as_good_as_its_best_expert(wants):
    """Mean log-loss over a stream: the best is found, and of two that are alike their average is better than most."""
    mixture, rng, losses = cold(24, range(2)), np.random.default_rng(2), []
    rates = Rates(Step(0.05), Step(0.1), memory=0.999)
    for _ in range(2500):
        inputs = drawn(6, seed=int(rng.integers(10**6)))
        inputs.context[4] = wants_large = wants == "what a weight can tell" or rng.random() < 0.5
        scored = mixture.score(inputs)
        first = inputs.items[:, 0]
        chosen = int(first.argmax() if wants_large else first.argmin())
        losses.append([*-scored.experts[:, chosen], -scored.log_p[chosen]])
        mixture = mixture.learn(scored, np.array([chosen]), ONE, rates)
    linear, *networks, mixed = np.mean(losses[-500:], axis=0)

    assert min(networks) < linear - 0.1
    assert mixed < min(networks) + 0.02 and mixed < np.mean(networks)


def test_learning_and_scoring_leave_the_old_mixture_as_it_was():
    """Its arrays are shared with the new one only where they are the same."""
    mixture, inputs = taught(), drawn(seed=99)
    before = mixture.score(inputs).log_p.copy()
    after = mixture.learn(mixture.score(inputs), np.array([2]), ONE, RATES)

    np.testing.assert_array_equal(mixture.score(inputs).log_p, before)
    assert (after.score(inputs).log_p != before).any()
    assert after.score(inputs).hidden.shape == (6, 12) and inputs.items.shape == (6, INPUTS)
