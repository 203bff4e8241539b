"""The River head: any classifier of River in place of our own head, to try it on the same stream.

The classifier learns one example for each chosen item (True) and some for candidates that were not chosen (False),
drawn with a seed: the same stream gives the same head. The odds it gives rank; normalized over the candidates they are
the probabilities. Candidates not chosen are only sampled, which changes all odds by the same factor, so that the
normalized ones are right.

River's models learn in place. So, unlike ``MixtureHead``, the head before ``learn`` shares its model with the head
after; learning must follow the scoring it belongs to; nothing can be merged between workers, or stored. For replay and
experiments. River forgets in its own ways, so ``decay`` changes nothing.

Source:
    Montiel et al. River: machine learning for streaming data in Python. JMLR 22, 2021.
    King, Zeng. Logistic regression in rare events data. Political Analysis 9, 2001 (what sampling does to the odds).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.errors import SettingsError
from stream_rec.ranking import action_weights, asked, contexts, interests, shown
from stream_rec.ranking import head as heads
from stream_rec.ranking.action_weights import ActionWeights
from stream_rec.ranking.features import CONTEXT, INPUT_NAMES, Inputs
from stream_rec.ranking.fresh_choices import FreshChoices
from stream_rec.ranking.head import Head, average
from stream_rec.ranking.linear_head import LinearHead
from stream_rec.ranking.mixture import Scored, log_softmax
from stream_rec.ranking.policy import HeadConfig

LEAST_PROBABILITY = 1e-6
"""Trees say 0 and 1; odds must stay finite."""
NAMES = (*INPUT_NAMES, *(f"user_{number}" for number in range(CONTEXT)))
"""What the classifier's examples are made of."""


class Classifier(Protocol):
    """What is needed of River's ``base.Classifier``."""

    def learn_one(self, x: dict[str, float], y: bool) -> Any: ...
    def predict_proba_one(self, x: dict[str, float]) -> dict[bool, float]: ...


class RiverHead(Struct, frozen=True, eq=False):
    """Two classifiers, the second for fresh items among themselves, with the methods of ``Head``."""

    model: Classifier
    fresh: Classifier
    seed: int
    fresh_choices: FreshChoices = FreshChoices()
    n_choices: int = 0
    of_asked: LinearHead = asked.COLD
    of_shown: LinearHead = shown.COLD
    n_outcomes: int = 0
    of_context: LinearHead = contexts.COLD
    of_interests: LinearHead = interests.COLD
    of_actions: ActionWeights = action_weights.NONE

    def score(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities of all candidates. Changes nothing."""
        return _score(self.model, inputs)

    def score_fresh(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities among fresh items alone."""
        return _score(self.fresh, inputs)

    def contributions(self, scored: Scored, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return each input over the average candidate's, (k, INPUTS): a classifier does not say what it weighs."""
        items = scored.inputs.items
        over: NDArray[np.float32] = items[indices] - average(items)
        return over

    def learn(
        self,
        scored: Scored,
        chosen: NDArray[np.int64],
        weights: NDArray[np.float64],
        config: HeadConfig,
        actions: Mapping[str, float] = {},
    ) -> RiverHead:
        """Return the head after one group of choices; this one has learned it too.

        Args:
            chosen: (c,) indices of the candidates chosen, c at least 1.
            weights: Not used, nor ``actions``: an example counts once.
        """
        self._learn(self.model, scored.inputs, chosen, config)
        return msgspec.structs.replace(self, n_choices=self.n_choices + 1)

    def learn_fresh(self, scored: Scored, chosen: NDArray[np.int64], config: HeadConfig) -> RiverHead:
        """Return the head after choices of fresh items; this one has learned them too."""
        self._learn(self.fresh, scored.inputs, chosen, config)
        return self

    def count_fresh(self, counts: FreshChoices) -> RiverHead:
        """Return the head with other counts of fresh choices."""
        return msgspec.structs.replace(self, fresh_choices=counts)

    def put_asked(self, of_asked: LinearHead) -> RiverHead:
        """Return the head with another expert for what was asked, which is our own."""
        return msgspec.structs.replace(self, of_asked=of_asked)

    def put_shown(self, of_shown: LinearHead) -> RiverHead:
        """Return the head with the expert for what was shown, which is our own, after one more impression."""
        return msgspec.structs.replace(self, of_shown=of_shown, n_outcomes=self.n_outcomes + 1)

    def put_context(self, of_context: LinearHead) -> RiverHead:
        """Return the head with another expert for contexts, which is our own."""
        return msgspec.structs.replace(self, of_context=of_context)

    def put_interests(self, of_interests: LinearHead) -> RiverHead:
        """Return the head with another expert for interests, which is our own."""
        return msgspec.structs.replace(self, of_interests=of_interests)

    def decay(self, factor: float) -> RiverHead:
        """Return this head: how River's models forget is theirs."""
        return self

    def _learn(self, model: Classifier, inputs: Inputs, chosen: NDArray[np.int64], config: HeadConfig) -> None:
        others = np.setdiff1d(np.arange(len(inputs.items)), chosen)
        rng = np.random.default_rng([self.seed, self.n_choices])
        negatives = rng.choice(others, min(config.river_negatives, len(others)), replace=False)
        indices = np.concatenate([chosen, negatives]).astype(np.int64)
        is_chosen = np.arange(len(indices)) < len(chosen)
        order = rng.permutation(len(indices))
        for x, y in zip(_examples(inputs, indices[order]), is_chosen[order].tolist()):
            model.learn_one(x, y)


def cold(config: HeadConfig, seed: int) -> Head:
    """Return the head that the settings ask for, our own or River's, that has learned nothing.

    Raises:
        SettingsError: ``config.river`` names nothing that can be imported, or no classifier.
    """
    if not config.river:
        return heads.cold(config, seed)
    return RiverHead(_classifier(config.river), _classifier(config.river), seed)


def _classifier(name: str) -> Classifier:
    module, _, factory = name.partition(":")
    where = f"[head] river = {name!r}"
    try:
        made: Classifier = getattr(importlib.import_module(module), factory)()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        is_theirs = missing == module.partition(".")[0] != "river"
        remedy = "put it on PYTHONPATH" if is_theirs else f"pip install {missing}"
        raise SettingsError(f"{where}: there is no module {error.name!r} here: {remedy}") from error
    except (AttributeError, ValueError, TypeError) as error:
        raise SettingsError(f"{where}: expected module:factory, callable without arguments: {error}") from error
    if not (callable(getattr(made, "learn_one", None)) and callable(getattr(made, "predict_proba_one", None))):
        raise SettingsError(f"{where}: gives a {type(made).__name__}, no classifier with predict_proba_one")
    return made


def _examples(inputs: Inputs, indices: NDArray[np.int64]) -> list[dict[str, float]]:
    context = inputs.context.tolist()
    return [dict(zip(NAMES, item + context)) for item in inputs.items[indices].tolist()]


def _score(model: Classifier, inputs: Inputs) -> Scored:
    """Return the log-probabilities; all equal where the model has no opinion yet."""
    examples = _examples(inputs, np.arange(len(inputs.items)))
    probabilities = np.array([_probability(model.predict_proba_one(x)) for x in examples])
    probabilities = probabilities.clip(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    log_p = log_softmax(np.log(probabilities) - np.log1p(-probabilities))
    return Scored(inputs, log_p, log_p[None, :].astype(np.float32), np.zeros((len(log_p), 0), np.float32))


def _probability(of_label: dict[bool, float]) -> float:
    return of_label.get(True, 0.0) if of_label else 0.5  # a tree that has seen only False does not name True
