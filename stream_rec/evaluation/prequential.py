"""Prequential evaluation: a list is made, what the user did is looked up in it, and only then learned from.

For every group of events after the warm-up (``schedule.py``) a list is made of what was known before the group, each of
its events is scored against that list, and then the group teaches. What users searched for is known before the list
for the next group is made; it is not scored. Nor is what they were shown: that is known too, but for what the list
stands in place of (``held_back.py``). Known is also the context of the request (country, device, ...), which is taken
from the first event of the group.

Source:
    Dawid. Present position and potential developments: the prequential approach. JRSS A 147, 1984.
    Vinagre, Jorge, Gama. Evaluation of recommender systems in streaming environments. 2014.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.experiment import EvaluationSettings, Experiment
from stream_rec.evaluation.method import Group, Method, TakesContexts, TakesImpressions, TakesSearches
from stream_rec.evaluation.schedule import read_groups
from stream_rec.evaluation.unscored import AnyUnscored
from stream_rec.events.search import Search
from stream_rec.events.source import Source

Clock = Callable[[], int]
"""Nanoseconds from some moment on: ``time.perf_counter_ns``, which only the command line may read."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one method did: arrays by scored event or scored group."""

    ranks: NDArray[np.uint16]
    """(scored events,): rank of the item in the list, counted from 1; 0 where it is not in it."""
    list_ns: NDArray[np.int64]
    """(scored groups,): how long each list took."""
    learn_ns: NDArray[np.int64]
    """(scored groups,): how long each group took to be learned, and what is not scored before it to be taken."""
    warm_up_ns: NDArray[np.int64]
    """(warm groups,): the same. With the last a baseline chooses its settings."""


def judge(
    method: Method,
    experiment: Experiment,
    *,
    clock: Clock,
    lists: BinaryIO,
    observe: Callable[[Group], None] = lambda group: None,
    observe_learned: Callable[[Group], None] = lambda group: None,
    on_progress: Callable[[int], None] = lambda n_events: None,
) -> Trial:
    """Run a method over a log.

    Args:
        lists: Takes a row of ``n`` int32 item numbers for each scored group, filled up with -1.
        observe: Called between scoring a group and learning it, in nobody's time.
        observe_learned: Called once a scored group is learned, in nobody's time.
        on_progress: Called with how many events are learned.

    Raises:
        ValueError: a list is not one: too long, the same item twice, or an item that is not listed.
    """
    plan, is_listed, n = experiment.plan, experiment.world.is_listed, experiment.settings.n
    ranks, list_ns, learn_ns, warm_up_ns = array("H"), array("q"), array("q"), array("q")
    tell = _Telling(method, experiment.settings)
    requested = method if isinstance(method, TakesContexts) else None
    n_events = 0
    for number, group in enumerate(read_groups(experiment.log, plan, unscored=tell.sources)):
        is_scored = number >= plan.n_warm_groups
        told_ns = 0
        if group.before:
            began = clock()
            tell(group.before)
            told_ns = clock() - began
        if is_scored:
            began = clock()
            if requested:
                requested.take_context(group.events[0].event.context)
            made = method.recommend(group.user, group.now_ms, n)
            list_ns.append(clock() - began)
            shown = _check_list(made, n, is_listed)
            rank_of = {item: rank for rank, item in enumerate(shown, 1)}
            ranks.extend(rank_of.get(item, 0) for item in group.items.tolist())
            lists.write(array("i", shown + [-1] * (n - len(shown))).tobytes())
            observe(group)
        began = clock()
        tell(group.shown)
        method.learn(group)
        (learn_ns if is_scored else warm_up_ns).append(told_ns + clock() - began)
        if is_scored:
            observe_learned(group)
        n_events += len(group.items)
        on_progress(n_events)
    return Trial(np.array(ranks), np.array(list_ns), np.array(learn_ns), np.array(warm_up_ns))


class _Telling:
    """Tells a method of what is not scored, as far as that means something to it and it shall be told."""

    def __init__(self, method: Method, settings: EvaluationSettings) -> None:
        self._searched = method if settings.has_searches and isinstance(method, TakesSearches) else None
        self._shown = method if settings.has_impressions and isinstance(method, TakesImpressions) else None
        takes = {Source.SEARCH: self._searched, Source.IMPRESSION: self._shown}
        self.sources = [source for source, who in takes.items() if who is not None]

    def __call__(self, records: Sequence[AnyUnscored]) -> None:
        """Tell of some records, of ``sources`` alone."""
        for user, record in records:
            if isinstance(record, Search):
                assert self._searched is not None
                self._searched.take_search(user, record)
            else:
                assert self._shown is not None
                self._shown.take_impression(user, record)


def _check_list(made: NDArray[np.int64], n: int, is_listed: NDArray[np.bool_]) -> list[int]:
    """Return a list's item numbers, once it is certain that it is a list."""
    shown = np.asarray(made)
    if shown.ndim != 1 or (len(shown) and shown.dtype.kind not in "iu"):
        raise ValueError(f"a list is a row of item numbers; came {shown.dtype} of shape {shown.shape}")
    numbers: list[int] = shown.tolist()
    if len(numbers) > n or len(set(numbers)) < len(numbers):
        raise ValueError(f"a list has at most {n} different items; came {len(numbers)}, {len(set(numbers))} different")
    if numbers and not (min(numbers) >= 0 and max(numbers) < len(is_listed) and is_listed[numbers].all()):
        raise ValueError("a list has listed items only; came one that is not in the item file, or not available")
    return numbers
