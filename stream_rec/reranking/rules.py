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
from stream_rec.catalog.rules import Active, Ordered, unpack
from stream_rec.events.slate import SlateItem
from stream_rec.ranking.exposures import Exposures
from stream_rec.reranking.explore import Explored
from stream_rec.retrieval.ruled import Exclusions, find_pinned

MOST_BOOST = math.log(1e6)
"""Of all boosts of an item together: beyond it probabilities would be nothing or infinite."""


class Pin(NamedTuple):
    """A candidate and the slot, from 0, that it is put into."""

    slot: int
    candidate: int


class Limits(NamedTuple):
    """Caps, or floors, those that are about some candidate."""

    n: NDArray[np.int64]
    """(r,)"""
    is_counted: NDArray[np.bool_]
    """(r, k) which candidates each is about."""
    rule_ids: list[str]


class Orders(NamedTuple):
    """What the rules say of one list's candidates."""

    is_allowed: NDArray[np.bool_]
    """(k,) whether nothing excludes it from the list, a pin included: pinned items have their own places."""
    boost: NDArray[np.float64]
    """(k,) added to the logarithm of how likely each is."""
    pins: list[Pin]
    """By slot, no slot twice."""
    caps: Limits
    floors: Limits
    """Those behind ``n_floors`` are of this one list: by them what was shown too little catches up."""
    n_floors: int
    placed_by: dict[int, str]
    """Of each candidate that is where it is by a rule, that rule's id: its pin, its floor, or its strongest boost."""


def read_orders(
    active: Active, exclusions: Exclusions, rows: NDArray[np.int64], catalog: Catalog, exposures: Exposures, n: int
) -> Orders:
    """Return what the rules say of the candidates ``rows``, (k,) ascending, for a list of ``n`` items."""
    about = catalog.rules_about(rows)
    is_allowed = ~exclusions.excludes(rows)
    boosts = active.of("boost")
    is_boosted = unpack(about, boosts.columns)
    boost = np.clip(catalog.log_boosts(rows) + is_boosted @ boosts.amounts, -MOST_BOOST, MOST_BOOST)
    are_boosted = np.flatnonzero(is_boosted.any(axis=1))
    strongest = is_boosted[are_boosted].argmax(axis=1) if len(are_boosted) else are_boosted
    placed_by = {index: boosts.rules[number].rule_id for index, number in zip(are_boosted.tolist(), strongest.tolist())}
    is_candidate = np.zeros(len(catalog), dtype=bool)
    is_candidate[rows] = True  # of a pool not every item of a pin is one
    pins = []
    for pinned in find_pinned(active, exclusions, catalog, is_candidate, n):
        index = int(np.searchsorted(rows, pinned.row))
        pins.append(Pin(min(pinned.slot, n) - 1, index))
        is_allowed[index] = False
        placed_by[index] = pinned.rule_id
    floors, exposes = active.of("floor"), active.of("expose")
    catching_up = exposes._replace(amounts=_floors_of_exposes(exposes, catalog, exposures, n))
    caps, floored, exposed = (_read_limits(each, about) for each in (active.of("cap"), floors, catching_up))
    needing = Limits(
        np.concatenate((floored.n, exposed.n)),
        np.concatenate((floored.is_counted, exposed.is_counted)),
        [*floored.rule_ids, *exposed.rule_ids],
    )
    return Orders(is_allowed, boost, _without_clashes(pins, n), caps, needing, len(floored.n), placed_by)


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


def _floors_of_exposes(exposes: Ordered, catalog: Catalog, exposures: Exposures, n: int) -> NDArray[np.float64]:
    """Return of each `expose` its floor in this list, (r,): 0 where its items have had their share of late."""
    return np.array(
        [
            math.ceil(n * share) if exposures.share(catalog.rules.members(rule.rule_id)) < share else 0.0
            for rule, share in zip(exposes.rules, exposes.amounts.tolist())
        ]
    )


def _read_limits(limits: Ordered, about: NDArray[np.uint8]) -> Limits:
    """Return those caps or floors that are about some candidate.

    Args:
        about: (k, columns / 8) which rules are about each candidate.
    """
    met = np.bitwise_or.reduce(about, axis=0)[None]
    met_by = np.flatnonzero(unpack(met, limits.columns)[0])
    is_counted = np.ascontiguousarray(unpack(about, limits.columns[met_by]).T)
    rule_ids = [limits.rules[index].rule_id for index in met_by.tolist()]
    return Limits(limits.amounts[met_by].astype(np.int64), is_counted, rule_ids)


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
    draft = _Draft(orders, best, n)
    draft.keep_caps(ranked.tolist(), kept_back.tolist())
    draft.reach_floors()
    front, back = draft.keep_back(at_risk)
    return np.array(front, dtype=np.int64), np.array(back, dtype=np.int64)


