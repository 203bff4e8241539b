"""The head: from what is known of each candidate to how likely it is chosen, learned from every choice.

Two experts, a linear one and a small network, each a softmax over the candidates. The head's probability is their
mixture; each is believed as far as its recent predictions were good (exponential weights on the log-loss, forgetting).
A third, linear, ranks fresh items among themselves: how they are found differs from how the rest is, and in one ranking
with the rest they never win a place.

Source:
    Herbster, Warmuth. Tracking the Best Expert. Machine Learning 32, 1998.

Example:
    Three candidates, the last of which the user had before. Ten times that one is chosen:

    >>> from stream_rec.ranking.features import INPUT_NAMES
    >>> items = np.zeros((3, INPUTS), dtype=np.float32)
    >>> items[2, INPUT_NAMES.index("own")] = 1.0
    >>> inputs = Inputs(items, context=np.zeros(CONTEXT, dtype=np.float32), history=1)
    >>> head = cold(HeadConfig(), seed=0)
    >>> np.exp(head.score(inputs).log_p).round(2).tolist()
    [0.33, 0.33, 0.33]
    >>> for _ in range(10):
    ...     head = head.learn(head.score(inputs), chosen=np.array([2]), weights=np.ones(1), config=HeadConfig())
    >>> np.exp(head.score(inputs).log_p).round(2).tolist()
    [0.2, 0.2, 0.61]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.kernel import kernel
from stream_rec.ranking import linear_head, network_head
from stream_rec.ranking.features import CONTEXT, HISTORY, INPUTS, Inputs
from stream_rec.ranking.fresh_choices import FreshChoices
from stream_rec.ranking.linear_head import LinearHead, Step
from stream_rec.ranking.network_head import NetworkHead
from stream_rec.ranking.policy import HeadConfig


@dataclass(frozen=True, slots=True)
class Scored:
    """What the head says of one list's candidates."""

    inputs: Inputs
    log_p: NDArray[np.float64]
    """(k,) the mixture's log-probability that an item is the one chosen."""
    linear: NDArray[np.floating]
    """(k,) the linear expert's, and ``network``: (k,) the network's."""
    network: NDArray[np.floating]
    hidden: NDArray[np.floating]
    """(k, h) the network's hidden layer, for learning."""


class Head(Protocol):
    """What ranking, learning and explaining need of a head. Arguments and results as of ``MixtureHead``."""

    @property
    def fresh_choices(self) -> FreshChoices: ...
    @property
    def n_choices(self) -> int: ...
    def score(self, inputs: Inputs) -> Scored: ...
    def score_fresh(self, inputs: Inputs) -> NDArray[np.floating]: ...
    def contributions(self, scored: Scored, indices: NDArray[np.int64]) -> NDArray[np.float32]: ...
    def learn(
        self, scored: Scored, chosen: NDArray[np.int64], weights: NDArray[np.float64], config: HeadConfig
    ) -> Self: ...
    def learn_fresh(self, inputs: Inputs, chosen: NDArray[np.int64], config: HeadConfig) -> Self: ...
    def count_fresh(self, counts: FreshChoices) -> Self: ...
    def decay(self, factor: float) -> Self: ...


