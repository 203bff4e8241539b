"""The head in words."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from stream_rec.events.status import MOST_FEATURES
from stream_rec.ranking.action_weights import ActionWeight
from stream_rec.ranking.describe import describe
from stream_rec.ranking.features import INPUT_NAMES
from stream_rec.ranking.head import cold
from stream_rec.ranking.policy import HeadConfig


def test_a_cold_head_believes_all_experts_alike_and_no_feature():
    """Nothing was learned."""
    said = describe(cold(HeadConfig(), seed=0))

    assert said.choices == 0 and said.features == {}
    assert list(said.experts) == ["linear", "network_1", "network_2"]
    assert list(said.experts.values()) == pytest.approx([1 / 3] * 3)


def test_the_largest_weights_with_their_signs():
    """On average over the lengths of history: 1 shared and 4 for one of four is 2."""
    head = cold(HeadConfig(), seed=0)
    weights = np.zeros_like(head.of_all.linear.weights)
    weights[0, :30] = np.linspace(0.1, 1.0, 30)
    weights[0, 40] = -3.0
    weights[:2, 41] = 1.0, 4.0
    mixture = replace(head.of_all, linear=replace(head.of_all.linear, weights=weights), record=(-10.0, 0.0, 0.0))

    head = replace(head, of_actions={"wished": ActionWeight(np.log(1.5))})
    said = describe(replace(head, of_all=mixture, n_choices=7), loss=2.5, drifts=1, drifted_ms=9)

    assert len(said.features) == MOST_FEATURES
    assert list(said.features.items())[:2] == [(INPUT_NAMES[40], -3.0), (INPUT_NAMES[41], 2.0)]
    assert said.actions == {"wished": pytest.approx(1.5)}
    assert said.experts["linear"] == pytest.approx(np.exp(-1) / (2 + np.exp(-1)))
    assert (said.choices, said.loss, said.drifts, said.drifted_ms) == (7, 2.5, 1, 9)
