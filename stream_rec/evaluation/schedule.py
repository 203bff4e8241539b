"""Which events of a log are scored together, and which only teach.

Events come in the order of time. Consecutive events of one user at one time are a group: an order, or a single event.
A group that begins within the first ``warmup`` share of the events only teaches, whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.evaluation.method import Group
from stream_rec.evaluation.scan import ScannedLog

SAMPLE = 5000
"""Most lists that are looked at closely: their similarity and calibration, and what they would be otherwise."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which events make a group, and which groups only teach."""

    bounds: NDArray[np.int64]
    """(groups + 1,): group g is the events from bounds[g] up to bounds[g + 1]."""
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
        """Index of the first event that is scored; all after it are."""
        return int(self.bounds[self.n_warm_groups])

    def group_of_event(self) -> NDArray[np.int64]:
        """(events,) number of the group of each event."""
        return np.repeat(np.arange(self.n_groups), np.diff(self.bounds))

    def sample(self) -> NDArray[np.int64]:
        """Return the scored groups whose lists are looked at closely, evenly spread, counted from the first scored."""
        return np.unique(np.linspace(0, self.n_scored_groups - 1, SAMPLE).astype(np.int64))


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


def read_groups(log: ScannedLog, plan: Schedule, *, has_searches: bool = True) -> Iterator[Group]:
    """Yield the groups of a log in order.

    A search that stands in the middle of a group comes with the next one. Those after the last are left out.

    Args:
        has_searches: Whether the groups come with the searches before them.
    """
    events = log.events()
    searches = iter(log.searches if has_searches else ())
    ends = np.searchsorted(log.searches.indices, plan.bounds[:-1], side="right").tolist() if has_searches else []
    first = 0
    for number, (start, end) in enumerate(zip(plan.bounds[:-1].tolist(), plan.bounds[1:].tolist())):
        last = ends[number] if ends else 0
        users = log.searches.users[first:last].tolist()
        first = last
        yield Group(
            user=int(log.users[start]),
            now_ms=int(log.times_ms[start]),
            items=log.items[start:end].astype(np.int64),
            kinds=log.kinds[start:end],
            events=list(islice(events, end - start)),
            searches=list(islice(searches, len(users))),
            searchers=users,
        )
