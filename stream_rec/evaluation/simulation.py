"""Recommenders that meet the same simulated users, each with its own lists: what hearing or exploring brings.

A log says what was chosen of the lists of its own day, and nothing of lists that were never shown. Here the users are
made (``simulated_users.py``), so that what they would choose of any list is known, and tire of what they see
(``simulated_choices.py``). Each arm is the production core, warmed by the beginning of the real log; from then on it
learns from what its own lists brought. All arms meet the same users in the same visits (``simulated_visits.py``) with
the same random numbers; what differs between arms comes of their lists.

In each visit a list is made and counted as shown, the impression is taken by an arm that hears, and then each choice is
taken as a click. Who hears is told of all slots of the list, as apps tell it: not how far the user looked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_rec.config import Settings
from stream_rec.embedding.item_embedding import ItemEmbedding
from stream_rec.evaluation.simulated_arrivals import NO_ARRIVALS, Arrivals
from stream_rec.evaluation.simulated_choices import HabitConfig, Look, Memory, find_examination
from stream_rec.evaluation.simulated_users import SimulatedUsers
from stream_rec.evaluation.simulated_visits import Visits
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.kernels import compile_kernels
from stream_rec.pipeline import Pipeline

SLOT_MS = 5
"""From the list to the choice of its first item, from there to that of its second, and so on. Less than
``LEAST_GAP_MS`` over the longest list."""
NOTHING = -1
"""The number of no item."""


class Arm(NamedTuple):
    """One recommender to be tried."""

    name: str
    settings: Settings
    hears: bool
    """Whether it takes impressions; one that does not is deaf to what was shown and not chosen."""


class Recommends(Protocol):
    """What meets users: the production core, or what a test puts in its place."""

    def recommend(self, user_id: str, now_ms: int, list_id: str) -> list[str]:
        """Return the ids of the items of a list that is shown, best first."""

    def impress(self, impression: Impression) -> object:
        """Take what was shown, before what was chosen of it."""

    def learn(self, kind: Kind, event: Interaction) -> object:
        """Take what was chosen."""

    def list_item(self, item_id: str) -> object:
        """Take an item that is new."""


class Core:
    """The production core, as it meets users."""

    def __init__(
        self,
        pipeline: Pipeline,
        new_items: Sequence[Item] = (),
        embeddings: Mapping[str, ItemEmbedding] | None = None,
    ) -> None:
        """Go on from what the pipeline has learned.

        Args:
            new_items: Those that may come.
            embeddings: Of these, by id.
        """
        self._pipeline = pipeline
        self._new_items = {item.item_id: item for item in new_items}
        self._embeddings = embeddings or {}

    def recommend(self, user_id: str, now_ms: int, list_id: str) -> list[str]:
        """Make a list, and count its items as shown."""
        recommender = self._pipeline.recommender
        items = recommender.items(self._pipeline.rank(user_id, now_ms), list_id)
        recommender.count_shown(np.array([recommender.catalog.find(item.item_id) for item in items], np.int64))
        return [item.item_id for item in items]

    def impress(self, impression: Impression) -> object:
        """Take an impression."""
        return self._pipeline.impress(impression)

    def learn(self, kind: Kind, event: Interaction) -> object:
        """Take a choice."""
        return self._pipeline.learn(kind, event)

    def list_item(self, item_id: str) -> None:
        """Take an item that is new."""
        _put(self._pipeline, self._new_items[item_id], self._embeddings)


@dataclass(frozen=True, slots=True)
class ShownLists:
    """What one arm showed in each visit, and what came of it; (v, n) by visit and slot."""

    items: NDArray[np.int32]
    """Numbers; ``NOTHING`` behind a list's end."""
    depths: NDArray[np.int32]
    """(v,) slots that were looked at."""
    is_chosen: NDArray[np.bool_]
    is_tired: NDArray[np.bool_]
    is_had: NDArray[np.bool_]
    expected: NDArray[np.float32]
    """Probability of each slot to be looked at and chosen, of who did before what they did: without the luck of this
    visit."""
    list_ns: int
    """All lists together took so long."""
    impress_ns: int
    learn_ns: int


