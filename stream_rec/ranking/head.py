"""The head: from what is known of each candidate to how likely it is chosen, learned from every choice.

One mixture of experts (``mixture.py``) ranks all candidates. A second one ranks fresh items among themselves: how they
are found differs from how the rest is, and in one ranking with the rest they seldom win a place.

Example:
    Three candidates, the last of which the user had before. Ten times that one is chosen:

    >>> from stream_rec.ranking.features import CONTEXT, INPUT_NAMES, INPUTS
    >>> items = np.zeros((3, INPUTS), dtype=np.float32)
    >>> items[2, INPUT_NAMES.index("own")] = 1.0
    >>> inputs = Inputs(items, context=np.zeros(CONTEXT, dtype=np.float32), history=1)
    >>> head = cold(HeadConfig(), seed=0)
    >>> np.exp(head.score(inputs).log_p).round(1).tolist()
    [0.3, 0.3, 0.3]
    >>> for _ in range(10):
    ...     head = head.learn(head.score(inputs), chosen=np.array([2]), weights=np.ones(1), config=HeadConfig())
    >>> np.exp(head.score(inputs).log_p).round(1).tolist()
    [0.1, 0.1, 0.8]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.ranking import action_weights, asked, contexts, interests, linear_head, mixture, shown
from stream_rec.ranking.action_weights import ActionWeights
from stream_rec.ranking.features import Inputs
from stream_rec.ranking.fresh_choices import FreshChoices
from stream_rec.ranking.linear_head import LinearHead, Step
from stream_rec.ranking.mixture import Mixture, Rates, Scored
from stream_rec.ranking.policy import HeadConfig


class Head(Protocol):
    """What ranking, learning and explaining need of a head. Arguments and results as of ``MixtureHead``."""

    @property
    def fresh_choices(self) -> FreshChoices: ...
    @property
    def n_choices(self) -> int: ...
    @property
    def of_asked(self) -> LinearHead: ...
    @property
    def of_shown(self) -> LinearHead: ...
    @property
    def of_context(self) -> LinearHead: ...
    @property
    def of_interests(self) -> LinearHead: ...
    @property
    def of_actions(self) -> ActionWeights: ...
    def score(self, inputs: Inputs) -> Scored: ...
    def score_fresh(self, inputs: Inputs) -> Scored: ...
    def contributions(self, scored: Scored, indices: NDArray[np.int64]) -> NDArray[np.float32]: ...
    def learn(
        self,
        scored: Scored,
        chosen: NDArray[np.int64],
        weights: NDArray[np.float64],
        config: HeadConfig,
        actions: Mapping[str, float] = {},
    ) -> Self: ...
    def learn_fresh(self, scored: Scored, chosen: NDArray[np.int64], config: HeadConfig) -> Self: ...
    def count_fresh(self, counts: FreshChoices) -> Self: ...
    def put_asked(self, of_asked: LinearHead) -> Self: ...
    @property
    def n_outcomes(self) -> int: ...
    def put_shown(self, of_shown: LinearHead) -> Self: ...
    def put_context(self, of_context: LinearHead) -> Self: ...
    def put_interests(self, of_interests: LinearHead) -> Self: ...
    def decay(self, factor: float) -> Self: ...


class MixtureHead(Struct, frozen=True):
    """Our own head. Learning makes a new one."""

    of_all: Mixture
    of_fresh: Mixture
    fresh_choices: FreshChoices = FreshChoices()
    """How often what was chosen was fresh."""
    of_asked: LinearHead = asked.COLD
    """What speaks for an item that answers the user's search: see ``asked.py``."""
    of_shown: LinearHead = shown.COLD
    """What impressions say of an item: see ``shown.py``."""
    of_context: LinearHead = contexts.COLD
    """What the context of a request says of an item: see ``contexts.py``."""
    of_interests: LinearHead = interests.COLD
    """What speaks for an item that fits what the user says to like: see ``interests.py``."""
    of_actions: ActionWeights = action_weights.NONE
    """How much types of an app's own teach: see ``action_weights.py``."""
    n_choices: int = 0
    """Groups of choices learned from: an order of many lines is one."""
    n_outcomes: int = 0
    """Impressions learned from."""

    def score(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities of all candidates. Changes nothing."""
        return self.of_all.score(inputs)

    def score_fresh(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities among fresh items alone.

        Args:
            inputs: Of the fresh candidates, scaled together with all the others.
        """
        return self.of_fresh.score(inputs)

    def contributions(self, scored: Scored, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what speaks for some candidates over the average one, (k, INPUTS), as the linear expert sees it."""
        items = scored.inputs.items
        return (items[indices] - average(items)) * linear_head.add_weights(self.of_all.linear, scored.inputs.history)

    def learn(
        self,
        scored: Scored,
        chosen: NDArray[np.int64],
        weights: NDArray[np.float64],
        config: HeadConfig,
        actions: Mapping[str, float] = {},
    ) -> MixtureHead:
        """Return the head after one group of choices.

        Args:
            chosen: (c,) indices of the candidates chosen, c at least 1; one may stand there twice.
            weights: (c,) how much each choice counts, above 0.
            actions: By type of an app's own whose weight is learned, what part of the group's weights its events have.
        """
        rates = _rates(config, forgetting=1.0 + self.n_choices / config.forget_choices)
        of_all = self.of_all.learn(scored, chosen, weights, rates)
        of_fresh = self.of_fresh.fade(config.memory)  # by the same clock: workers merge records by ``n_choices``
        of_actions = self.of_actions
        if config.action_rate > 0 and (actions or of_actions):
            shift = of_all.linear.weights - self.of_all.linear.weights
            gradient, part = mixture.linear_gradient(scored, chosen, weights), 1 + scored.inputs.history
            of_actions = action_weights.learn(of_actions, actions, gradient, part, shift, config.action_rate)
        return msgspec.structs.replace(
            self, of_all=of_all, of_fresh=of_fresh, of_actions=of_actions, n_choices=self.n_choices + 1
        )

    def learn_fresh(self, scored: Scored, chosen: NDArray[np.int64], config: HeadConfig) -> MixtureHead:
        """Return the head after choices of fresh items, learned against the other fresh candidates.

        Args:
            scored: What ``score_fresh`` gave.
            chosen: (c,) indices among them, c at least 1.
        """
        rates = msgspec.structs.replace(_rates(config, forgetting=1.0), memory=1.0)
        of_fresh = self.of_fresh.learn(scored, chosen, np.ones(len(chosen)), rates)
        return msgspec.structs.replace(self, of_fresh=of_fresh)

    def count_fresh(self, counts: FreshChoices) -> MixtureHead:
        """Return the head with other counts of fresh choices."""
        return msgspec.structs.replace(self, fresh_choices=counts)

    def put_asked(self, of_asked: LinearHead) -> MixtureHead:
        """Return the head with another expert for what was asked."""
        return msgspec.structs.replace(self, of_asked=of_asked)

    def put_shown(self, of_shown: LinearHead) -> MixtureHead:
        """Return the head with the expert for what was shown as it is after one more impression."""
        return msgspec.structs.replace(self, of_shown=of_shown, n_outcomes=self.n_outcomes + 1)

    def put_context(self, of_context: LinearHead) -> MixtureHead:
        """Return the head with another expert for contexts."""
        return msgspec.structs.replace(self, of_context=of_context)

    def put_interests(self, of_interests: LinearHead) -> MixtureHead:
        """Return the head with another expert for interests."""
        return msgspec.structs.replace(self, of_interests=of_interests)

    def decay(self, factor: float) -> MixtureHead:
        """Return the head that learns faster, for when choices have changed: see ``drift``.

        Args:
            factor: Above 0, at most 1: what the sums of squares and the experts' records are scaled by.
        """
        return msgspec.structs.replace(
            self,
            of_all=self.of_all.decay(factor),
            of_fresh=self.of_fresh.decay(factor),
            of_asked=linear_head.decay(self.of_asked, factor),
            of_shown=linear_head.decay(self.of_shown, factor),
            of_context=linear_head.decay(self.of_context, factor),
            of_interests=linear_head.decay(self.of_interests, factor),
        )


def cold(config: HeadConfig, seed: int) -> MixtureHead:
    """Return the head that has learned nothing."""
    first = seed * (config.networks + 1)
    return MixtureHead(
        of_all=mixture.cold(config.hidden, range(first, first + config.networks)),
        of_fresh=mixture.cold(config.hidden, range(first + config.networks, first + config.networks + 1)),
    )


def average(items: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the average candidate, (f,): as a product, which takes a third of the time of ``mean``."""
    ones: NDArray[np.float32] = np.ones(len(items), dtype=items.dtype)
    mean: NDArray[np.float32] = ones @ items / np.float32(len(items))
    return mean


def _rates(config: HeadConfig, *, forgetting: float) -> Rates:
    return Rates(Step(config.rate, forgetting), Step(config.network_rate, forgetting), config.memory)
