"""The owner's rules in one list. Where two cannot both be kept, the one that stands first here is:

    1. ban and exclude   what may not be shown is in no list, whoever pins it
    2. cap               at most so many; pins count, and one too many stays out
    3. pin               an item in its slot, in the last one of a list that is shorter; of two pins for one slot that
                         with the lower id has it, the other the next one that is nobody's
    4. floor             at least so many, as far as there are such items and slots that nothing above takes
    5. expose            as floors of a list, while its items have had too small a share of the latest lists
    6. boost             as if so many times as likely; several multiply, and so does an item's own boost

Exploration draws between them: its slots show nothing that a cap counts, and displace nothing that a floor needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active
from stream_rec.events.rule import Rule
from stream_rec.events.slate import SlateItem
from stream_rec.ranking.exposures import Exposures
from stream_rec.reranking.explore import Explored
from stream_rec.retrieval.ruled import MOST_PINNED, Exclusions, find_pinned

MOST_BOOST = math.log(1e6)
"""Of all boosts of an item together: beyond it probabilities would be nothing or infinite."""


class Pin(NamedTuple):
    """A candidate and the slot, from 0, that it is put into."""

    slot: int
    candidate: int


class Limit(NamedTuple):
    """A cap or a floor."""

    n: int
    is_counted: list[bool]
    """(k,) which candidates it is about."""
    rule_id: str


class Orders(NamedTuple):
    """What the rules say of one list's candidates."""

    is_allowed: NDArray[np.bool_]
    """(k,) whether nothing excludes it from the list, a pin included: pinned items have their own places."""
    boost: NDArray[np.float64]
    """(k,) added to the logarithm of how likely each is."""
    pins: list[Pin]
    """By slot, no slot twice."""
    caps: list[Limit]
    floors: list[Limit]
    exposed: list[Limit]
    """Floors of this one list, by which what was shown too little catches up."""
    placed_by: dict[int, str]
    """Of each candidate that is where it is by a rule, that rule's id: its pin, its floor, or its strongest boost."""


def read_orders(
    active: Active, exclusions: Exclusions, rows: NDArray[np.int64], catalog: Catalog, exposures: Exposures, n: int
) -> Orders:
    """Return what the rules say of the candidates ``rows``, (k,) ascending, for a list of ``n`` items."""
    about = catalog.rules_about(rows)
    is_allowed = ~exclusions.excludes(rows)
    by_strength = sorted(
        zip(active.of("boost"), active.columns("boost").tolist()),
        key=lambda each: (-abs(math.log(each[0].factor or 1.0)), each[0].rule_id),
    )
    is_boosted = about[:, [column for _, column in by_strength]] > 0
    boosts = np.array([math.log(rule.factor or 1.0) for rule, _ in by_strength])
    boost = np.clip(catalog.log_boosts(rows) + is_boosted @ boosts, -MOST_BOOST, MOST_BOOST)
    placed_by = {
        int(index): by_strength[int(is_boosted[index].argmax())][0].rule_id
        for index in np.flatnonzero(is_boosted.any(axis=1))
    }
    caps = _read_limits(active.of("cap"), about[:, active.columns("cap")])
    pins: list[Pin] = []
    for rule in active.of("pin"):
        for row in find_pinned(rule, exclusions, catalog)[:MOST_PINNED].tolist() if len(pins) < n else ():
            index = int(np.searchsorted(rows, row))
            is_candidate = index < len(rows) and rows[index] == row  # of a pool it may be none
            if is_candidate and is_allowed[index] and _has_room(index, [pin.candidate for pin in pins], caps):
                pins.append(Pin(min((rule.slot or 1) - 1, n - 1), index))
                is_allowed[index] = False
                placed_by[index] = rule.rule_id
                break
    pins = _without_clashes(pins, n)
    floors = _read_limits(active.of("floor"), about[:, active.columns("floor")])
    exposed = _read_limits(_floors_of_exposes(active, catalog, exposures, n), about[:, active.columns("expose")])
    return Orders(is_allowed, boost, pins, caps, floors, exposed, placed_by)


def _without_clashes(pins: list[Pin], n: int) -> list[Pin]:
    """Return the pins by slot, no slot twice: who comes first has it, the others the next that is nobody's.

    Args:
        pins: At most ``n``, in the order of their slots, then of their rules.
    """
    by_slot: dict[int, int] = {}
    for slot, candidate in pins:
        by_slot.setdefault(slot, candidate)
    for slot, candidate in pins:
        if by_slot[slot] != candidate:
            while slot in by_slot:
                slot = (slot + 1) % n
            by_slot[slot] = candidate
    return [Pin(slot, candidate) for slot, candidate in sorted(by_slot.items())]


def _floors_of_exposes(active: Active, catalog: Catalog, exposures: Exposures, n: int) -> list[Rule]:
    """Return each `expose` as a floor of this list: of 0 where its items have had their share of late."""
    floors = []
    for rule in active.of("expose"):
        share = rule.share or 0.0
        is_behind = exposures.share(catalog.rules.members(rule.rule_id)) < share
        floors.append(msgspec.structs.replace(rule, count=math.ceil(n * share) if is_behind else 0))
    return floors


def _read_limits(rules: Iterable[Rule], about: NDArray[np.uint8]) -> list[Limit]:
    """Return those caps or floors that are about some candidate.

    Args:
        about: (k, r) whether each of them is about each candidate.
    """
    return [
        Limit(rule.count or 0, (is_about > 0).tolist(), rule.rule_id)
        for rule, is_about in zip(rules, np.ascontiguousarray(about.T))
        if is_about.any()
    ]


