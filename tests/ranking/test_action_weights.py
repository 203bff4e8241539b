"""How much types of an app's own teach: judged by what it does to other choices, merged, sent, bounded."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.ranking import action_weights
from stream_rec.ranking import head as heads
from stream_rec.ranking.action_weights import LONGEST_NAME, MOST, ActionWeight, find_factor
from stream_rec.ranking.features import CONTEXT, INPUT_NAMES, INPUTS, Inputs
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.policy import HeadConfig

CONFIG = HeadConfig(hidden=3)
GOOD, BAD = INPUT_NAMES.index("own"), INPUT_NAMES.index("log_popularity")


def inputs(rng: np.random.Generator) -> Inputs:
    """Return ten candidates; the first has what users choose by, the second what they don't."""
    items = 0.1 * rng.random((10, INPUTS), dtype=np.float32)
    items[:2] = 0
    items[0, GOOD] = items[1, BAD] = 1.0
    return Inputs(items, np.zeros(CONTEXT, dtype=np.float32), 1)


def learn_stream(n: int, **of: int) -> MixtureHead:
    """Return the head after choices of the first candidate, and of another before each, by events of some types."""
    head, rng = heads.cold(CONFIG, 0), np.random.default_rng(0)
    for _ in range(n):
        for action, chosen in [*of.items(), (None, 0)]:
            scored = head.score(inputs(rng))
            weight = 1.0 if action is None else find_factor(head.of_actions, action)
            shares = {} if action is None else {action: 1.0}
            index = chosen if chosen >= 0 else int(rng.integers(10))
            head = head.learn(scored, np.array([index]), np.array([weight]), CONFIG, shares)
    return head


def test_what_misleads_loses_its_weight():
    """Events that say the opposite of what users choose, and events of no meaning, soon teach little."""
    weights = learn_stream(300, opposite=1, anything=-1).of_actions

    assert find_factor(weights, "opposite") < 0.2 and find_factor(weights, "anything") < 0.1


def test_what_goes_the_same_way_keeps_its_weight():
    """As a wish goes before a purchase of the same; it gains none."""
    assert find_factor(learn_stream(300, wished=0).of_actions, "wished") == 1.0


def test_who_has_no_types_of_their_own_has_the_head_of_before():
    """Nothing is kept, and nothing computed."""
    head = learn_stream(20)

    assert head.of_actions == {}


def test_a_rate_of_0_learns_nothing():
    """Types count as their kind does."""
    head, config = heads.cold(CONFIG, 0), HeadConfig(hidden=3, action_rate=0)
    scored = head.score(inputs(np.random.default_rng(0)))

    assert head.learn(scored, np.array([0]), np.ones(1), config, {"wished": 1.0}).of_actions == {}


def test_types_are_judged_by_choices_that_count_as_declared():
    """By hand: two of them after one of its own; neither its own judges it, nor another type's."""
    shift = np.array([[1.0, 0.0], [0.5, 0.0]])
    own = action_weights.learn({}, {"wished": 0.5}, np.array([9.0, 9.0]), 1, shift, 0.2)
    assert own["wished"].n == 0 and own["wished"].trace.tolist() == [[0.5, 0.0], [0.25, 0.0]]

    once = action_weights.learn(own, {}, np.array([2.0, 7.0]), 1, shift, 0.2)["wished"]
    assert (once.n, once.squares) == (1, pytest.approx(1.5**2))
    assert once.log_factor == 0.0  # 0.2, but for the bound
    other = action_weights.learn({"wished": once}, {"other": 1.0}, np.array([-5.0, 7.0]), 1, shift, 0.2)
    assert (other["wished"].n, other["wished"].log_factor) == (1, once.log_factor)
    twice = action_weights.learn(other, {}, np.array([-2.0, 7.0]), 1, shift, 0.2)["wished"]
    gain = -2 * 0.75 * 0.99 * 0.99
    assert twice.log_factor == pytest.approx(0.2 * gain / math.sqrt(1.5**2 + gain**2))


def test_there_are_only_so_many_types():
    """What comes when all places are taken, or has too long a name, counts as its kind does."""
    weights = action_weights.NONE
    shift = np.ones((2, 3))
    for number in range(MOST + 5):
        weights = action_weights.learn(weights, {f"type {number}": 1.0}, np.ones(3), 1, shift, 0.2)
    long = action_weights.learn({}, {"x" * (LONGEST_NAME + 1): 1.0}, np.ones(3), 1, shift, 0.2)

    assert list(weights) == [f"type {number}" for number in range(MOST)]
    assert long == {} and find_factor(weights, f"type {MOST}") == 1.0


numbers = st.tuples(st.floats(-5, 5), st.floats(0, 1e6), st.integers(0, 10**6))
several = st.dictionaries(st.text(max_size=LONGEST_NAME), numbers.map(lambda each: ActionWeight(*each)), max_size=MOST)


def plain(weights: action_weights.ActionWeights) -> dict[str, tuple[float, float, int]]:
    return {action: (each.log_factor, each.squares, each.n) for action, each in weights.items()}


@given(several)
def test_bytes_and_back(weights):
    """Exactly, without traces."""
    assert plain(action_weights.decode(action_weights.encode(weights))) == plain(weights)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\xc0",
        msgspec.msgpack.encode({"a": [0.0, -1.0, 1]}),
        msgspec.msgpack.encode({"a": [0.0, 1.0, -1]}),
        msgspec.msgpack.encode({"a": [math.nan, 1.0, 1]}),
        msgspec.msgpack.encode({"a": [0.0, math.inf, 1]}),
        msgspec.msgpack.encode({"a": [1e4, 1.0, 1]}),
        msgspec.msgpack.encode({"a" * 101: [0.0, 1.0, 1]}),
        msgspec.msgpack.encode({f"{n}": [0.0, 1.0, 1] for n in range(MOST + 1)}),
    ],
)
def test_other_bytes_are_refused(wrong):
    """Whoever wrote them."""
    with pytest.raises(ValueError, match=r"Expected|truncated|finite|length"):
        action_weights.decode(wrong)


@settings(max_examples=50)
@given(st.lists(several, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_matter(parts, rng):
    """Which types are kept, and what of them, but for rounding; never more than there is room for."""
    shuffled = list(parts)
    rng.shuffle(shuffled)
    one, other = action_weights.add(parts), action_weights.add(shuffled)

    assert len(one) <= MOST and list(one) == list(other)
    assert [each.n for each in one.values()] == [each.n for each in other.values()]
    np.testing.assert_allclose(*([each.log_factor for each in all_.values()] for all_ in (one, other)), atol=1e-9)


def test_after_a_merge_factors_stay_in_bounds_and_traces_go_on():
    """Two workers that each came to the bound do not go beyond it together."""
    before = {"played": ActionWeight(-3.0, 1.0, 5, np.ones((2, 3)))}
    together = action_weights.begin(action_weights.add([{"played": ActionWeight(-3.0, 1.0, 5)}] * 2), before)

    assert find_factor(together, "played") == pytest.approx(0.02)
    assert together["played"].n == 10 and together["played"].trace is before["played"].trace
