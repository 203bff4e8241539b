"""The network head: one network by hand, and its step against finite differences. For several: the mixture's tests."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.ranking.linear_head import Step
from stream_rec.ranking.mixture import log_softmax
from stream_rec.ranking.network_head import LEAK, NetworkHead, cold, learn, score


def network(of_items: np.ndarray, of_context: np.ndarray, output: np.ndarray, squares: float = 1.0) -> NetworkHead:
    """Return a network with all of AdaGrad's sums alike."""
    weights = [np.asarray(part, dtype=np.float32) for part in (of_items, of_context, output)]
    return NetworkHead(*weights, *(np.full_like(part, squares) for part in weights))


SMALL = network([[1.0, -1.0], [2.0, 0.0]], [[0.5, 0.25]], [[1.0, 10.0]])
"""Two inputs, one context, two hidden units."""


def test_a_score_is_one_hidden_layer():
    """Of candidates (3, 1) and (1, 0) less their average, (1, 0.5) and (-1, -0.5), in context (2).

    2 + 1 = 3 and -1 + 0.5 = -0.5, of which a twentieth leaks; -2 + 1 = -1, which does so too, and 1 + 0.5 = 1.5.
    """
    scores, layer = score(SMALL, np.array([[3.0, 1.0], [1.0, 0.0]], np.float32), np.array([2.0], np.float32))

    np.testing.assert_allclose(layer, [[3.0, -0.5 * LEAK], [-LEAK, 1.5]], rtol=1e-6)
    np.testing.assert_allclose(scores, [[3 - 5 * LEAK, 15 - LEAK]], rtol=1e-6)


def test_what_all_candidates_have_says_nothing():
    """The same added to each input of all changes no score; a single candidate is seen as the average one."""
    rng = np.random.default_rng(1)
    head, context = cold(4, 3, 5, range(2)), rng.standard_normal(3).astype(np.float32)
    items = rng.standard_normal((6, 4)).astype(np.float32)
    scores, _ = score(head, items, context)
    shifted, _ = score(head, items + np.array([3.0, -2.0, 0.5, 9.0], np.float32), context)
    one, _ = score(head, items[:1], context)
    zero, _ = score(head, np.zeros((1, 4), np.float32), context)

    np.testing.assert_allclose(shifted, scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one, zero, atol=1e-6)
    assert score(head, items[:0], context)[0].shape == (2, 0)


def test_a_step_goes_at_adagrads_rate():
    """Slope over the root of the squares: those before, less what is forgotten of them, and this one's."""
    items, context = np.array([[3.0, 1.0], [1.0, 0.0]], np.float32), np.array([2.0], np.float32)
    _, layer = score(SMALL, items, context)  # (3, -0.025) and (-0.05, 1.5)
    after = learn(SMALL, items, context, layer, np.array([[0.5, -0.25]]), Step(0.1, forgetting=2.0))

    def stepped(weights: list, slopes: list) -> np.ndarray:
        return np.array(weights) + 0.1 * np.array(slopes) / np.sqrt(0.5 + np.square(slopes))

    back = np.array([[0.5, 5 * LEAK], [-0.25 * LEAK, -2.5]])  # what each sum should rise by
    slopes = (items - items.mean(axis=0)).T @ back
    np.testing.assert_allclose(after.of_items, stepped(SMALL.of_items, slopes), rtol=1e-5)
    np.testing.assert_allclose(after.of_context, stepped(SMALL.of_context, [2 * back.sum(axis=0)]), rtol=1e-5)
    np.testing.assert_allclose(after.output, stepped(SMALL.output, [[1.5125, -0.3875]]), rtol=1e-5)
    np.testing.assert_allclose(after.squares_of_output, 1 + np.square([[1.5125, -0.3875]]), rtol=1e-5)


def test_the_seed_makes_the_cold_network():
    """Equal seeds, equal networks."""
    one, same, other = (cold(5, 3, 4, range(seed, seed + 1)) for seed in (1, 1, 2))

    assert (one.of_items == same.of_items).all() and (one.output == same.output).all()
    assert (one.of_items != other.of_items).any()
    assert {part.dtype for part in (one.of_items, one.of_context, one.output, one.squares_of_items)} == {
        np.dtype("float32")
    }


def test_the_step_is_the_gradient_of_the_log_likelihood():
    """For all three sets of weights: against finite differences of mean log p, where both sides of the leak occur."""
    rng = np.random.default_rng(3)
    head = cold(4, 3, 5, range(1))
    items, context = rng.standard_normal((6, 4)).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    target = np.array([0.0, 0.5, 0.0, 0.25, 0.25, 0.0])
    names = ("of_items", "of_context", "output")
    weights = {name: getattr(head, name).astype(float) for name in names}

    def likelihood(**changed: np.ndarray) -> float:
        w = weights | changed
        signal = (items - items.mean(axis=0)) @ w["of_items"] + context @ w["of_context"]
        return float(target @ log_softmax(np.where(signal > 0, signal, LEAK * signal) @ w["output"][0]))

    scores, layer = score(head, items, context)
    assert (layer < 0).any() and (layer > 0).any()
    errors = target - np.exp(log_softmax(scores[0]))
    even = network(head.of_items, head.of_context, head.output, squares=1e12)  # so large that scaling is even
    after = learn(even, items, context, layer, errors[None], Step(1e6))
    for name in names:
        for place in np.ndindex(weights[name].shape):
            nudge = np.zeros_like(weights[name])
            nudge[place] = 1e-4
            ahead, behind = likelihood(**{name: weights[name] + nudge}), likelihood(**{name: weights[name] - nudge})
            step = getattr(after, name)[place] - getattr(head, name)[place]
            assert step == pytest.approx((ahead - behind) / 2e-4, abs=1e-3), (name, place)


def test_it_learns_what_no_weight_alone_can_say():
    """Users with context 1 choose the candidate with the larger first input, the others that with the smaller."""
    head = cold(2, 2, 12, range(1))
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(3000):
        items = rng.uniform(0, 1, (5, 2)).astype(np.float32)
        wants_large = rng.random() < 0.5
        context = np.array([wants_large, 1.0], np.float32)
        chosen = int(items[:, 0].argmax() if wants_large else items[:, 0].argmin())
        scores, layer = score(head, items, context)
        hits.append(int(scores[0].argmax()) == chosen)
        errors = np.eye(5)[chosen] - np.exp(log_softmax(scores[0]))
        head = learn(head, items, context, layer, errors[None], Step(0.05))

    assert np.mean(hits[-500:]) > 0.8
