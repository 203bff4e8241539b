"""The owner's rules, and which items each is about. Updated in place by one owner, as the catalog is.

An item is compared with few rules, however many there are: each rule waits under one value that its items must have.
What was found is kept by row, one bit for each target of a rule, until the item or a rule changes.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.events.item import Item
from stream_rec.events.rule import Action, Relation, Rule, Target

MOST = 1000
"""Rules that are obeyed: a bound on memory, and on what a list costs."""
MOST_FLOORS = 20
"""Floors and `expose` among them, each of which keeps the rows of its items."""
RANK = {action: rank for rank, action in enumerate(get_args(Action))}
"""Of each kind, how soon its rules find room: they are left out in the reverse of the order in which two that cannot
both be kept are, so that no ban makes way for a boost."""
SPARED = "\0"
"""Behind a rule's id: the target that it spares."""
_NEWEST = 2**63


class Ordered(NamedTuple):
    """Rules of one kind, in the order in which they are applied."""

    rules: tuple[Rule, ...]
    columns: NDArray[np.int64]
    """(r,) their columns in ``Rules.about``."""
    amounts: NDArray[np.float64]
    """(r,) the count of a cap or floor, the share of an `expose`, the logarithm of a boost's factor; else 0."""

    def keep(self, indices: list[int]) -> Ordered:
        """Return some of them."""
        if len(indices) == len(self.rules):
            return self
        return Ordered(tuple(self.rules[index] for index in indices), self.columns[indices], self.amounts[indices])


class Excludes(NamedTuple):
    """All excludes of one kind: what they have in common, and their columns."""

    relation: Relation | None
    within_days: float | None
    whole_target: bool
    min_age: int | None
    columns: NDArray[np.int64]
    """(r,)"""
    spared: NDArray[np.int64]
    """(r,) columns of what they spare, -1 where they spare nothing."""


class Active(NamedTuple):
    """The rules of one moment."""

    by_action: dict[str, Ordered]
    """Those of each kind: pins by slot, boosts the strongest first, all by id."""
    excludes: tuple[Excludes, ...]
    """All that exclude."""
    number: int
    """Digest of them, above 0; 0 without rules."""
    has_scopes: bool = False
    """Whether some of them do not hold in all lists."""

    def of(self, action: Action) -> Ordered:
        """Return those of one kind."""
        return self.by_action.get(action, _NONE_OF_A_KIND)


_NONE_OF_A_KIND = Ordered((), np.zeros(0, dtype=np.int64), np.zeros(0))
NONE = Active({}, (), 0)


