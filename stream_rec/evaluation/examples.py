"""A few users of the log from near: what they did, the list before their next event, and the list right after it.

Who is taken is decided by one rule and not by how it went: from the middle of the scored events on, the first user of
each of ``KINDS``, nobody twice. Only events of items that may be recommended count, for no other could be in a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.method import Group
from stream_rec.evaluation.slices import count_before
from stream_rec.events.interaction import Kind
from stream_rec.events.slate import Reason, SlateItem

KINDS = {
    "new": "had done nothing before",
    "regular": "had 20 events or more",
    "found": "had 5 events or more, and chose something from the list",
    "missed": "had 5 events or more, and chose something that was not in the list",
}
"""What each user is an example of."""
SOME, MANY = 5, 20
"""Earlier events of one who is known, and of a regular."""
REMEMBERED = 6
"""Newest events of a user that are told, at most."""


class Deed(Struct, frozen=True):
    """What a user did with an item."""

    kind: str
    item_id: str
    timestamp_ms: int


class Place(Struct, frozen=True):
    """An item of a list, and why it is there."""

    item_id: str
    reason: Reason


class Example(Struct, frozen=True):
    """One user at one moment."""

    kind: str
    """Of ``KINDS``."""
    n_earlier: int
    """Events of the user until then."""
    earlier: list[Deed]
    """The newest of them, newest first."""
    done: list[Deed]
    """What the lists are about: the user's next events, which came at one time."""
    before: list[Place]
    """The list that was judged, best first."""
    after: list[Place]
    """The list right after these events."""


class MakesLists(Protocol):
    """Says what its last list was, and makes another without a trace."""

    def last_list(self) -> Sequence[SlateItem]:
        """Return the last list, until its group is learned."""

    def peek(self, user: int, now_ms: int, n: int, context: Mapping[str, Any]) -> Sequence[SlateItem]:
        """Return the list that a user would get; as if nobody had asked."""


class ExampleTaker:
    """Takes the examples of one run as it goes along."""

    def __init__(self, experiment: Experiment, engine: MakesLists) -> None:
        log, plan = experiment.log, experiment.plan
        self._engine, self._log, self._n = engine, log, experiment.settings.n
        self._is_listed = experiment.world.is_listed
        self._starts = plan.bounds[plan.n_warm_groups : -1]
        self._n_earlier = count_before(log.users.astype(np.int64), plan.group_of_event())[self._starts]
        self._first = plan.n_scored_groups // 2
        self._at = -1
        self._missing = list(KINDS)
        self._users: set[int] = set()
        self._open: Example | None = None
        self._taken: list[Example] = []

    def observe(self, group: Group) -> None:
        """Look whether the group that comes next is an example: its list is made, and it is not learned yet."""
        self._at += 1
        if self._at < self._first or not self._missing or group.user in self._users:
            return
        if not self._is_listed[group.items].all():
            return
        n_earlier = int(self._n_earlier[self._at])
        slate = self._engine.last_list()
        kind = self._name_kind(n_earlier, {item.item_id for item in slate} & set(self._ids(group.items)) != set())
        if kind is None:
            return
        self._missing.remove(kind)
        self._users.add(group.user)
        self._open = Example(
            kind, n_earlier, self._look_back(group.user), _list_deeds(group), _list_items(slate), after=[]
        )

    def observe_learned(self, group: Group) -> None:
        """Make the list after an example, now that its group is learned."""
        if self._open is None:
            return
        slate = self._engine.peek(group.user, group.now_ms, self._n, group.events[-1].event.context)
        self._taken.append(msgspec.structs.replace(self._open, after=_list_items(slate)))
        self._open = None

    def collect(self) -> NDArray[np.uint8]:
        """Return the examples in the order of ``KINDS``, as the bytes of JSON: arrays go between processes."""
        order = list(KINDS)
        taken = sorted(self._taken, key=lambda example: order.index(example.kind))
        return np.frombuffer(msgspec.json.encode(taken), np.uint8)

    def _name_kind(self, n_earlier: int, is_found: bool) -> str | None:
        """Return the first missing kind that a group is an example of."""
        fits = {
            "new": n_earlier == 0,
            "regular": n_earlier >= MANY,
            "found": n_earlier >= SOME and is_found,
            "missed": n_earlier >= SOME and not is_found,
        }
        return next((kind for kind in self._missing if fits[kind]), None)

    def _look_back(self, user: int) -> list[Deed]:
        """Return the newest events of a user before the group that comes next, newest first."""
        log, end = self._log, int(self._starts[self._at])
        own = np.flatnonzero(log.users[:end] == user)[: -REMEMBERED - 1 : -1]
        facts = zip(log.kinds[own].tolist(), self._ids(log.items[own]), log.times_ms[own].tolist())
        return [Deed(Kind(kind).label, item_id, time_ms) for kind, item_id, time_ms in facts]

    def _ids(self, items: NDArray[np.integer]) -> list[str]:
        return [self._log.item_ids[item] for item in items.tolist()]


def read_examples(collected: NDArray[np.uint8]) -> list[Example]:
    """Return what ``ExampleTaker.collect`` gave; nothing of nothing."""
    return msgspec.json.decode(collected.tobytes(), type=list[Example]) if len(collected) else []


def _list_deeds(group: Group) -> list[Deed]:
    return [Deed(Kind(kind).label, event.item_id, event.timestamp_ms) for kind, event in group.events]


def _list_items(slate: Sequence[SlateItem]) -> list[Place]:
    return [Place(item.item_id, item.reason) for item in slate]
