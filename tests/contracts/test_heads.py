"""Our own head, and the experts in it, keep what every head and every learner keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream_rec.ranking import head as heads
from stream_rec.ranking import linear_head, mixture, network_head
from stream_rec.ranking.features import CONTEXT, INPUTS, Inputs
from stream_rec.ranking.linear_head import Step
from stream_rec.ranking.policy import HeadConfig
from stream_rec.testing.heads import HISTORIES, HeadContract, LearnerContract

CONFIG = HeadConfig(hidden=6)


def error(scores: np.ndarray, chosen: int) -> np.ndarray:
    """Return what an expert learns from: the target less the probabilities."""
    return np.eye(len(scores))[chosen] - np.exp(mixture.log_softmax(scores))


class TestMixture(HeadContract):
    """The head itself."""

    config = CONFIG

    def make(self) -> Any:
        return heads.cold(CONFIG, 1)


class TestFresh(LearnerContract):
    """Its ranking of fresh items."""

    def make(self) -> Any:
        return heads.cold(CONFIG, 1)

    def score(self, head: Any, inputs: Inputs) -> np.ndarray:
        return head.score_fresh(inputs).log_p

    def learn(self, head: Any, inputs: Inputs, chosen: int) -> Any:
        return head.learn_fresh(head.score_fresh(inputs), np.array([chosen]), CONFIG)


class TestLinear(LearnerContract):
    """The linear expert."""

    def make(self) -> Any:
        return linear_head.cold(INPUTS, HISTORIES)

    def score(self, head: Any, inputs: Inputs) -> np.ndarray:
        return linear_head.score(head, inputs.items, inputs.history)

    def learn(self, head: Any, inputs: Inputs, chosen: int) -> Any:
        errors = error(self.score(head, inputs), chosen)
        return linear_head.learn(head, inputs.items, inputs.history, errors, Step(0.05))


class TestNetwork(LearnerContract):
    """A network."""

    def make(self) -> Any:
        return network_head.cold(INPUTS, CONTEXT, 6, range(1, 2))

    def score(self, head: Any, inputs: Inputs) -> np.ndarray:
        return network_head.score(head, inputs.items, inputs.context)[0][0]

    def learn(self, head: Any, inputs: Inputs, chosen: int) -> Any:
        scores, hidden = network_head.score(head, inputs.items, inputs.context)
        errors = error(scores[0], chosen)
        return network_head.learn(head, inputs.items, inputs.context, hidden, errors[None], Step(0.05))
