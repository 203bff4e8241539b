"""A mixture of experts: a linear one and networks, each a softmax over the candidates, each learning from every choice.

    p = sum of w_e p_e        w_e ~ exp(TRUST * record_e)        record = what it gave to what was chosen, in log, fading

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


@dataclass(frozen=True, slots=True)
class Scored:
    """What a mixture says of one list's candidates."""

    inputs: Inputs
    log_p: NDArray[np.float64]
    """(k,) log-probability that an item is the one chosen."""
    experts: NDArray[np.float32]
    """(experts, k) those of each expert, the linear one first."""
    hidden: tuple[NDArray[np.float32], ...]
    """(k, h) the hidden layer of each network, for learning."""


class Rates(Struct, frozen=True):
    """How far one group of choices may move the experts, and how long their record is kept."""

    linear: Step
    network: Step
    memory: float
    """How much of the record is kept from one group to the next."""


class Mixture(Struct, frozen=True):
    """The experts, and how good they were. Learning makes a new one."""

    linear: LinearHead
    networks: tuple[NetworkHead, ...]
    record: tuple[float, ...]
    """Log-likelihood of the choices under each expert, the linear one first, fading."""

    def score(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities of all candidates. Changes nothing."""
        hidden = tuple(network_head.compute_hidden(one, inputs.items, inputs.context) for one in self.networks)
        scores = [linear_head.score(self.linear, inputs.items, inputs.history)]
        scores += [network_head.score(one, layer) for one, layer in zip(self.networks, hidden)]
        experts = np.stack([log_softmax(each) for each in scores])
        return Scored(inputs, _mix(experts, np.array(self.record)), experts, hidden)

    def learn(self, scored: Scored, chosen: NDArray[np.int64], weights: NDArray[np.float64], rates: Rates) -> Mixture:
        """Return the mixture after one group of choices.

        Args:
            chosen: (c,) indices of the candidates chosen, c at least 1; one may stand there twice.
            weights: (c,) how much each choice counts, above 0.
        """
        inputs = scored.inputs
        errors, likelihoods = zip(*(_errors(log_p, chosen, weights) for log_p in scored.experts))
        linear = linear_head.learn(self.linear, inputs.items, inputs.history, errors[0], rates.linear)
        networks = tuple(
            network_head.learn(network, inputs.items, inputs.context, layer, error, rates.network)
            for network, layer, error in zip(self.networks, scored.hidden, errors[1:])
        )
        record = tuple(rates.memory * before + more for before, more in zip(self.record, likelihoods))
        return Mixture(linear, networks, record)

    def fade(self, memory: float) -> Mixture:
        """Return the mixture whose experts' record counts less, as after choices that it did not learn from."""
        return replace(self, record=tuple(memory * each for each in self.record))

    def decay(self, factor: float) -> Mixture:
        """Return the mixture that learns faster: what the sums of squares and the record are scaled by."""
        return replace(
            self,
            linear=linear_head.decay(self.linear, factor),
            networks=tuple(network_head.decay(one, factor) for one in self.networks),
            record=tuple(factor * each for each in self.record),
        )


def cold(n_hidden: int, seeds: range) -> Mixture:
    """Return the mixture that has learned nothing.

    Args:
        n_hidden: Units of each network.
        seeds: One of each network.
    """
    networks = tuple(network_head.cold(INPUTS, CONTEXT, n_hidden, seed) for seed in seeds)
    return Mixture(linear_head.cold(INPUTS, len(HISTORY) + 1), networks, (0.0,) * (1 + len(networks)))


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
def _mix(experts: NDArray[np.float32], record: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (k,) log-probabilities of the mixture of experts, (e, k), with these records, (e,)."""
    trust = TRUST * (record - record.max())
    trust -= np.log(np.exp(trust).sum())
    log_p = np.empty(experts.shape[1])
    for index in range(len(log_p)):
        log_p[index] = experts[0, index] + trust[0]
        for expert in range(1, len(record)):
            log_p[index] = _log_of_sum(log_p[index], experts[expert, index] + trust[expert])
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
        log_p: (k,) the expert's.
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
