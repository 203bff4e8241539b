"""What the evaluation judges: anything that makes a list before a group of events and learns from the group after it.

Users and items are numbers here, given by the log (``scan.py``): items in the order of the item file,
then items that only events name, in the order of their first event; users in the order of their first event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.unscored import AnyUnscored, Unscored
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.search import Search


@dataclass(frozen=True, slots=True)
class World:
    """What every method may know before the first event."""

    n_users: int
    n_items: int
    item_ids: list[str]
    """By item number."""
    is_listed: NDArray[np.bool_]
    """(n_items,): the item file has it. Only these may be recommended, and all of them from the start."""
    vectors: NDArray[np.float32]
    """(n_items, d) text embeddings, unit rows, of several encoders side by side; zero where an item has no text."""
    n_warm_groups: int
    """How many groups only teach: a method may choose its own settings on them, and on nothing later."""
    n_events_between_trainings: int
    """How often a batch model is trained again."""


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive events of one user at one time: an order, or a single event."""

    user: int
    now_ms: int
    items: NDArray[np.int64]
    """(e,) item numbers, in the order of the log; an item may stand there twice."""
    kinds: NDArray[np.int8]
    """(e,) ``Kind`` of each event."""
    events: list[LoggedEvent]
    """The same as they stand in the log."""
    before: Sequence[AnyUnscored] = ()
    """What users, this one or others, searched for and were shown since the group before: known before the list for
    this group is made."""
    shown: Sequence[Unscored[Impression]] = ()
    """What this user was shown last, which the list stands in place of: known once it is made (``held_back.py``)."""


class Method(Protocol):
    """The engine or a baseline. One instance sees one log, in order, once."""

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return at most ``n`` different listed item numbers, best first, from what was learned so far. Changes nothing
        that a list depends on."""

    def learn(self, group: Group) -> None:
        """Take one group. In the warm-up it comes without ``recommend`` before it."""


@runtime_checkable
class TakesSearches(Protocol):
    """A method that searches mean something to. Others are not told of them."""

    def take_search(self, user: int, search: Search) -> None:
        """Take what a user searched for, before the list for the group that comes next; -1 has no events."""


@runtime_checkable
class TakesImpressions(Protocol):
    """A method that impressions mean something to. Others are not told of them."""

    def take_impression(self, user: int, impression: Impression) -> None:
        """Take what a user was shown, before the group that comes next is learned; -1 has no events."""


@runtime_checkable
class TakesContexts(Protocol):
    """A method that the context of a request means something to. Others are not told of it."""

    def take_context(self, context: Mapping[str, Any]) -> None:
        """Take the context of the request that the next list is made for: that of the first event scored by it."""


class Observer(Protocol):
    """Looks at one method while it is judged: at more than its lists, and in time that is not the method's."""

    def observe(self, group: Group) -> None:
        """Look: the last list was made for this group and is scored, and the group is not learned yet. Changes nothing
        that a list depends on."""

    def observe_learned(self, group: Group) -> None:
        """Look: this group is learned now, and nothing after it. Changes nothing that a list depends on."""

    def collect(self) -> Mapping[str, NDArray[Any]]:
        """Return what was seen, by name."""
