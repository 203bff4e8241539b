"""A mixture of experts: a linear one and networks, each a softmax over the candidates, each learning from every choice.

    p = sum of w_e p_e      w_e ~ exp(TRUST * record_e)      record = log-likelihood of what was chosen, fading

Each expert is believed as far as its predictions of late were good. With ``TRUST`` below 1 experts that are nearly as
good are averaged, which is better than the best of them.

Source:
    Herbster, Warmuth. Tracking the Best Expert. Machine Learning 32, 1998.
    Cesa-Bianchi, Lugosi. Prediction, Learning, and Games. 2006 (exponential weights and their learning rate).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.kernel import kernel
from stream_rec.ranking import linear_head, network_head
from stream_rec.ranking.features import CONTEXT, HISTORY, INPUTS, Inputs
from stream_rec.ranking.linear_head import LinearHead, Step
from stream_rec.ranking.network_head import NetworkHead

TRUST = 0.1
"""How much of a lead in nats counts. All of it, and soon only one expert is heard."""
LEAST = 1e-30
"""Below it an expert's float32 may have lost what its logarithm still says."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a mixture says of one list's candidates."""

    inputs: Inputs
    log_p: NDArray[np.float64]
    """(k,) log-probability that an item is the one chosen."""
    experts: NDArray[np.float32]
    """(experts, k) those of each expert, the linear one first."""
    hidden: NDArray[np.float32]
    """(k, networks * h) the networks' hidden layers, for learning."""


class Rates(Struct, frozen=True):
    """How far one group of choices may move the experts, and how long their record is kept."""

    linear: Step
    network: Step
    memory: float
    """How much of the record is kept from one group to the next."""


class Mixture(Struct, frozen=True):
    """The experts, and how good they were. Learning makes a new one."""

    linear: LinearHead
    networks: NetworkHead
    record: tuple[float, ...]
    """Log-likelihood of the choices under each expert, the linear one first, fading."""

    def score(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities of all candidates. Changes nothing."""
        linear = linear_head.score(self.linear, inputs.items, inputs.history)
        networks, hidden = network_head.score(self.networks, inputs.items, inputs.context)
        experts, log_p = _mix(np.concatenate([linear[None, :], networks]), np.array(self.record))
        return Scored(inputs, log_p, experts, hidden)

    def learn(self, scored: Scored, chosen: NDArray[np.int64], weights: NDArray[np.float64], rates: Rates) -> Mixture:
        """Return the mixture after one group of choices.

        Args:
            chosen: (c,) indices of the candidates chosen, c at least 1; one may stand there twice.
            weights: (c,) how much each choice counts, above 0.
        """
        inputs = scored.inputs
        errors, likelihoods = _errors(scored.experts, chosen, weights)
        linear = linear_head.learn(self.linear, inputs.items, inputs.history, errors[0], rates.linear)
        networks = network_head.learn(
            self.networks, inputs.items, inputs.context, scored.hidden, errors[1:], rates.network
        )
        record = tuple(rates.memory * before + more for before, more in zip(self.record, likelihoods.tolist()))
        return Mixture(linear, networks, record)

    def fade(self, memory: float) -> Mixture:
        """Return the mixture whose experts' record counts less, as after choices that it did not learn from."""
        return replace(self, record=tuple(memory * each for each in self.record))

    def decay(self, factor: float) -> Mixture:
        """Return the mixture that learns faster: what the sums of squares and the record are scaled by."""
        return replace(
            self,
            linear=linear_head.decay(self.linear, factor),
            networks=network_head.decay(self.networks, factor),
            record=tuple(factor * each for each in self.record),
        )


def linear_gradient(scored: Scored, chosen: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return how the linear expert's weights would make choices likelier, (f,); arguments as of ``Mixture.learn``."""
    errors, _ = _errors(scored.experts[:1], chosen, weights)
    gradient: NDArray[np.float32] = errors[0] @ scored.inputs.items
    return gradient


def cold(n_hidden: int, seeds: range) -> Mixture:
    """Return the mixture that has learned nothing.

    Args:
        n_hidden: Units of each network.
        seeds: One of each network.
    """
    networks = network_head.cold(INPUTS, CONTEXT, n_hidden, seeds)
    return Mixture(linear_head.cold(INPUTS, len(HISTORY) + 1), networks, (0.0,) * (1 + len(seeds)))


@kernel()
def log_softmax(scores: NDArray[np.floating]) -> NDArray[Any]:
    """Return the log-probabilities of scores, (k,) of their type; finite for finite scores."""
    return _softmax(scores)[0]


@kernel()
def _softmax(scores: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return log-probabilities as of ``log_softmax``, what the probabilities are in proportion to, and its sum."""
    log_p, exponentials, total = np.empty_like(scores), np.empty_like(scores), 0.0
    if len(scores) == 0:
        return log_p, exponentials, total
    highest = scores.max()
    for index in range(len(scores)):
        log_p[index] = scores[index] - highest
        exponentials[index] = np.exp(log_p[index])
        total += exponentials[index]
    log_total = np.log(total)
    for index in range(len(scores)):
        log_p[index] -= log_total
    return log_p, exponentials, total


@kernel()
def _log_of_sum(one: float, other: float) -> float:
    """Return log(exp(one) + exp(other))."""
    log_sum: float = max(one, other) + np.log1p(np.exp(-abs(one - other)))
    return log_sum


@kernel(error_model="numpy")
def _mix(scores: NDArray[np.float32], record: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return (e, k) log-probabilities of each expert, and (k,) of their mixture.

    Args:
        scores: (e, k) of each expert.
        record: (e,)
    """
    best = -np.inf
    for expert in range(len(record)):
        best = max(best, record[expert])
    trust, all_trust = np.empty(len(record)), 0.0
    for expert in range(len(record)):
        trust[expert] = TRUST * (record[expert] - best)
        all_trust += np.exp(trust[expert])
    log_all = np.log(all_trust)
    experts, p = np.empty_like(scores), np.zeros(scores.shape[1])
    for expert in range(len(scores)):
        trust[expert] -= log_all
        of_expert, exponentials, total = _softmax(scores[expert])
        share = np.exp(trust[expert]) / total
        for index in range(len(p)):
            experts[expert, index] = of_expert[index]
            p[index] += share * exponentials[index]
    log_p = np.empty_like(p)
    for index in range(len(p)):
        if p[index] > LEAST:
            log_p[index] = np.log(p[index])
        else:
            log_p[index] = trust[0] + experts[0, index]
            for expert in range(1, len(experts)):
                log_p[index] = _log_of_sum(log_p[index], trust[expert] + experts[expert, index])
    return experts, log_p


@kernel(error_model="numpy")
def _errors(
    experts: NDArray[np.float32], chosen: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what each expert's scores should rise by, and how likely it found the target.

    A group of many is heard more than a single choice, but not as often as it has choices: sqrt of their weights.

    Args:
        experts: (e, k) log-probabilities of each.
        chosen: (c,) indices, and ``weights``: (c,) how much each counts, above 0.

    Returns:
        (e, k) target less probability, times a strength, and (e,) mean log-probability of the target.
    """
    total = weights.sum()
    strength = np.sqrt(total)
    errors, likelihoods = np.empty_like(experts), np.zeros(len(experts))
    for expert in range(len(experts)):
        for index in range(experts.shape[1]):
            errors[expert, index] = -strength * np.exp(experts[expert, index])
        for each in range(len(chosen)):
            share = weights[each] / total
            errors[expert, chosen[each]] += strength * share
            likelihoods[expert] += share * experts[expert, chosen[each]]
    return errors, likelihoods
