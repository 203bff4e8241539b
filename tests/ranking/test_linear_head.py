"""The linear head: its step by hand, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.ranking.linear_head import EPSILON, LinearHead, Step, add_weights, cold, learn, score
from stream_rec.ranking.mixture import log_softmax

ITEMS = np.array([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]], dtype=np.float32)


def test_a_cold_head_finds_all_equal():
    """All weights are 0."""
    assert score(cold(2, 4), ITEMS, 3).tolist() == [0, 0, 0]


def test_a_score_adds_shared_weights_and_those_of_the_history():
    """Histories do not see each other's weights."""
    head = LinearHead(np.array([[1.0, 2.0], [10.0, 0.0], [0.0, 100.0]]), np.ones((3, 2)))

    assert add_weights(head, 0).tolist() == [11, 2]
    assert score(head, ITEMS, 0).tolist() == [11, 4, 6.5]
    assert score(head, ITEMS, 1).tolist() == [1, 204, 51.5]


def test_a_step_goes_along_the_errors_at_adagrads_rate():
    """The first step is the rate itself in each direction, the next one of the same size 1 / sqrt(2) of it."""
    errors = np.array([0.5, -0.5, 0.0])  # gradient (0.5, -1)
    once = learn(cold(2, 2), ITEMS, 1, errors, Step(0.1))
    twice = learn(once, ITEMS, 1, errors, Step(0.1))

    assert once.weights[[0, 2]] == pytest.approx(np.array([[0.1, -0.1], [0.1, -0.1]]), rel=1e-6)
    assert once.squares[[0, 2]] == pytest.approx(np.array([[0.25, 1.0], [0.25, 1.0]]) + EPSILON)
    assert twice.weights[0] - once.weights[0] == pytest.approx(np.array([0.1, -0.1]) / np.sqrt(2), rel=1e-6)
    assert once.weights[1].tolist() == [0, 0]  # the other history


def test_the_step_is_the_gradient_of_the_log_likelihood():
    """With errors of target less probability: against finite differences of mean log p, undoing AdaGrad's scaling."""
    rng = np.random.default_rng(0)
    items = rng.standard_normal((5, 7)).astype(np.float32)
    head = LinearHead(rng.standard_normal((4, 7)) * 0.3, np.full((4, 7), 1e30))  # so large that scaling is even
    target = np.array([0.5, 0.0, 0.5, 0.0, 0.0])

    def likelihood(weights: np.ndarray) -> float:
        return float(target @ log_softmax(items.astype(float) @ (weights[0] + weights[2])))

    errors = target - np.exp(log_softmax(score(head, items, 1)))
    step = (learn(head, items, 1, errors, Step(1e15)).weights - head.weights).round(6)
    for part in range(4):
        for f in range(7):
            nudge = np.zeros((4, 7))
            nudge[part, f] = 1e-5
            slope = (likelihood(head.weights + nudge) - likelihood(head.weights - nudge)) / 2e-5
            assert step[part, f] == pytest.approx(slope, abs=1e-4)
