"""Source `rules`: what the owner pins and demands, and what a rule keeps from this user."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active, Excludes, unpack
from stream_rec.events.interaction import Kind
from stream_rec.events.rule import MOST_SLOTS, Relation
from stream_rec.knowledge.popularity import HALF_LIVES_MS
from stream_rec.retrieval.had import DAY_MS, SHOWN, Had
from stream_rec.user.history import History

RELATIONS: dict[Relation | None, tuple[int, ...]] = {
    "seen": tuple(Kind),
    "bought": (Kind.PURCHASE,),
    "shown": (SHOWN,),
}
"""As ``Had`` knows them; ``underage`` is none to an item."""
LIST = MOST_SLOTS
"""Items of a list of which an `expose` demands its share: there must be so many to choose from."""
MOST_PINNED = 10
"""Items of a pin that may be shown, of which the first that is not shown yet is pinned."""
PINS_AT_ONCE = 100
"""Pins that are looked at together; most lists have room for fewer."""
LOOKED_AT = 64
"""Items of a floor, the most popular, that are looked at first; then so many times as many, until it has enough."""
WEEK = HALF_LIVES_MS.index(7 * DAY_MS)


class Exclusions:
    """Which items the rules of one moment keep from one user."""

    def __init__(self, active: Active, history: History, catalog: Catalog, now_ms: int, age: int | None = None) -> None:
        """Find them.

        Args:
            age: The user's, in years; None where it is not known.
        """
        self._catalog = catalog
        self._mask = catalog.rules.mask(active.of("ban").columns)
        """Bits of the rules that exclude all that they are about."""
        rows: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        asked = {relation for excludes in active.excludes for relation in RELATIONS.get(excludes.relation, ())}
        had = Had(
            catalog,
            history.weekly_counts if not asked.isdisjoint(Kind) else (),
            history.shown_counts if SHOWN in asked else (),
        )
        bits = catalog.rules_about(had.rows)
        for excludes in active.excludes:
            mask = catalog.rules.mask(excludes.columns)
            if excludes.min_age is not None:
                if age is None or age < excludes.min_age:
                    self._mask |= mask
                continue
            since_ms = 0 if excludes.within_days is None else now_ms - excludes.within_days * DAY_MS
            has_relation = had.has(RELATIONS[excludes.relation], since_ms)
            about = bits[has_relation]
            if excludes.whole_target:
                self._mask |= mask & np.bitwise_or.reduce(about, axis=0)
            else:
                rows.append(had.rows[has_relation][_are_excluded(about, excludes, mask)])
        self._excludes_all_of_some = bool(self._mask.any())
        self._rows = np.concatenate(rows)
        """What is excluded besides."""

    def excludes(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return of each item, (k,) bool, whether it may not be shown to the user."""
        is_excluded = np.isin(rows, self._rows) if len(self._rows) else np.zeros(len(rows), dtype=bool)
        if self._excludes_all_of_some:
            is_excluded |= _any(self._catalog.rules_about(rows) & self._mask)
        return is_excluded


