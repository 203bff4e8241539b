"""What is seen of the engine while it is judged: where its candidates came from, and its lists at other diversities.

What is shown teaches the engine nothing, so lists that were never shown can be judged in the same run: every setting
of diversity gets the same users at the same time, and the same head.
"""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import find_sorted
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.examples import ExampleTaker
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.method import Group
from stream_rec.evaluation.reliability import ProbabilityWatch
from stream_rec.retrieval.candidates import Candidates

DIVERSITIES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Settings that lists are made at, besides the one in use."""


class Observation(NamedTuple):
    """What an ``EngineObserver`` found."""

    sources: NDArray[np.uint16]
    """(scored events,) bits of the sources that proposed the event's item; 0 where it was no candidate."""
    n_candidates: NDArray[np.int32]
    """(scored groups,)."""
    diversities: NDArray[np.float64]
    """(m,) ascending, the first is 0; none where only candidates were looked at."""
    lists: NDArray[np.int32]
    """(m, sampled groups, n) item numbers at each diversity, best first, filled up with -1."""
    examples: NDArray[np.uint8] = np.zeros(0, np.uint8)
    """Bytes, as ``ExampleTaker.collect`` gives them; none where no examples were asked for."""
    ratings: NDArray[np.float64] = np.zeros(0)
    """(scored events,) how each item would be rated, NaN where that was not said; none without a scale."""
    aucs: NDArray[np.float32] = np.zeros(0, np.float32)
    """(scored events,) as ``measure_auc`` gives them."""
    briers: NDArray[np.float32] = np.zeros(0, np.float32)
    """(scored events,) as ``ProbabilityWatch.briers`` gives them."""
    bins: NDArray[np.float64] = np.zeros((0, 3))
    """(bins, 3) as of ``ProbabilityWatch``."""


class EngineObserver:
    """Looks at the candidates of every list, and makes the lists of ``Schedule.sample`` again at each diversity."""

    def __init__(
        self, engine: Engine, experiment: Experiment, *, diversity: float | None, takes_examples: bool = False
    ) -> None:
        """Take the diversity in use; with None no list is made again.

        Args:
            takes_examples: Whether a few users are looked at from near.
        """
        self._engine = engine
        self._examples = ExampleTaker(experiment, engine) if takes_examples else None
        sample = [] if diversity is None else experiment.plan.sample().tolist()
        self._index_of = {group: index for index, group in enumerate(sample)}
        self._diversities = [] if diversity is None else sorted({*DIVERSITIES, diversity})
        self._sources, self._n_candidates, self._ratings = array("H"), array("i"), array("d")
        self._watch = ProbabilityWatch()
        self._lists = np.full((len(self._diversities), len(self._index_of), experiment.settings.n), -1, np.int32)

    def observe(self, group: Group) -> None:
        """Look up where the group's items came from, and make its other lists if it is in the sample."""
        candidates = self._engine.candidates()
        index = self._index_of.get(len(self._n_candidates))
        self._n_candidates.append(len(candidates))
        self._sources.extend(_find_sources(group.items, candidates).tolist())
        if self._engine.predicts_ratings:
            self._ratings.extend(self._engine.predict_ratings(group.items).tolist())
        self._watch.watch(group.items, candidates.rows, self._engine.probabilities(), self._engine.last_rows())
        if self._examples:
            self._examples.observe(group)
        if index is None:
            return
        for lists, diversity in zip(self._lists, self._diversities):
            made = self._engine.recommend_again(diversity, lists.shape[1])
            lists[index, : len(made)] = made

    def observe_learned(self, group: Group) -> None:
        """Make the list after an example."""
        if self._examples:
            self._examples.observe_learned(group)

    def collect(self) -> dict[str, NDArray[Any]]:
        """Return the fields of an ``Observation``."""
        sources, n_candidates = np.array(self._sources), np.array(self._n_candidates)
        examples = self._examples.collect() if self._examples else np.zeros(0, np.uint8)
        ratings = np.array(self._ratings)
        watched = self._watch.aucs(), self._watch.briers(), self._watch.bins
        return Observation(
            sources, n_candidates, np.array(self._diversities), self._lists, examples, ratings, *watched
        )._asdict()


def _find_sources(items: NDArray[np.int64], candidates: Candidates) -> NDArray[np.integer]:
    """Return the bits of each item's sources; candidates are listed items, whose rows are their numbers."""
    if not len(candidates):
        return np.zeros(len(items), np.int64)
    places, is_candidate = find_sorted(candidates.rows, items)
    return np.where(is_candidate, candidates.sources[places], 0)