class _Draft:
    """A list of candidates, by index, on its way to what caps and floors ask for."""

    def __init__(self, orders: Orders, best: NDArray[np.int64], n: int) -> None:
        self._orders = orders
        self._best = best
        self._n = n
        self._front: list[int] = []
        """Those that exploration may displace, from the end."""
        self._back: list[int] = []
        """Those behind them, that it may not."""
        self._capped = np.zeros(len(orders.caps.n), dtype=np.int64)
        """(caps,) how many of the list each counts."""
        self._n_full = orders.caps.is_counted[orders.caps.n <= 0].sum(axis=0)
        """(k,) how many caps that are full count each candidate."""
        self._floored = np.zeros(len(orders.floors.n), dtype=np.int64)
        """(floors,) how many of the list each counts."""
        self._is_shown = np.zeros(len(orders.is_allowed), dtype=bool)
        """(k,) whether each is in the list, pinned ones too."""
        for pin in orders.pins:
            self._count(pin.candidate, 1)

    def keep_caps(self, ranked: list[int], kept_back: list[int]) -> None:
        """Take in what the caps have room for, and the best of the others in place of the rest."""
        for index in ranked:
            self._take_in(index, self._front)
        for index in kept_back:
            self._take_in(index, self._back)
        for index in self._best.tolist() if not self._is_full else ():
            self._take_in(index, self._front)
            if self._is_full:
                return

    def reach_floors(self) -> None:
        """Put the best items of each floor behind the others until there are enough, as far as there is room.

        What was shown too little catches up after them, so the floors of this one list make way for all others.
        """
        n_floors, floors = self._orders.n_floors, self._orders.floors
        for number, rule_id in enumerate(floors.rule_ids):
            if self._floored[number] >= floors.n[number]:
                continue
            needing = n_floors if number < n_floors else len(floors.n)
            for index in self._best[floors.is_counted[number, self._best]].tolist():
                if self._floored[number] >= floors.n[number]:
                    break
                if not self._may_come(index):
                    continue
                if self._is_full and not self._make_way(needing):
                    break
                self._put(index, self._back)
                self._orders.placed_by[index] = rule_id

    def keep_back(self, at_risk: int) -> tuple[list[int], list[int]]:
        """Return both parts, with those of the last ``at_risk`` that a floor may not lose kept back too."""
        floors = self._orders.floors
        is_needed = np.logical_or.reduce(floors.is_counted[self._floored - at_risk < floors.n], axis=0)
        needed: list[int] = []
        front: list[int] = []
        for index in reversed(self._front):  # whoever is kept back puts the one before at risk
            if len(front) < at_risk and is_needed[index]:
                needed.insert(0, index)
            else:
                front.insert(0, index)
        return front, [*needed, *self._back]

    @property
    def _is_full(self) -> bool:
        return len(self._front) + len(self._back) >= self._n

    def _may_come(self, index: int) -> bool:
        return not self._is_shown[index] and not self._n_full[index]

    def _take_in(self, index: int, part: list[int]) -> None:
        if self._may_come(index):
            self._put(index, part)

    def _put(self, index: int, part: list[int]) -> None:
        part.append(index)
        self._count(index, 1)

    def _make_way(self, n_needing: int) -> bool:
        """Take out the last item that none of the first floors needs; return whether there is one."""
        floors = self._orders.floors
        is_tight = self._floored[:n_needing] <= floors.n[:n_needing]
        is_needed = np.logical_or.reduce(floors.is_counted[:n_needing][is_tight], axis=0)
        for part in (self._front, self._back):
            for index in reversed(part):
                if not is_needed[index]:
                    part.remove(index)
                    self._count(index, -1)
                    return True
        return False

    def _count(self, index: int, step: int) -> None:
        """Count an item that comes, or for a ``step`` of -1 goes."""
        caps, floors = self._orders.caps, self._orders.floors
        self._is_shown[index] = step > 0
        if len(floors.n):
            self._floored += step * floors.is_counted[:, index]
        if len(caps.n):
            was_full = self._capped >= caps.n
            self._capped += step * caps.is_counted[:, index]
            turned = was_full != (self._capped >= caps.n)
            if turned.any():
                self._n_full += step * caps.is_counted[turned].sum(axis=0)


def find_explorable(arms: NDArray[np.int64], orders: Orders) -> NDArray[np.int64]:
    """Return those of the candidates ``arms`` that no cap counts."""
    return arms[~orders.caps.is_counted[:, arms].any(axis=0)]


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