class MixtureHead(Struct, frozen=True):
    """Our own head: a linear expert mixed with a network, and one for fresh items. Learning makes a new one."""

    linear: LinearHead
    network: NetworkHead
    fresh: LinearHead
    record: tuple[float, float] = (0.0, 0.0)
    """Log-likelihood of the choices under each expert, linear first, fading."""
    fresh_choices: FreshChoices = FreshChoices()
    """How often what was chosen was fresh."""
    n_choices: int = 0
    """Groups of choices learned from: an order of many lines is one."""

    def score(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities of all candidates. Changes nothing."""
        linear = log_softmax(linear_head.score(self.linear, inputs.items, inputs.history))
        hidden = network_head.compute_hidden(self.network, inputs.items, inputs.context)
        network = log_softmax(network_head.score(self.network, hidden))
        return Scored(inputs, _mix(linear, network, self.record[1] - self.record[0]), linear, network, hidden)

    def score_fresh(self, inputs: Inputs) -> NDArray[np.floating]:
        """Return (k,) log-probabilities among fresh items alone.

        Args:
            inputs: Of the fresh candidates, scaled together with all the others.
        """
        return log_softmax(linear_head.score(self.fresh, inputs.items, inputs.history))

    def contributions(self, scored: Scored, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what speaks for some candidates over the average one, (k, INPUTS), as the linear expert sees it."""
        items = scored.inputs.items
        return (items[indices] - average(items)) * linear_head.add_weights(self.linear, scored.inputs.history)

    def learn(
        self, scored: Scored, chosen: NDArray[np.int64], weights: NDArray[np.float64], config: HeadConfig
    ) -> MixtureHead:
        """Return the head after one group of choices.

        Args:
            chosen: (c,) indices of the candidates chosen, c at least 1; one may stand there twice.
            weights: (c,) how much each choice counts, above 0.
        """
        inputs = scored.inputs
        linear_errors, of_linear = _errors(scored.linear, chosen, weights)
        network_errors, of_network = _errors(scored.network, chosen, weights)
        forgetting = 1.0 + self.n_choices / config.forget_choices
        return msgspec.structs.replace(
            self,
            linear=linear_head.learn(
                self.linear,
                inputs.items,
                inputs.history,
                linear_errors,
                Step(config.rate, forgetting),
            ),
            network=network_head.learn(
                self.network,
                inputs.items,
                inputs.context,
                scored.hidden,
                network_errors,
                Step(config.network_rate, forgetting),
            ),
            record=(
                config.memory * self.record[0] + of_linear,
                config.memory * self.record[1] + of_network,
            ),
            n_choices=self.n_choices + 1,
        )

    def learn_fresh(self, inputs: Inputs, chosen: NDArray[np.int64], config: HeadConfig) -> MixtureHead:
        """Return the head after choices of fresh items, learned against the other fresh candidates.

        Args:
            inputs: As of ``score_fresh``.
            chosen: (c,) indices among them, c at least 1.
        """
        errors, _ = _errors(self.score_fresh(inputs), chosen, np.ones(len(chosen)))
        fresh = linear_head.learn(self.fresh, inputs.items, inputs.history, errors, Step(config.rate))
        return msgspec.structs.replace(self, fresh=fresh)

    def count_fresh(self, counts: FreshChoices) -> MixtureHead:
        """Return the head with other counts of fresh choices."""
        return msgspec.structs.replace(self, fresh_choices=counts)

    def decay(self, factor: float) -> MixtureHead:
        """Return the head that learns faster, for when choices have changed: see ``drift``.

        Args:
            factor: Above 0, at most 1: what the sums of squares and the experts' record are scaled by.
        """
        return msgspec.structs.replace(
            self,
            linear=linear_head.decay(self.linear, factor),
            network=network_head.decay(self.network, factor),
            fresh=linear_head.decay(self.fresh, factor),
            record=(factor * self.record[0], factor * self.record[1]),
        )


def cold(config: HeadConfig, seed: int) -> MixtureHead:
    """Return the head that has learned nothing."""
    n_histories = len(HISTORY) + 1
    return MixtureHead(
        linear=linear_head.cold(INPUTS, n_histories),
        network=network_head.cold(INPUTS, CONTEXT, config.hidden, seed),
        fresh=linear_head.cold(INPUTS, n_histories),
    )


def average(items: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the average candidate, (f,): as a product, which takes a third of the time of ``mean``."""
    ones: NDArray[np.float32] = np.ones(len(items), dtype=items.dtype)
    mean: NDArray[np.float32] = ones @ items / np.float32(len(items))
    return mean


@kernel()
def log_softmax(scores: NDArray[np.floating]) -> NDArray[Any]:
    """Return the log-probabilities of scores, (k,) of their type; finite for finite scores."""
    log_p = np.empty_like(scores)
    if len(scores) == 0:
        return log_p
    highest, total = scores.max(), 0.0
    for index in range(len(scores)):
        log_p[index] = scores[index] - highest
        total += np.exp(log_p[index])
    log_total = np.log(total)
    for index in range(len(scores)):
        log_p[index] -= log_total
    return log_p


@kernel()
def _mix(linear: NDArray[np.floating], network: NDArray[np.floating], gap: float) -> NDArray[np.float64]:
    """Return (k,) log-probabilities of the mixture of two, the network of which has odds of exp(gap) to 1."""
    log_p = np.empty(len(linear))
    log_linear, log_network = -_log_of_sum(0.0, gap), -_log_of_sum(0.0, -gap)
    for index in range(len(linear)):
        log_p[index] = _log_of_sum(linear[index] + log_linear, network[index] + log_network)
    return log_p


@kernel()
def _log_of_sum(one: float, other: float) -> float:
    """Return log(exp(one) + exp(other))."""
    log_sum: float = max(one, other) + np.log1p(np.exp(-abs(one - other)))
    return log_sum


@kernel(error_model="numpy")
def _errors(
    log_p: NDArray[np.floating], chosen: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float32], float]:
    """Return (k,) float32 target less probability, times a strength, and the mean log-probability of the target.

    A group of many is heard more than a single choice, but not as often as it has choices: sqrt of their weights.

    Args:
        log_p: (k,) the head's.
        chosen: (c,) indices, and ``weights``: (c,) how much each counts, above 0.
    """
    total = weights.sum()
    strength = np.sqrt(total)
    errors = np.empty(len(log_p), dtype=np.float32)
    for index in range(len(log_p)):
        errors[index] = -strength * np.exp(log_p[index])
    likelihood = 0.0
    for k in range(len(chosen)):
        share = weights[k] / total
        errors[chosen[k]] += strength * share
        likelihood += share * log_p[chosen[k]]
    return errors, likelihood
