"""Source `rules`: what the owner pins and demands, and what a rule keeps from this user."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active
from stream_rec.events.interaction import Kind
from stream_rec.events.rule import Rule
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.user.history import History

DAY_MS = 24 * HOUR_MS
LIST = 20
"""Items of a list of which an `expose` demands its share: there must be so many to choose from."""
WEEK = HALF_LIVES_MS.index(7 * DAY_MS)


class Exclusions:
    """Which items the rules of one moment keep from one user."""

    def __init__(self, active: Active, history: History, catalog: Catalog, now_ms: int) -> None:
        self._catalog = catalog
        self._excluded_by = {rule.rule_id for rule in active.of("ban")}
        """Rules that exclude every item that they are about."""
        self._had: dict[str, set[int]] = {}
        """Rows that a rule excludes, by its id."""
        for rule in active.of("exclude"):
            had = _find_had(rule, history, catalog, now_ms)
            if not rule.whole_target:
                self._had[rule.rule_id] = had
            elif any(rule.rule_id in catalog.rules_about(row) for row in had):
                self._excluded_by.add(rule.rule_id)

    def excludes(self, row: int) -> bool:
        """Return whether an item may not be shown to the user."""
        about = self._catalog.rules_about(row)
        return not about.isdisjoint(self._excluded_by) or any(row in self._had.get(rule_id, ()) for rule_id in about)


def _find_had(rule: Rule, history: History, catalog: Catalog, now_ms: int) -> set[int]:
    """Return the rows of all items to which the user has the relation of an `exclude`."""
    since_ms = 0 if rule.within_days is None else now_ms - rule.within_days * DAY_MS
    had = set()
    for count in history.weekly_counts:
        n_events = count.counts[Kind.PURCHASE] if rule.relation == "bought" else sum(count.counts)
        if n_events and count.last_ms >= since_ms and (row := catalog.find(count.item_id)) is not None:
            had.add(row)
    return had


def find_pinned(rule: Rule, exclusions: Exclusions, catalog: Catalog) -> int | None:
    """Return the row of the first item of a pin that may be shown to the user, or None."""
    for item_id in rule.target.item_ids:
        row = catalog.find(item_id)
        if row is not None and catalog.is_listed[row] and not exclusions.excludes(row):
            return row
    return None


def find_demanded(
    active: Active, exclusions: Exclusions, candidates: NDArray[np.int64], catalog: Catalog
) -> NDArray[np.int64]:
    """Return the rows that pins and floors need beside the candidates that there are.

    For a floor the most popular of its items at a half-life of a week, those without events last.

    Args:
        candidates: (k,) rows.
    """
    demanded = {row for rule in active.of("pin") if (row := find_pinned(rule, exclusions, catalog)) is not None}
    floors = [(rule.rule_id, rule.count or 0) for rule in active.of("floor")]
    floors += [(rule.rule_id, math.ceil(LIST * (rule.share or 0.0))) for rule in active.of("expose")]
    there = {int(row) for row in candidates if not exclusions.excludes(int(row))} if floors else set()
    for rule_id, count in floors:
        members = catalog.rules.members[rule_id]
        n_missing = count - len(members & there)
        if n_missing <= 0:
            continue
        rows = np.array(sorted(members - there), dtype=np.int64)
        rows = rows[catalog.is_listed[rows]]
        for row in rows[np.argsort(-catalog.knowledge.levels[rows, WEEK], kind="stable")].tolist():
            if n_missing == 0:
                break
            if not exclusions.excludes(row):
                demanded.add(row)
                there.add(row)
                n_missing -= 1
    return np.array(sorted(demanded), dtype=np.int64)
