"""Which events of a log are scored together, and which only teach.

Events come in the order of time. Consecutive events of one user at one time are a group: an order, or a single event.
A group that begins within the first ``warmup`` share of the events only teaches, whole.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.evaluation.held_back import HeldBack
from stream_rec.evaluation.method import Group
from stream_rec.evaluation.scan import ScannedLog
from stream_rec.evaluation.unscored import AnyUnscored, Unscored
from stream_rec.events.impression import Impression
from stream_rec.events.source import Source

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


UNSCORED = (Source.SEARCH, Source.IMPRESSION)


def read_groups(log: ScannedLog, plan: Schedule, *, unscored: Collection[Source] = UNSCORED) -> Iterator[Group]:
    """Yield the groups of a log in order.

    A search that stands in the middle of a group comes with the next one. Those after the last are left out.

    Args:
        unscored: Of which sources the groups come with what is not scored.
    """
    events = log.events()
    records = log.unscored.read(unscored)
    waiting = next(records, None)
    held = HeldBack()
    for start, end in zip(plan.bounds[:-1].tolist(), plan.bounds[1:].tolist()):
        before: list[AnyUnscored] = []
        while waiting is not None and waiting[0] <= start:
            before += _tell(waiting[1], held)
            waiting = next(records, None)
        now_ms = int(log.times_ms[start])
        before += held.free_old(now_ms)
        group = list(islice(events, end - start))
        yield Group(
            user=int(log.users[start]),
            now_ms=now_ms,
            items=log.items[start:end].astype(np.int64),
            kinds=log.kinds[start:end],
            events=group,
            before=before,
            shown=held.free(group[0].event.user_id) if group else [],
        )


def _tell(unscored: AnyUnscored, held: HeldBack) -> list[AnyUnscored]:
    """Return what is known once a search or impression has come."""
    user, record = unscored
    if isinstance(record, Impression):
        return [*held.take(Unscored(user, record))]
    return [*held.free(record.user_id), Unscored(user, record)]
