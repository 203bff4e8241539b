"""The owner's rules, and which items each is about. Updated in place by one owner, as the catalog is.

An item is compared with few rules, however many there are: each rule waits under one value that its items must have.
What was found is kept by row, one bit for each rule, until the item or a rule changes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.events.item import Item
from stream_rec.events.rule import Action, Rule, Target

MOST = 1000
"""Rules that are kept: a bound on memory, and on what a list costs."""
MOST_FLOORS = 20
"""Floors and `expose` among them, each of which keeps the rows of its items."""


class Active(NamedTuple):
    """The rules of one moment."""

    by_action: dict[str, tuple[Rule, ...]]
    """Those of each kind in the order in which they are applied: pins by slot, all by id."""
    columns_by_action: dict[str, NDArray[np.int64]]
    """Of the same rules, their columns in ``Catalog.rules_about``."""
    number: int
    """Digest of them, above 0; 0 without rules."""
    has_scopes: bool = False
    """Whether some of them do not hold in all lists."""

    def of(self, action: Action) -> tuple[Rule, ...]:
        """Return those of one kind."""
        return self.by_action.get(action, ())

    def columns(self, action: Action) -> NDArray[np.int64]:
        """Return the columns of those of one kind, (r,)."""
        return self.columns_by_action.get(action, _NO_COLUMNS)

    def keep(self, is_kept: Callable[[Rule], bool]) -> Active:
        """Return those of the rules that are kept, as the rules of one list; of the same number."""
        by_action, columns_by_action = {}, {}
        for action, rules in self.by_action.items():
            indices = [index for index, rule in enumerate(rules) if is_kept(rule)]
            if indices:
                by_action[action] = tuple(rules[index] for index in indices)
                columns_by_action[action] = self.columns_by_action[action][indices]
        return Active(by_action, columns_by_action, self.number)


_NO_COLUMNS = np.zeros(0, dtype=np.int64)
NONE = Active({}, {}, 0)


class Rules:
    """All rules, and those of any moment."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._columns: dict[str, int] = {}
        """By id. A column is given to another rule when its rule has ended."""
        self._free: list[int] = []
        self._waiting: dict[tuple[str, ...], set[str]] = defaultdict(set)
        """Rules by the value that their items must have."""
        self._bits = np.zeros((0, 1), dtype=np.uint8)
        """(>= n, columns / 8) whether each rule is about an item, of rows that were asked for."""
        self._is_known = np.zeros(0, dtype=bool)
        """(>= n,) whether ``_bits`` says so."""
        self._members: dict[str, set[int]] = {}
        """Rows of the items that each floor and `expose` is about, by its id."""
        self._member_rows: dict[str, NDArray[np.int64]] = {}
        """The same as arrays, of those that were asked for since they changed."""
        self._active = NONE
        self._good_from = self.good_until = 0
        """Between these times what ``active`` gave last is right."""

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(sorted(self._rules.values(), key=lambda rule: rule.rule_id))

    def has_room_for(self, rule: Rule) -> bool:
        """Return whether a rule can be taken: one of its id is there already, or there are not too many."""
        is_new_floor = keeps_members(rule) and rule.rule_id not in self._members
        is_new = rule.rule_id not in self._rules
        return not (is_new and len(self._rules) >= MOST) and not (is_new_floor and len(self._members) >= MOST_FLOORS)

    def put(self, rule: Rule, members: Iterable[int]) -> None:
        """Take a new or changed rule, for which there is room.

        Args:
            members: Rows of the items that it is about, if it ``keeps_members``.
        """
        self.delete(rule.rule_id)
        self._rules[rule.rule_id] = rule
        self._columns[rule.rule_id] = self._free.pop() if self._free else len(self._rules) - 1
        if keeps_members(rule):
            self._members[rule.rule_id] = set(members)
        for value in _waits_for(rule.target):
            self._waiting[value].add(rule.rule_id)
        self._forget()

    def delete(self, rule_id: str) -> None:
        """End a rule."""
        rule = self._rules.pop(rule_id, None)
        if rule is not None:
            self._free.append(self._columns.pop(rule_id))
            self._members.pop(rule_id, None)
            self._member_rows.pop(rule_id, None)
            for value in _waits_for(rule.target):
                self._waiting[value].discard(rule_id)
                if not self._waiting[value]:
                    del self._waiting[value]
            self._forget()

    def see_item(self, row: int, item_id: str, item: Item | None) -> None:
        """Note that an item is another than it was, or gone."""
        if row < len(self._is_known):
            self._is_known[row] = False
        for rule_id, members in self._members.items():
            is_member = item is not None and is_about(self._rules[rule_id].target, item_id, item)
            if is_member != (row in members):
                (members.add if is_member else members.remove)(row)
                self._member_rows.pop(rule_id, None)

    def members(self, rule_id: str) -> NDArray[np.int64]:
        """Return the rows of the items that a floor or `expose` is about, (m,), ascending."""
        if rule_id not in self._member_rows:
            self._member_rows[rule_id] = np.array(sorted(self._members[rule_id]), dtype=np.int64)
        return self._member_rows[rule_id]

    def active(self, now_ms: int) -> Active:
        """Return the rules that hold at a time."""
        if not self._rules:
            return NONE
        if not self._good_from <= now_ms < self.good_until:
            holding = [rule for rule in self if holds(rule, now_ms)]
            self._active = NONE
            if holding:
                by_action = _by_action(holding)
                columns = {
                    action: np.array([self._columns[rule.rule_id] for rule in rules], dtype=np.int64)
                    for action, rules in by_action.items()
                }
                has_scopes = any(rule.scope is not None for rule in holding)
                self._active = Active(by_action, columns, _number_of(holding), has_scopes)
            changes = [time for rule in self._rules.values() for time in (rule.starts_ms, rule.ends_ms) if time]
            self._good_from = max((time for time in changes if time <= now_ms), default=0)
            self.good_until = min((time for time in changes if time > now_ms), default=2**63)
        return self._active

    def find_unknown(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of ``rows`` that must be shown to ``compare`` before ``about`` is right."""
        if len(rows):
            self._bits = grow(self._bits, int(rows.max()) + 1)
            self._is_known = grow(self._is_known, int(rows.max()) + 1)
        return rows[~self._is_known[rows]]

    def compare(self, row: int, item_id: str, item: Item | None) -> None:
        """Find and keep which rules are about an item."""
        is_about_item = np.zeros(8 * self._bits.shape[1], dtype=np.uint8)
        is_about_item[[self._columns[rule_id] for rule_id in self.find_about(item_id, item)]] = 1
        self._bits[row] = np.packbits(is_about_item, bitorder="little")
        self._is_known[row] = True

    def about(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return whether each rule is about each item, (k, columns) 0 or 1, of rows that were compared."""
        return np.unpackbits(self._bits[rows], axis=1, bitorder="little")

    def find_about(self, item_id: str, item: Item | None) -> list[str]:
        """Return the ids of the rules that are about an item, whether they hold now or not."""
        waiting = {rule_id for value in _values_of(item_id, item) for rule_id in self._waiting.get(value, ())}
        return [rule_id for rule_id in waiting if is_about(self._rules[rule_id].target, item_id, item)]

    def _forget(self) -> None:
        n_bytes = 1 + max(self._columns.values(), default=0) // 8
        if n_bytes != self._bits.shape[1]:
            self._bits = np.zeros((len(self._bits), n_bytes), dtype=np.uint8)
        self._is_known[:] = False
        self._good_from = self.good_until = 0


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


def _by_action(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    by_action: dict[str, list[Rule]] = defaultdict(list)
    for rule in sorted(rules, key=lambda rule: (rule.slot or 0, rule.rule_id)):
        by_action[rule.action].append(rule)
    return {action: tuple(of_action) for action, of_action in by_action.items()}


def _number_of(rules: list[Rule]) -> int:
    return 1 + int.from_bytes(hashlib.blake2b(msgspec.json.encode(rules), digest_size=6).digest(), "little")
