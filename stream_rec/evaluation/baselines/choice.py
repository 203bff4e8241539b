"""A baseline's few settings, chosen on the warm-up and on nothing later.

The warm-up's groups are kept as they come. With its last one, the method is tried with some settings: each trial
learns the first half of the warm-up, and on the second half makes lists as the protocol does, before a group is
learned. The setting with the highest ndcg@20 is kept, learns the whole warm-up anew, and takes what comes. Settings
are tried one after the other, each with the best found before it, so that trials add up and do not multiply.

What it costs is bounded: a trial makes at most JUDGED lists, evenly spread, and a batch model is trained twice in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation import metrics
from stream_rec.evaluation.method import Group, Method, World

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CUTOFF = 20
"""Length of the lists by which settings are judged, as of those that are scored later."""
JUDGED = 3000
"""Most lists of a trial."""

Settings = TypeVar("Settings", bound="DataclassInstance")
"""A frozen dataclass."""


@dataclass(frozen=True, slots=True)
class Family(Generic[Settings]):
    """A method with settings, and which of them are tried."""

    make: Callable[[World, int, Settings], Method]
    """From the world, a seed and settings to a method that has learned nothing yet."""
    default: Settings
    """In use without a warm-up, and where nothing tried is better."""
    options: Mapping[str, Sequence[Any]]
    """By field of the settings, in the order in which they are chosen."""
    before: Mapping[str, tuple[Family[Any], str]] = field(default_factory=dict)
    """Fields that are chosen first, by a simpler family alone: that family, and its field."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[Settings]):
    """What was chosen, and how."""

    settings: Settings
    ndcg: float | None
    """Of the best trial; None where there was none."""
    n_trials: int

    def describe(self) -> dict[str, Any]:
        """Return it as plain data, for the report."""
        return {"settings": asdict(self.settings), "warm_up_ndcg": self.ndcg, "n_trials": self.n_trials}


def choose(family: Family[Settings], world: World, groups: Sequence[Group], seed: int) -> Choice[Settings]:
    """Return the settings that did best on the second half of ``groups``."""
    n_first = len(groups) // 2
    best = family.default
    if n_first == 0:
        return Choice(best, None, 0)
    for name, (simpler, its) in family.before.items():
        best = replace(best, **{name: getattr(choose(simpler, world, groups, seed).settings, its)})
    judged = set(np.linspace(n_first, len(groups) - 1, JUDGED).round().astype(int).tolist())
    n_later = sum(len(group.items) for group in groups[n_first:])
    of_trial = replace(world, n_warm_groups=n_first, n_events_between_trainings=n_later // 2 + 1)
    highest, n_trials = _ndcg(family.make(of_trial, seed, best), groups, judged), 1
    for name, options in family.options.items():
        for option in options:
            settings = replace(best, **{name: option})
            if settings == best:
                continue
            ndcg = _ndcg(family.make(of_trial, seed, settings), groups, judged)
            n_trials += 1
            if ndcg > highest:
                best, highest = settings, ndcg
    return Choice(best, highest, n_trials)


def _ndcg(method: Method, groups: Sequence[Group], judged: set[int]) -> float:
    """Return the mean of the events of the judged groups, each listed before it is learned."""
    gain, n_events = 0.0, 0
    for number, group in enumerate(groups):
        if number in judged:
            ranks = find_ranks(method.recommend(group.user, group.now_ms, CUTOFF), group.items)
            gain += float(metrics.ndcg(ranks, CUTOFF).sum())
            n_events += len(ranks)
        method.learn(group)
    return gain / n_events


class Choosing(Generic[Settings]):
    """A method of a family with the settings that its warm-up chose; until that is over, with the default ones."""

    def __init__(self, world: World, seed: int, family: Family[Settings]) -> None:
        self.choice: Choice[Settings] = Choice(family.default, None, 0)
        self._family, self._world, self._seed = family, world, seed
        self._method = family.make(world, seed, family.default)
        self._n_left = world.n_warm_groups
        self._warm_up: list[Group] = []

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the method's list."""
        return self._method.recommend(user, now_ms, n)

    def learn(self, group: Group) -> None:
        """Teach the method; with the last group of the warm-up choose, and teach the method that was chosen."""
        self._method.learn(group)
        if self._n_left > 0:
            self._n_left -= 1
            self._warm_up.append(replace(group, events=[]))  # no baseline looks at more than the arrays
            if self._n_left == 0:
                self._choose()

    def _choose(self) -> None:
        groups, self._warm_up = self._warm_up, []
        self.choice = choose(self._family, self._world, groups, self._seed)
        if self.choice.settings == self._family.default:
            return
        self._method = self._family.make(self._world, self._seed, self.choice.settings)
        for group in groups:
            self._method.learn(group)


def find_ranks(shown: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank from 1 of each of ``items`` on the list ``shown``, 0 where it is not there, (e,)."""
    ranks: NDArray[np.int64] = ((shown == items[:, np.newaxis]) * np.arange(1, len(shown) + 1)).sum(axis=1)
    return ranks


def describe_settings(settings: Mapping[str, Any]) -> str:
    """Return settings in one line."""
    return ", ".join(f"{name} {_word(value)}" for name, value in settings.items())


def _word(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
