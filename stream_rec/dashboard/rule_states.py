"""Rules as a page shows them: what each does, whether it holds, what it is about; and one held for one answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import MOST, MOST_FLOORS, holds
from stream_rec.dashboard.listed import Named, name_item
from stream_rec.describe_rule import describe_effect, describe_target
from stream_rec.events.rule import Rule

State = Literal["in force", "not begun", "over", "waits"]
"""waits: there is no room for it until others have ended."""
SAMPLE = 5


class RuleState(Struct, frozen=True):
    """One rule."""

    rule: Rule
    state: State
    effect: str
    """What it does, in words."""
    target: str
    """To which items, in words."""
    put_ms: int
    n_items: int
    """That it is about."""
    sample: list[Named]


class RuleStates(Struct, frozen=True):
    """All rules."""

    now_ms: int
    """By the events' clock, which rules begin and end with."""
    n_most: int
    n_most_floors: int
    rules: list[RuleState]


class Preview(Struct, frozen=True):
    """A rule that was not put, in words."""

    effect: str
    target: str
    n_items: int
    sample: list[Named]
    replaces: bool
    """Whether there is a rule with its id."""
    ousts: list[str]
    """Rules for which there is no room then; with its own id: it would wait itself."""


def list_rules(catalog: Catalog) -> RuleStates:
    """Return all rules, by id."""
    rules = [describe_state(catalog, rule) for rule in catalog.rules.every]
    return RuleStates(catalog.now_ms, MOST, MOST_FLOORS, rules)


def describe_state(catalog: Catalog, rule: Rule) -> RuleState:
    """Return one rule as it stands."""
    rows = catalog.find_members(rule.target).tolist()
    return RuleState(
        rule,
        _find_state(catalog, rule),
        describe_effect(rule),
        describe_target(rule.target),
        catalog.rules.put_ms(rule.rule_id) or 0,
        len(rows),
        [name_item(catalog, catalog.item_ids[row]) for row in rows[:SAMPLE]],
    )


def preview_rule(catalog: Catalog, rule: Rule) -> Preview:
    """Return what a rule would be about."""
    rows = catalog.find_members(rule.target).tolist()
    return Preview(
        describe_effect(rule),
        describe_target(rule.target),
        len(rows),
        [name_item(catalog, catalog.item_ids[row]) for row in rows[:SAMPLE]],
        catalog.rules.find(rule.rule_id) is not None,
        catalog.rules.find_ousted(rule),
    )


@contextmanager
def holding_for_this(catalog: Catalog, rule: Rule | None, ended: str | None) -> Iterator[bool]:
    """Have a rule in force, and another out of it, while the context lasts; give whether there is no room for it.

    Nobody else may use the catalog meanwhile. Afterwards its rules are as they were.
    """
    touched = {rule.rule_id} if rule is not None else set()
    touched |= {ended} if ended is not None else set()
    before = {rule_id: (catalog.rules.find(rule_id), catalog.rules.put_ms(rule_id)) for rule_id in touched}
    try:
        if ended is not None:
            catalog.delete_rule(ended)
        waits = False
        if rule is not None:
            waits = rule.rule_id in catalog.rules.find_ousted(rule)
            catalog.put_rule(rule, _NEWEST)
        yield waits
    finally:
        for rule_id, (was, put_ms) in before.items():
            if was is None:
                catalog.delete_rule(rule_id)
            else:
                catalog.put_rule(was, put_ms or 0)


_NEWEST = 2**62


def _find_state(catalog: Catalog, rule: Rule) -> State:
    if rule.ends_ms is not None and rule.ends_ms <= catalog.now_ms:
        return "over"
    if rule.rule_id in catalog.rules.left_out:
        return "waits"
    return "in force" if holds(rule, catalog.now_ms) else "not begun"
