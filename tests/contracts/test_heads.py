"""What every head keeps. Each is driven through the two things that a head does: score, and learn from a choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest

from stream_rec.ranking import head as mixture
from stream_rec.ranking import linear_head, network_head
from stream_rec.ranking.features import CONTEXT, HISTORY, INPUTS, Inputs
from stream_rec.ranking.head import HeadConfig
from tests.ranking.worlds import drawn

CONFIG = HeadConfig(hidden=6)
HISTORIES = len(HISTORY) + 1


@dataclass(frozen=True)
class Subject:
    """One kind of head."""

    cold: Callable[[], Any]
    scores: Callable[[Any, Inputs], np.ndarray]
    learned: Callable[[Any, Inputs, int], Any]
    """The head after the candidate at this place was chosen."""


def error(scores: np.ndarray, chosen: int) -> np.ndarray:
    return np.eye(len(scores))[chosen] - np.exp(mixture.log_softmax(scores))


def linear_learned(head: Any, inputs: Inputs, chosen: int) -> Any:
    scores = linear_head.scores(head, inputs.items, inputs.history)
    return linear_head.learned(head, inputs.items, inputs.history, error(scores, chosen), rate=0.05)


def network_learned(head: Any, inputs: Inputs, chosen: int) -> Any:
    hidden = network_head.hidden(head, inputs.items, inputs.context)
    errors = error(network_head.scores(head, hidden), chosen)
    return network_head.learned(head, inputs.items, inputs.context, hidden, errors, rate=0.05)


SUBJECTS = {
    "linear": Subject(
        lambda: linear_head.cold(INPUTS, HISTORIES),
        lambda head, inputs: linear_head.scores(head, inputs.items, inputs.history),
        linear_learned,
    ),
    "network": Subject(
        lambda: network_head.cold(INPUTS, CONTEXT, 6, seed=1),
        lambda head, inputs: network_head.scores(head, network_head.hidden(head, inputs.items, inputs.context)),
        network_learned,
    ),
    "mixture": Subject(
        lambda: mixture.cold(CONFIG, 1),
        lambda head, inputs: head.score(inputs).log_p,
        lambda head, inputs, chosen: head.learned(head.score(inputs), np.array([chosen]), np.ones(1), CONFIG),
    ),
    "fresh": Subject(
        lambda: mixture.cold(CONFIG, 1),
        lambda head, inputs: head.score_fresh(inputs),
        lambda head, inputs, chosen: head.learned_fresh(inputs, np.array([chosen]), CONFIG),
    ),
}


@pytest.fixture(params=SUBJECTS)
def subject(request) -> Subject:
    return SUBJECTS[request.param]


def numbers(head: Any) -> list[np.ndarray]:
    """Return copies of all numbers in a head, however deep."""
    if isinstance(head, msgspec.Struct):
        return [part for value in msgspec.structs.astuple(head) for part in numbers(value)]
    return [np.array(head, copy=True)]


def warm(subject: Subject, n: int = 20) -> Any:
    head = subject.cold()
    for seed in range(n):
        head = subject.learned(head, drawn(seed=seed, history=seed % HISTORIES), seed % 6)
    return head


def test_a_cold_head_answers(subject):
    """With a finite score for each candidate; also where there is none."""
    scores = subject.scores(subject.cold(), drawn(5))

    assert scores.shape == (5,) and np.isfinite(scores).all()
    assert subject.scores(subject.cold(), drawn(0)).shape == (0,)


def test_learning_leaves_inputs_and_the_old_head_as_they_were(subject):
    """State in, state out."""
    head, inputs = warm(subject), drawn(seed=99)
    before, items, context = numbers(head), inputs.items.copy(), inputs.context.copy()
    after = subject.learned(head, inputs, 2)

    for old, now in zip(before, numbers(head), strict=True):
        np.testing.assert_array_equal(old, now)
    np.testing.assert_array_equal(inputs.items, items)
    np.testing.assert_array_equal(inputs.context, context)
    assert any((old != new).any() for old, new in zip(before, numbers(after), strict=True))


def test_predicting_changes_nothing(subject):
    """Neither the head nor the inputs; twice is the same to the last bit."""
    head, inputs = warm(subject), drawn(seed=99)
    before, items = numbers(head), inputs.items.copy()
    first, second = subject.scores(head, inputs), subject.scores(head, inputs)

    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(inputs.items, items)
    for old, now in zip(before, numbers(head), strict=True):
        np.testing.assert_array_equal(old, now)


def test_learning_keeps_shapes_and_types(subject):
    """A head does not grow, and float32 stays float32."""
    cold = subject.cold()

    assert [(n.shape, n.dtype) for n in numbers(warm(subject))] == [(n.shape, n.dtype) for n in numbers(cold)]


def test_the_same_choices_give_the_same_head(subject):
    """To the last bit."""
    for one, other in zip(numbers(warm(subject)), numbers(warm(subject)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_permuting_the_candidates_permutes_the_scores(subject):
    """No place is better than another; nor does learning depend on it."""
    order = np.array([3, 0, 5, 1, 4, 2])
    head, inputs = warm(subject), drawn(seed=99)
    permuted = inputs.keep(order)
    np.testing.assert_allclose(subject.scores(head, permuted), subject.scores(head, inputs)[order], rtol=1e-4)

    straight, turned = subject.learned(head, inputs, 5), subject.learned(head, permuted, 2)
    for one, other in zip(numbers(straight), numbers(turned), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_what_is_chosen_becomes_likelier(subject):
    """After one step, on the same candidates."""
    head, inputs = warm(subject), drawn(seed=99)
    before = mixture.log_softmax(subject.scores(head, inputs))
    after = mixture.log_softmax(subject.scores(subject.learned(head, inputs, 4), inputs))

    assert after[4] > before[4]


def test_a_planted_preference_is_learned(subject):
    """Users choose the candidate with the largest third input: after 300 choices it stands first nearly always."""
    head = subject.cold()
    for seed in range(300):
        inputs = drawn(10, seed=seed, history=seed % HISTORIES)
        head = subject.learned(head, inputs, int(inputs.items[:, 2].argmax()))
    places = []
    for seed in range(1000, 1100):
        inputs = drawn(10, seed=seed, history=seed % HISTORIES)
        ranked = np.argsort(-subject.scores(head, inputs))
        places.append(ranked.tolist().index(int(inputs.items[:, 2].argmax())))

    assert np.mean(places) < 1.0  # chance is 4.5


def test_ten_thousand_steps_stay_finite(subject):
    """Also where one choice contradicts the other, where candidates are equal, and where there is one alone."""
    equal = Inputs(np.ones((3, INPUTS), np.float32), np.ones(CONTEXT, np.float32), 2)
    shapes = [drawn(6, 1, 0), drawn(6, 2, 3), drawn(1, 3, 1), equal]
    head = subject.cold()
    for step in range(10_000):
        inputs = shapes[step % 4]
        head = subject.learned(head, inputs, step * 7 % len(inputs.items))

    assert all(np.isfinite(part).all() for part in numbers(head))
    for inputs in shapes:
        assert np.isfinite(subject.scores(head, inputs)).all()
