"""The search itself: which settings are tried next, by Optuna, and what became of those that were, in a file.

The file is a journal, to which every trial is added as it begins and ends; what is begun and not ended when a search
goes on again is forgotten. With one trial at a time the same seed tries the same settings, in one go or in several.

Source:
    Bergstra, Bardenet, Bengio, Kégl. Algorithms for Hyper-Parameter Optimization. NIPS 2011 (TPE).
    Akiba et al. Optuna: A Next-generation Hyperparameter Optimization Framework. KDD 2019.
    Watanabe et al. PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces. IJCAI 2023.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from stream_rec.extras import needs_extra
from stream_rec.tuning.space import Range, Space, includes

STUDY = "stream-rec"
STARTUP = 10
"""Trials whose settings are drawn at random, before those that were good guide the search."""
LEAST_FOR_IMPORTANCE = 8
"""Trials below which nothing is said of which setting mattered."""
STEPS = 1 << 32


class Tried(Struct, frozen=True):
    """One trial that came to an end."""

    number: int
    """0 for the settings that were there before."""
    settings: dict[str, Any]
    """By ``section.key``."""
    value: float | None
    """Mean over logs of NDCG as a share of that of the settings that were there before; None where it failed."""
    ndcg: dict[str, float]
    """By log."""
    error: str | None = None


class Search:
    """A search, and all that is known of it. One process may have it at a time."""

    def __init__(self, file: Path, space: Space, *, seed: int) -> None:
        """Begin, or go on where the file ends.

        Raises:
            SettingsError: Optuna is not installed.
        """
        with needs_extra("tune"):
            import optuna
            from optuna.storages.journal import JournalFileBackend
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna, self._seed = optuna, seed
        self._distributions = {name: self._distribute(one) for name, one in space.items()}
        self._space = space
        self._asked: dict[int, Any] = {}
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(file)))
        self._study = optuna.create_study(storage=storage, study_name=STUDY, direction="maximize", load_if_exists=True)
        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    @property
    def before(self) -> Mapping[str, float]:
        """NDCG of the settings that were there before, by log; empty before it is put."""
        ndcg: Mapping[str, float] = self._study.user_attrs.get("before", {})
        return ndcg

    def put_before(self, settings: Mapping[str, Any], ndcg: Mapping[str, float]) -> None:
        """Take how good the settings were that were there before: what all others are measured by.

        Args:
            settings: By ``section.key``, all that the space names.
        """
        self._study.set_user_attr("before", dict(ndcg))
        self._study.set_user_attr("settings_before", dict(settings))
        if includes(self._space, settings):  # what is known of them guides the search too
            trial = self._optuna.trial.create_trial(
                params=dict(settings),
                distributions=self._distributions,
                value=1.0,
                user_attrs={"is_before": True},
            )
            self._study.add_trial(trial)

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Return a number for ``tell``, and the settings to be tried next."""
        known = self._study.get_trials(deepcopy=False)
        n_asked = sum(self._is_counted(trial) for trial in known)
        n_running = sum(trial.state == self._optuna.trial.TrialState.RUNNING for trial in known)
        self._study.sampler = self._optuna.samplers.TPESampler(
            seed=(self._seed * 1_000_003 + n_asked + n_running) % STEPS,
            n_startup_trials=STARTUP,
            # of settings that are being tried beside these, nothing good is expected: else all would try the same
            constant_liar=n_running > 0,
        )
        trial = self._study.ask(self._distributions)
        self._asked[trial.number] = trial
        return trial.number, {name: trial.params[name] for name in self._distributions}

    def tell(self, number: int, value: float, ndcg: Mapping[str, float]) -> None:
        """Take what became of a trial.

        Args:
            number: As ``ask`` gave it.
            value, ndcg: As of ``Tried``.
        """
        trial = self._asked.pop(number)
        trial.set_user_attr("ndcg", dict(ndcg))
        self._study.tell(trial, value)

    def tell_failed(self, number: int, error: str) -> None:
        """Take that settings cannot be used, and why."""
        trial = self._asked.pop(number)
        trial.set_user_attr("error", error)
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def tried(self) -> list[Tried]:
        """Return the trials that came to an end, in the order in which they began; first what was there before."""
        found = []
        if self.before:
            found.append(Tried(0, self._study.user_attrs["settings_before"], 1.0, dict(self.before)))
        for trial in self._study.get_trials(deepcopy=False):
            if self._is_counted(trial):
                settings = {name: trial.params[name] for name in self._distributions}
                ndcg, error = (trial.user_attrs.get(key) for key in ("ndcg", "error"))
                found.append(Tried(len(found), settings, trial.value, ndcg or {}, error))
        return found

    def importances(self) -> dict[str, float]:
        """Return how much of what tells good trials from others lies in each setting, the most first; none of few."""
        values = [one.value for one in self.tried() if one.value is not None]
        if len(values) < LEAST_FOR_IMPORTANCE or len(set(values)) < 2 or len(self._distributions) < 2:
            return {}
        evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items() if math.isfinite(share)}

    def _is_counted(self, trial: Any) -> bool:
        """Return whether a trial came to an end of its own, and is not what was there before."""
        states = self._optuna.trial.TrialState
        has_ended = trial.state == states.COMPLETE or (trial.state == states.FAIL and "error" in trial.user_attrs)
        return has_ended and not trial.user_attrs.get("is_before")

    def _distribute(self, one: Any) -> Any:
        kinds = self._optuna.distributions
        if not isinstance(one, Range):
            return kinds.CategoricalDistribution(one.values)
        if isinstance(one.low, int) and isinstance(one.high, int):
            return kinds.IntDistribution(one.low, one.high, log=one.log, step=one.step or 1)
        return kinds.FloatDistribution(one.low, one.high, log=one.log, step=one.step)


def choose_best(tried: list[Tried]) -> Tried:
    """Return the trial with the highest value, the first of equal ones."""
    return max((one for one in tried if one.value is not None), key=lambda one: (one.value, -one.number))