def warm_up(
    settings: Settings,
    items: Sequence[Item],
    embeddings: Mapping[str, ItemEmbedding],
    events: Sequence[LoggedEvent],
    *,
    on_progress: Callable[[int], None] = lambda n_events: None,
) -> Pipeline:
    """Return a pipeline that knows the items and has learned the events, each order as one.

    Args:
        events: In order of time.
    """
    compile_kernels()
    pipeline = Pipeline(settings)
    for item in items:
        _put(pipeline, item, embeddings)
    n_events = 0
    for (user_id, now_ms), group in groupby(events, lambda one: (one.event.user_id, one.event.timestamp_ms)):
        order = list(group)
        pipeline.take(pipeline.rank(user_id, now_ms), order)
        n_events += len(order)
        on_progress(n_events)
    return pipeline


def simulate(
    arm: Arm,
    recommender: Recommends,
    users: SimulatedUsers,
    visits: Visits,
    *,
    seed: int,
    clock: Callable[[], int],
    habits: HabitConfig | None = None,
    arrivals: Arrivals = NO_ARRIVALS,
    on_progress: Callable[[int], None] = lambda n_lists: None,
) -> ShownLists:
    """Let one arm meet the users; ``recommender`` is used up.

    Arms are compared that were given the same users, visits, seed, habits and arrivals.

    Args:
        arrivals: Of the users' items: each is listed before the first visit that is not before its time.
        clock: What tells CPU time, in ns.
        on_progress: Called with the number of lists now and then.
    """
    number_of = {item_id: number for number, item_id in enumerate(users.item_ids)}
    habits = habits or HabitConfig()
    memory = Memory(users, habits)
    examination = find_examination(arm.settings.ranking.n, habits.position_bias)
    shape = len(visits), arm.settings.ranking.n
    items = np.full(shape, NOTHING, np.int32)
    depths = np.zeros(len(visits), np.int32)
    is_chosen, is_tired, is_had = np.zeros((3, *shape), bool)
    expected = np.zeros(shape, np.float32)
    list_ns = impress_ns = learn_ns = n_arrived = 0
    for visit, (user, now_ms) in enumerate(zip(visits.users.tolist(), visits.times_ms.tolist())):
        user_id, list_id = users.user_ids[user], f"simulated-{visit}"
        while n_arrived < len(arrivals.item_ids) and arrivals.times_ms[n_arrived] <= now_ms:
            recommender.list_item(arrivals.item_ids[n_arrived])
            n_arrived += 1
        began = clock()
        shown = recommender.recommend(user_id, now_ms, list_id)
        made = clock()
        if shown and arm.hears:
            recommender.impress(_make_impression(user_id, list_id, shown, now_ms))
        heard = clock()
        numbers = np.array([number_of[item_id] for item_id in shown], np.int64)
        look = memory.look_at(user, numbers, now_ms, visit=visit, seed=seed) if shown else NO_LOOK
        looked = clock()
        for slot in np.flatnonzero(look.is_chosen).tolist():
            recommender.learn(Kind.CLICK, _make_click(user_id, list_id, shown[slot], now_ms, slot))
        list_ns, impress_ns, learn_ns = list_ns + made - began, impress_ns + heard - made, learn_ns + clock() - looked
        k = len(shown)
        items[visit, :k], depths[visit] = numbers, look.depth
        is_chosen[visit, :k], is_tired[visit, :k], is_had[visit, :k] = look.is_chosen, look.is_tired, look.is_had
        expected[visit, :k] = examination[:k] * look.likely
        if not (visit + 1) % 100:
            on_progress(visit + 1)
    on_progress(len(visits))
    return ShownLists(items, depths, is_chosen, is_tired, is_had, expected, list_ns, impress_ns, learn_ns)


def _put(pipeline: Pipeline, item: Item, embeddings: Mapping[str, ItemEmbedding]) -> None:
    pipeline.catalog.put_item(item)
    if item.item_id in embeddings:
        pipeline.catalog.put_embedding(item.item_id, embeddings[item.item_id])


def _make_impression(user_id: str, list_id: str, shown: Sequence[str], now_ms: int) -> Impression:
    items = [ShownItem(item_id, position) for position, item_id in enumerate(shown, 1)]
    return Impression(f"{list_id}-shown", user_id, list_id, items, now_ms)


def _make_click(user_id: str, list_id: str, item_id: str, now_ms: int, slot: int) -> Interaction:
    return Interaction(f"{list_id}-{slot}", user_id, item_id, timestamp_ms=now_ms + SLOT_MS * (slot + 1))


NO_SLOTS = np.zeros(0, bool)
NO_LOOK = Look(0, NO_SLOTS, NO_SLOTS, NO_SLOTS, np.zeros(0))
