"""Parts that are left out: what is hidden, what is no candidate any more, who is not believed."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.ranking.features import INPUT_NAMES, NAMES
from stream_rec.ranking.head import cold
from stream_rec.ranking.left_out import EXPERTS, NOTHING, LeftOut, hide_inputs, keep_proposed, mute_experts
from stream_rec.ranking.policy import HeadConfig
from stream_rec.retrieval.candidates import FILLER, FRESH, REPEAT, SIMILAR, Candidates
from tests.ranking.worlds import drawn

ONE = np.ones(1)


def candidates(*sources: int) -> Candidates:
    """Return candidates that these sources propose."""
    k, nothing = len(sources), np.zeros((1, 2), np.float32)
    values = np.arange(3 * k, dtype=np.float32).reshape(k, 3)
    return Candidates(np.arange(k), np.array(sources), values, nothing, nothing, nothing[0])


def test_nothing_left_out_is_nothing_done():
    """Not even a copy: lists are what they were."""
    inputs, made, head = drawn(seed=1), candidates(1), cold(HeadConfig(), seed=0)

    assert hide_inputs(inputs, NOTHING) is inputs
    assert keep_proposed(made, NOTHING) is made
    assert mute_experts(head, NOTHING) is head


def test_a_feature_goes_with_its_logarithm():
    """All others stay; the user is another matter."""
    inputs = drawn(seed=2)
    hidden = hide_inputs(inputs, LeftOut(features=frozenset({"affinity", "own"})))
    changed = {name for name, column in zip(INPUT_NAMES, (hidden.items != inputs.items).T) if column.any()}

    assert changed == {"affinity", "log_affinity", "own"}
    assert not hidden.items[:, [INPUT_NAMES.index(name) for name in changed]].any()
    assert hidden.context is inputs.context
    assert not hide_inputs(inputs, LeftOut(user=True)).context.any()


def test_what_others_propose_too_stays():
    """With what those say of it; what fills up a list is of no source."""
    made = candidates(1 << REPEAT, 1 << REPEAT | 1 << FRESH, 1 << SIMILAR, 1 << FILLER)
    kept = keep_proposed(made, LeftOut(sources=frozenset({"repeat", "similar"})))

    assert kept.rows.tolist() == [1, 3]
    assert kept.sources.tolist() == [1 << FRESH, 1 << FILLER]
    assert kept.values.tolist() == made.values[[1, 3]].tolist()


@pytest.mark.parametrize("muted", EXPERTS)
def test_an_expert_that_is_left_out_is_never_believed(muted: str):
    """However often the others are wrong, and whatever fades; it goes on learning, which nobody hears."""
    config, inputs = HeadConfig(memory=0.9), drawn(seed=3)
    head = mute_experts(cold(config, seed=0), LeftOut(experts=frozenset({muted})))
    for step in range(50):
        head = head.learn(head.score(inputs), np.array([step % 2]), ONE, config)
        head = head.learn_fresh(head.score_fresh(inputs), np.array([1]), config).decay(0.5)
    for mixture in (head.of_all, head.of_fresh):
        scored = mixture.score(inputs)
        is_muted = np.arange(len(scored.experts)) == 0 if muted == "linear" else np.arange(len(scored.experts)) > 0
        record = np.array(mixture.record)[~is_muted]
        trust = np.exp(0.1 * (record - record.max()))
        expected = np.log(trust @ np.exp(scored.experts[~is_muted].astype(np.float64)) / trust.sum())

        assert np.isfinite(scored.log_p).all()
        assert scored.log_p == pytest.approx(expected, abs=1e-5)


def test_two_are_left_out_together():
    """What either leaves out."""
    both = LeftOut(sources=frozenset({"fresh"}), user=True) | LeftOut(sources=frozenset({"repeat"}), context=True)

    assert both == LeftOut(sources=frozenset({"fresh", "repeat"}), user=True, context=True)
    assert set(NAMES) >= LeftOut().features