def limit(
    ranked: NDArray[np.int64],
    kept_back: NDArray[np.int64],
    best: NDArray[np.int64],
    orders: Orders,
    n: int,
    at_risk: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the list within its caps and above its floors, without its pins: ``ranked`` and ``kept_back`` anew.

    Args:
        ranked: (m,) indices of candidates, best first, that exploration may displace from the end.
        kept_back: (r,) those that it may not.
        best: (b,) all that may be shown, the best first.
        n: Most items, pins aside.
        at_risk: How many of the ranked ones exploration may displace.
    """
    draft = _Draft(orders, best.tolist(), n)
    draft.keep_caps(ranked.tolist(), kept_back.tolist())
    for floor in orders.floors:
        draft.reach(floor, orders.floors)
    needing = [*orders.floors, *orders.exposed]
    for floor in orders.exposed:
        draft.reach(floor, needing)
    front, back = draft.keep_back(at_risk, needing)
    return np.array(front, dtype=np.int64), np.array(back, dtype=np.int64)


class _Draft:
    """A list of candidates, by index, on its way to what caps and floors ask for."""

    def __init__(self, orders: Orders, best: list[int], n: int) -> None:
        self._orders = orders
        self._best = best
        self._n = n
        self._pinned = [pin.candidate for pin in orders.pins]
        self._front: list[int] = []
        """Those that exploration may displace, from the end."""
        self._back: list[int] = []
        """Those behind them, that it may not."""

    def keep_caps(self, ranked: list[int], kept_back: list[int]) -> None:
        """Take in what the caps have room for, and the best of the others in place of the rest."""
        for index in ranked:
            self._take_in(index, self._front)
        for index in kept_back:
            self._take_in(index, self._back)
        for index in self._best:
            if self._is_full:
                return
            self._take_in(index, self._front)

    def reach(self, floor: Limit, needing: list[Limit]) -> None:
        """Put the best items of a floor behind the others until there are enough, as far as there is room.

        Args:
            needing: The floors whose items do not make way.
        """
        for index in self._best:
            if _count(floor, self._all) >= floor.n:
                return
            if not floor.is_counted[index] or not self._may_come(index):
                continue
            if self._is_full and not self._make_way(needing):
                return
            self._back.append(index)
            self._orders.placed_by[index] = floor.rule_id

    def keep_back(self, at_risk: int, needing: list[Limit]) -> tuple[list[int], list[int]]:
        """Return both parts, with those of the last ``at_risk`` that a floor may not lose kept back too."""
        tight = [floor for floor in needing if _count(floor, self._all) - at_risk < floor.n]
        needed: list[int] = []
        front: list[int] = []
        for index in reversed(self._front):  # whoever is kept back puts the one before at risk
            if len(front) < at_risk and any(floor.is_counted[index] for floor in tight):
                needed.insert(0, index)
            else:
                front.insert(0, index)
        return front, [*needed, *self._back]

    @property
    def _all(self) -> list[int]:
        return [*self._pinned, *self._front, *self._back]

    @property
    def _is_full(self) -> bool:
        return len(self._front) + len(self._back) >= self._n

    def _may_come(self, index: int) -> bool:
        shown = self._all
        return index not in shown and _has_room(index, shown, self._orders.caps)

    def _take_in(self, index: int, part: list[int]) -> None:
        if self._may_come(index):
            part.append(index)

    def _make_way(self, needing: list[Limit]) -> bool:
        """Take out the last item that no floor needs; return whether there is one."""
        shown = self._all
        for part in (self._front, self._back):
            for index in reversed(part):
                if all(not floor.is_counted[index] or _count(floor, shown) > floor.n for floor in needing):
                    part.remove(index)
                    return True
        return False


def find_explorable(arms: NDArray[np.int64], orders: Orders) -> NDArray[np.int64]:
    """Return those of the candidates ``arms`` that no cap counts."""
    return np.array(
        [arm for arm in arms.tolist() if not any(cap.is_counted[arm] for cap in orders.caps)], dtype=np.int64
    )


def put_pins(explored: Explored, pins: list[Pin]) -> Explored:
    """Return the list with its pins in their slots, or at its end where it is too short."""
    if not pins:
        return explored
    indices, propensities = explored.indices.tolist(), explored.propensities.tolist()
    is_exploring = explored.is_exploring.tolist()
    for slot, index in pins:
        indices.insert(slot, index)
        propensities.insert(slot, 1.0)
        is_exploring.insert(slot, False)
    return Explored(np.array(indices, dtype=np.int64), np.array(propensities), np.array(is_exploring, dtype=bool))


def name_rules(items: list[SlateItem], indices: Iterable[int], orders: Orders) -> list[SlateItem]:
    """Return the items, each saying in its reason which rule put it there."""
    replace = msgspec.structs.replace
    return [
        item
        if (rule_id := orders.placed_by.get(index)) is None
        else replace(item, reason=replace(item.reason, rule=rule_id))
        for item, index in zip(items, indices)
    ]


def _count(limit: Limit, indices: list[int]) -> int:
    return sum(limit.is_counted[index] for index in indices)


def _has_room(index: int, others: list[int], caps: list[Limit]) -> bool:
    """Return whether a candidate may stand beside ``others``."""
    return all(not cap.is_counted[index] or _count(cap, others) < cap.n for cap in caps)