class Rules:
    """All rules, and those of any moment. At most so many are obeyed; the others wait until some have ended."""

    def __init__(self, find_members: Callable[[Target], Iterable[int]]) -> None:
        """Begin without any.

        Args:
            find_members: Finds the rows of the items that a target is about.
        """
        self._find_members = find_members
        self._all: dict[str, tuple[Rule, int]] = {}
        """By id, each with the time at which it was put."""
        self._order: list[tuple[int, int, str]] = []
        """Rank, time and id of each of them, ascending: whoever stands first finds room first."""
        self._rules: dict[str, Rule] = {}
        """Those that there is room for."""
        self._columns: dict[str, int] = {}
        """By id, and by id and ``SPARED``. A column is given to another target when its rule has ended."""
        self._free: list[int] = []
        self._waiting: dict[tuple[str, ...], set[str]] = defaultdict(set)
        """Keys of ``_columns`` by the value that their items must have."""
        self._targets: dict[str, Target] = {}
        """By key of ``_columns``."""
        self._bits = np.zeros((0, 1), dtype=np.uint8)
        """(>= n, columns / 8) whether each target is about an item, of rows that were asked for."""
        self._is_known = np.zeros(0, dtype=bool)
        """(>= n,) whether ``_bits`` says so."""
        self._members: dict[str, set[int]] = {}
        """Rows of the items that each floor and `expose` is about, by its id."""
        self._member_rows: dict[str, NDArray[np.int64]] = {}
        """The same as arrays, of those that were asked for since they changed."""
        self._pinned_rows: dict[str, NDArray[np.int64]] = {}
        """By id of a pin, the rows of its items, of those that were asked for since one of them got its row."""
        self._active = NONE
        self._good_from = self.good_until = 0
        """Between these times what ``active`` gave last is right."""

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(sorted(self._rules.values(), key=lambda rule: rule.rule_id))

    @property
    def every(self) -> list[Rule]:
        """All of them, by id, those that there is no room for too."""
        return [self._all[rule_id][0] for rule_id in sorted(self._all)]

    @property
    def left_out(self) -> list[str]:
        """Ids of the rules that there is no room for, ascending."""
        return sorted(self._all.keys() - self._rules.keys())

    def find(self, rule_id: str) -> Rule | None:
        """Return a rule, whether there is room for it or not; None without it."""
        found = self._all.get(rule_id)
        return None if found is None else found[0]

    def put_ms(self, rule_id: str) -> int | None:
        """Return when a rule was put, by the broker; None without it."""
        found = self._all.get(rule_id)
        return None if found is None else found[1]

    def find_ousted(self, rule: Rule) -> list[str]:
        """Return the ids of the rules that there is no room for if this one is put now, it among them; ascending."""
        others = [key for key in self._order if key[-1] != rule.rule_id]
        with_it = sorted([*others, (RANK[rule.action], _NEWEST, rule.rule_id)])
        return sorted({rule.rule_id, *_within_bounds(others)} - set(_within_bounds(with_it)))

    def put(self, rule: Rule, put_ms: int = 0) -> None:
        """Take a new or changed rule.

        Args:
            put_ms: When, by the broker: where there is no room for all of a kind, the newest are left out. That
                follows from the records alone, so that every process leaves out the same.
        """
        self._forget(rule.rule_id)
        self._all[rule.rule_id] = rule, put_ms
        insort(self._order, (RANK[rule.action], put_ms, rule.rule_id))
        self._make_room()

    def delete(self, rule_id: str) -> None:
        """End a rule."""
        if self._forget(rule_id):
            self._make_room()

    def see_item(self, row: int, item_id: str, item: Item | None) -> None:
        """Note that an item is another than it was, or gone."""
        if row < len(self._is_known):
            self._is_known[row] = False
        for rule_id, members in self._members.items():
            is_member = item is not None and is_about(self._rules[rule_id].target, item_id, item)
            if is_member != (row in members):
                (members.add if is_member else members.remove)(row)
                self._member_rows.pop(rule_id, None)

    def see_row(self, item_id: str) -> None:
        """Note that an item has a row from now on."""
        for key in self._waiting.get(("id", item_id), ()):
            self._pinned_rows.pop(key, None)

    def members(self, rule_id: str) -> NDArray[np.int64]:
        """Return the rows of the items that a floor or `expose` is about, (m,), ascending."""
        if rule_id not in self._member_rows:
            self._member_rows[rule_id] = np.array(sorted(self._members[rule_id]), dtype=np.int64)
        return self._member_rows[rule_id]

    def pinned_rows(self, rule: Rule, find: Callable[[str], int | None]) -> NDArray[np.int64]:
        """Return the rows of a pin's items, in its order, of those that have one: (p,).

        Args:
            find: Returns the row of an item, None where it has none.
        """
        rows = self._pinned_rows.get(rule.rule_id)
        if rows is None:
            found = map(find, rule.target.item_ids)
            rows = np.array([row for row in found if row is not None], dtype=np.int64)
            self._pinned_rows[rule.rule_id] = rows
        return rows

    def active(self, now_ms: int) -> Active:
        """Return the rules that hold at a time."""
        if not self._rules:
            return NONE
        if not self._good_from <= now_ms < self.good_until:
            holding = [rule for rule in self if holds(rule, now_ms)]
            self._active = self._order_up(holding, _number_of(holding)) if holding else NONE
            changes = [time for rule in self._rules.values() for time in (rule.starts_ms, rule.ends_ms) if time]
            self._good_from = max((time for time in changes if time <= now_ms), default=0)
            self.good_until = min((time for time in changes if time > now_ms), default=2**63)
        return self._active

    def keep(self, active: Active, is_kept: Callable[[Rule], bool]) -> Active:
        """Return those of the rules of one moment that hold in one list."""
        by_action = {}
        for action, ordered in active.by_action.items():
            kept = [index for index, rule in enumerate(ordered.rules) if is_kept(rule)]
            if kept:
                by_action[action] = ordered.keep(kept)
        before, after = active.of("exclude"), by_action.get("exclude", _NONE_OF_A_KIND)
        excludes = active.excludes if after is before else self._excludes(after.rules)
        return Active(by_action, excludes, active.number)

    def find_unknown(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of ``rows`` that must be shown to ``compare`` before ``about`` is right."""
        if len(rows):
            self._bits = grow(self._bits, int(rows.max()) + 1)
            self._is_known = grow(self._is_known, int(rows.max()) + 1)
        return rows[~self._is_known[rows]]

    def compare(self, row: int, item_id: str, item: Item | None) -> None:
        """Find and keep which rules are about an item."""
        self._bits[row] = self.mask([self._columns[key] for key in self._find_keys(item_id, item)])
        self._is_known[row] = True

    def about(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return which targets are about each item, (k, columns / 8) one bit each, of rows that were compared."""
        return self._bits[rows]

    def mask(self, columns: NDArray[np.int64] | list[int]) -> NDArray[np.uint8]:
        """Return these columns as bits, (columns / 8,)."""
        is_in = np.zeros(8 * self._bits.shape[1], dtype=np.uint8)
        is_in[columns] = 1
        return np.packbits(is_in, bitorder="little")

    def find_about(self, item_id: str, item: Item | None) -> list[str]:
        """Return the ids of the rules that are about an item, whether they hold now or not."""
        return [key for key in self._find_keys(item_id, item) if not key.endswith(SPARED)]

    def _find_keys(self, item_id: str, item: Item | None) -> list[str]:
        waiting = {key for value in _values_of(item_id, item) for key in self._waiting.get(value, ())}
        return [key for key in waiting if is_about(self._targets[key], item_id, item)]

    def _make_room(self) -> None:
        """Obey those that there is room for, and no others."""
        within = _within_bounds(self._order)
        kept = set(within)
        for rule_id in [rule_id for rule_id in self._rules if rule_id not in kept]:
            self._drop(rule_id)
        for rule_id in within:
            if rule_id not in self._rules:
                self._obey(self._all[rule_id][0])
        n_bytes = 1 + max(self._columns.values(), default=0) // 8
        if n_bytes != self._bits.shape[1]:
            self._bits = np.zeros((len(self._bits), n_bytes), dtype=np.uint8)
        self._is_known[:] = False
        self._good_from = self.good_until = 0

    def _obey(self, rule: Rule) -> None:
        self._rules[rule.rule_id] = rule
        if keeps_members(rule):
            self._members[rule.rule_id] = set(self._find_members(rule.target))
        for key, target in _targets_of(rule):
            self._targets[key] = target
            self._columns[key] = self._free.pop() if self._free else len(self._columns)
            for value in _waits_for(target):
                self._waiting[value].add(key)

    def _drop(self, rule_id: str) -> None:
        rule = self._rules.pop(rule_id)
        for rows in (self._members, self._member_rows, self._pinned_rows):
            rows.pop(rule_id, None)
        for key, target in _targets_of(rule):
            del self._targets[key]
            self._free.append(self._columns.pop(key))
            for value in _waits_for(target):
                self._waiting[value].discard(key)
                if not self._waiting[value]:
                    del self._waiting[value]

    def _forget(self, rule_id: str) -> bool:
        """Take a rule out; return whether it was there."""
        found = self._all.pop(rule_id, None)
        if found is None:
            return False
        rule, put_ms = found
        del self._order[bisect_left(self._order, (RANK[rule.action], put_ms, rule_id))]
        if rule_id in self._rules:
            self._drop(rule_id)
        return True

    def _order_up(self, holding: list[Rule], number: int) -> Active:
        by_action: dict[str, list[Rule]] = defaultdict(list)
        for rule in sorted(holding, key=_place):
            by_action[rule.action].append(rule)
        ordered = {
            action: Ordered(
                tuple(rules),
                np.array([self._columns[rule.rule_id] for rule in rules], dtype=np.int64),
                np.array([_amount(rule) for rule in rules]),
            )
            for action, rules in by_action.items()
        }
        has_scopes = any(rule.scope is not None for rule in holding)
        return Active(ordered, self._excludes(by_action.get("exclude", ())), number, has_scopes)

    def _excludes(self, rules: Iterable[Rule]) -> tuple[Excludes, ...]:
        by_kind: dict[tuple[Relation | None, float | None, bool, int | None], list[Rule]] = defaultdict(list)
        for rule in rules:
            by_kind[rule.relation, rule.within_days, rule.whole_target, rule.min_age].append(rule)
        return tuple(
            Excludes(
                *kind,
                np.array([self._columns[rule.rule_id] for rule in alike], dtype=np.int64),
                np.array([self._columns.get(rule.rule_id + SPARED, -1) for rule in alike], dtype=np.int64),
            )
            for kind, alike in by_kind.items()
        )


def unpack(bits: NDArray[np.uint8], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return some columns of ``Rules.about``, (k, r) bool."""
    if not len(columns):
        return np.zeros((len(bits), 0), dtype=bool)
    return np.unpackbits(bits, axis=1, bitorder="little").view(bool).take(columns, axis=1)


def keeps_members(rule: Rule) -> bool:
    """Return whether it must be known at all times which items a rule is about."""
    return rule.action in ("floor", "expose")


def holds(rule: Rule, now_ms: int) -> bool:
    """Return whether a rule holds at a time."""
    return rule.starts_ms <= now_ms and (rule.ends_ms is None or now_ms < rule.ends_ms)


def is_about(target: Target, item_id: str, item: Item | None) -> bool:
    """Return whether an item is one of those that a rule is about; one without a record has nothing but its id."""
    if target.item_ids and item_id not in target.item_ids:
        return False
    if item is None:
        return not (target.category or target.tag or target.attributes)
    return (
        target.category in ("", item.category)
        and (not target.tag or target.tag in item.tags)
        and all(
            name in item.attributes and text_of(item.attributes[name]) == value
            for name, value in target.attributes.items()
        )
    )


def _waits_for(target: Target) -> list[tuple[str, ...]]:
    """Return values one of which each item of the target has."""
    if target.item_ids:
        return [("id", item_id) for item_id in target.item_ids]
    if target.category:
        return [("category", target.category)]
    if target.tag:
        return [("tag", target.tag)]
    if target.attributes:
        return [("attribute", *next(iter(target.attributes.items())))]
    return [()]


def _values_of(item_id: str, item: Item | None) -> Iterator[tuple[str, ...]]:
    """Yield all that a rule may wait for in an item."""
    yield ()
    yield "id", item_id
    if item is not None:
        yield "category", item.category
        for tag in item.tags:
            yield "tag", tag
        for name, value in item.attributes.items():
            if (text := text_of(value)) is not None:
                yield "attribute", name, text


def text_of(value: object) -> str | None:
    """Return an attribute as text: true and null as in JSON, 3.0 as 3; None of a list or an object."""
    if isinstance(value, (list, dict)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "null" if value is None else str(value)


def _targets_of(rule: Rule) -> list[tuple[str, Target]]:
    """Return the targets of a rule, each by its key."""
    spared = [] if rule.spares is None else [(rule.rule_id + SPARED, rule.spares)]
    return [(rule.rule_id, rule.target), *spared]


def _place(rule: Rule) -> tuple[int, float, str]:
    return (rule.slot or 0, -abs(_amount(rule)) if rule.action == "boost" else 0.0, rule.rule_id)


def _amount(rule: Rule) -> float:
    if rule.action == "boost":
        return math.log(rule.factor or 1.0)
    return float(rule.count or rule.share or 0.0)


def _within_bounds(order: list[tuple[int, int, str]]) -> list[str]:
    """Return the ids of those that there is room for, of keys as of ``Rules._order``."""
    begin, end = (bisect_left(order, (rank,)) for rank in (RANK["floor"], RANK["expose"] + 1))
    kept = [*order[:begin], *order[begin : min(end, begin + MOST_FLOORS)], *order[end:]]
    return [rule_id for _, _, rule_id in kept[:MOST]]


def _number_of(rules: list[Rule]) -> int:
    return 1 + int.from_bytes(hashlib.blake2b(msgspec.json.encode(rules), digest_size=6).digest(), "little")