def _are_excluded(about: NDArray[np.uint8], excludes: Excludes, mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which items some exclude is about that does not spare them, (h,).

    Args:
        about: (h, columns / 8) of what the user had.
        mask: Of the excludes.
    """
    spares = excludes.spared >= 0
    if not spares.any():
        return _any(about & mask)
    is_spared = unpack(about, np.maximum(excludes.spared, 0)) & spares
    return _any(unpack(about, excludes.columns) & ~is_spared)


def _any(bits: NDArray[np.uint8] | NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return of each row whether something in it is set, (k,)."""
    found: NDArray[np.bool_] = np.logical_or.reduce(bits, axis=1)
    return found


class Pinned(NamedTuple):
    """An item that a pin puts into a list."""

    slot: int
    """Counted from 1; another may have it."""
    row: int
    rule_id: str


def find_pinned(
    active: Active, exclusions: Exclusions, catalog: Catalog, is_offered: NDArray[np.bool_], n: int
) -> list[Pinned]:
    """Return what is pinned, in the order in which pins are obeyed, at most ``n`` items.

    Of each pin the first of its items that may be shown to the user, is not pinned yet, and has room beside the other
    pinned ones.

    Args:
        is_offered: (n,) by row, what the list may be made of.
    """
    pins, caps = active.of("pin"), active.of("cap")
    room = caps.amounts.copy()
    pinned: dict[int, Pinned] = {}
    for begin in range(0, len(pins.rules), PINS_AT_ONCE):
        rules = pins.rules[begin : begin + PINS_AT_ONCE]
        of_each = [catalog.rules.pinned_rows(rule, catalog.find) for rule in rules]
        rows = np.concatenate(of_each)
        numbers = np.repeat(np.arange(len(rules)), [len(each) for each in of_each])
        may_be_shown = catalog.is_listed[rows] & ~exclusions.excludes(rows)
        rows, numbers = rows[may_be_shown], numbers[may_be_shown]
        is_near = np.arange(len(rows)) - np.searchsorted(numbers, numbers) < MOST_PINNED
        is_choice = is_near & is_offered[rows]
        rows, numbers = rows[is_choice], numbers[is_choice]
        are_capped = unpack(catalog.rules_about(rows), caps.columns)
        last = -1
        for row, number, is_capped in zip(rows.tolist(), numbers.tolist(), are_capped):
            if len(pinned) == n:
                return list(pinned.values())
            if number != last and row not in pinned and not (is_capped & (room < 1)).any():
                pinned[row] = Pinned(rules[number].slot or 1, row, rules[number].rule_id)
                room -= is_capped
                last = number
    return list(pinned.values())


def find_demanded(
    active: Active,
    exclusions: Exclusions,
    candidates: NDArray[np.int64],
    catalog: Catalog,
    is_offered: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the rows that pins and floors need beside the candidates that there are, some of them twice.

    For a floor the most popular of its items at a half-life of a week, those without events last.

    Args:
        candidates: (k,) rows.
        is_offered: (n,) by row, what the list may be made of.
    """
    pinned = find_pinned(active, exclusions, catalog, is_offered, MOST_SLOTS)
    demanded = [np.array([each.row for each in pinned], dtype=np.int64)]
    floors, exposed = active.of("floor"), active.of("expose")
    if floors.rules or exposed.rules:
        capped = catalog.rules.mask(active.of("cap").columns)
        about = catalog.rules_about(candidates[~exclusions.excludes(candidates)])
        about = about[~_any(about & capped)]  # of the others it is not said that they find room
        for ordered, of_a_list in ((floors, 1), (exposed, LIST)):
            are_there = unpack(about, ordered.columns).sum(axis=0).tolist()
            for rule, amount, n_there in zip(ordered.rules, ordered.amounts.tolist(), are_there):
                if (n_missing := math.ceil(of_a_list * amount) - n_there) > 0:
                    rows = catalog.rules.members(rule.rule_id)
                    demanded.append(_find_best(rows, n_missing, candidates, capped, exclusions, catalog))
    return np.concatenate(demanded)


def _find_best(
    rows: NDArray[np.int64],
    n: int,
    candidates: NDArray[np.int64],
    capped: NDArray[np.uint8],
    exclusions: Exclusions,
    catalog: Catalog,
) -> NDArray[np.int64]:
    """Return the ``n`` most popular of the rows that may be shown and are no candidates; what is capped last.

    Args:
        rows: (m,) ascending; of as many that are alike the first are taken.
        capped: Mask of the caps.
    """
    rows = rows[catalog.is_listed[rows]]
    levels = catalog.knowledge.levels[rows, WEEK]
    n_looked_at = LOOKED_AT + n
    while True:
        is_all = n_looked_at >= len(rows)
        best = np.argsort(-levels, kind="stable") if is_all else _find_highest(levels, n_looked_at)
        found = rows[best]
        found = found[~np.isin(found, candidates)]
        found = found[~exclusions.excludes(found)]
        is_capped = _any(catalog.rules_about(found) & capped)
        if is_all or np.count_nonzero(~is_capped) >= n:
            return np.concatenate((found[~is_capped], found[is_capped]))[:n]
        n_looked_at *= LOOKED_AT


def _find_highest(levels: NDArray[np.floating], n: int) -> NDArray[np.int64]:
    """Return where the ``n`` highest stand, the highest first, of those that are alike the first."""
    least = np.partition(levels, len(levels) - n)[len(levels) - n]
    above = np.flatnonzero(levels > least)
    found = np.concatenate((above, np.flatnonzero(levels == least)[: n - len(above)]))
    return found[np.argsort(-levels[found], kind="stable")]
