"""Prequential evaluation: a list is made, what the user did is looked up in it, and only then learned from.

Events come in the order of time. Consecutive events of one user at one time are a group: an order, or a single event.
A group that begins within the first ``warmup`` share of the events only teaches, whole. For every later one a list is
made of what was known before the group, each of its events is scored against that list, and then the group teaches.

Source:
    Dawid. Present position and potential developments: the prequential approach. JRSS A 147, 1984.
    Vinagre, Jorge, Gama. Evaluation of recommender systems in streaming environments. 2014.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import numpy as np

from stream_rec.errors import FileProblem
from stream_rec.evaluation.method import Group, Method
from stream_rec.evaluation.scan import ScannedLog

Clock = Callable[[], int]
"""Nanoseconds from some moment on: ``time.perf_counter_ns``, which only the command line may read."""
SAMPLE = 5000
"""Most lists that are looked at closely: their similarity and calibration, and what they would be otherwise."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which events make a group, and which groups only teach."""

    bounds: np.ndarray
    """(groups + 1,) int64: group g is the events from bounds[g] up to bounds[g + 1]."""
    n_warm_groups: int

    @property
    def n_groups(self) -> int:
        """Warm and scored ones."""
        return len(self.bounds) - 1

    @property
    def n_scored_groups(self) -> int:
        """Groups that a list is made for."""
        return self.n_groups - self.n_warm_groups

    @property
    def first_scored(self) -> int:
        """Place of the first event that is scored; all after it are."""
        return int(self.bounds[self.n_warm_groups])

    def group_of_event(self) -> np.ndarray:
        """(events,) number of the group of each event."""
        return np.repeat(np.arange(self.n_groups), np.diff(self.bounds))

    def sample(self) -> np.ndarray:
        """Return the scored groups whose lists are looked at closely, evenly spread, counted from the first scored."""
        return np.unique(np.linspace(0, self.n_scored_groups - 1, SAMPLE).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Trial:
    """What one method did: arrays by scored event or scored group."""

    ranks: np.ndarray
    """(scored events,) uint16: place of the item in the list, counted from 1; 0 where it is not in it."""
    list_ns: np.ndarray
    """(scored groups,) int64: how long each list took."""
    learn_ns: np.ndarray
    """(scored groups,) int64: how long each group took to be learned."""
    warm_up_ns: np.ndarray
    """(warm groups,) int64: the same. With the last a baseline chooses its settings."""


def schedule(log: ScannedLog, warmup: float) -> Schedule:
    """Return the groups of a log.

    Args:
        warmup: Share of the events, 0 to below 1. Every group that begins in it only teaches.

    Raises:
        FileProblem: nothing is left to be scored.
    """
    users, times_ms = log.users, log.times_ms
    is_start = np.ones(len(log), bool)
    is_start[1:] = (users[1:] != users[:-1]) | (times_ms[1:] != times_ms[:-1])
    starts = np.flatnonzero(is_start)
    n_warm_events = math.ceil(round(warmup * len(log), 6))  # 0.07 * 100 is 7.000000000000001
    n_warm_groups = int(np.searchsorted(starts, n_warm_events))
    if n_warm_groups == len(starts):
        raise FileProblem(
            f"the log is too small: its {len(log)} events are {len(starts)} groups, all of which begin in the first "
            f"{warmup:.0%}, which only teach; give a longer log or a lower --warmup"
        )
    return Schedule(np.append(starts, len(log)), n_warm_groups)


def groups(log: ScannedLog, plan: Schedule) -> Iterator[Group]:
    """Yield the groups of a log in order."""
    events = log.events()
    for start, end in zip(plan.bounds[:-1].tolist(), plan.bounds[1:].tolist()):
        yield Group(
            user=int(log.users[start]),
            now_ms=int(log.times_ms[start]),
            items=log.items[start:end].astype(np.int64),
            kinds=log.kinds[start:end],
            events=list(islice(events, end - start)),
        )


def judge(
    method: Method,
    log: ScannedLog,
    plan: Schedule,
    is_listed: np.ndarray,
    *,
    n: int,
    clock: Clock,
    lists: BinaryIO,
    observe: Callable[[Group], None] = lambda group: None,
    on_progress: Callable[[int], None] = lambda n_events: None,
) -> Trial:
    """Run a method over a log.

    Args:
        is_listed: (n_items,) bool; what is not may not be recommended.
        lists: Takes a row of ``n`` int32 item numbers for each scored group, filled up with -1.
        observe: Called between scoring a group and learning it, in nobody's time.

    Raises:
        ValueError: a list is not one: too long, the same item twice, or an item that is not listed.
    """
    ranks, list_ns, learn_ns, warm_up_ns = array("H"), array("q"), array("q"), array("q")
    n_events = 0
    for number, group in enumerate(groups(log, plan)):
        is_scored = number >= plan.n_warm_groups
        if is_scored:
            began = clock()
            made = method.recommend(group.user, group.now_ms, n)
            list_ns.append(clock() - began)
            shown = _checked(made, n, is_listed)
            rank_of = {item: rank for rank, item in enumerate(shown, 1)}
            ranks.extend(rank_of.get(item, 0) for item in group.items.tolist())
            lists.write(array("i", shown + [-1] * (n - len(shown))).tobytes())
            observe(group)
        began = clock()
        method.learn(group)
        (learn_ns if is_scored else warm_up_ns).append(clock() - began)
        n_events += len(group.items)
        on_progress(n_events)
    return Trial(*(np.array(values) for values in (ranks, list_ns, learn_ns, warm_up_ns)))


def _checked(made: np.ndarray, n: int, is_listed: np.ndarray) -> list[int]:
    """Return a list's item numbers, once it is certain that it is a list."""
    shown = np.asarray(made)
    if shown.ndim != 1 or (len(shown) and shown.dtype.kind not in "iu"):
        raise ValueError(f"a list is a row of item numbers; came {shown.dtype} of shape {shown.shape}")
    numbers = shown.tolist()
    if len(numbers) > n or len(set(numbers)) < len(numbers):
        raise ValueError(f"a list has at most {n} different items; came {len(numbers)}, {len(set(numbers))} different")
    if numbers and not (min(numbers) >= 0 and max(numbers) < len(is_listed) and is_listed[numbers].all()):
        raise ValueError("a list has listed items only; came one that is not in the item file, or not available")
    return numbers
