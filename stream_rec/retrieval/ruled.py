"""Source `rules`: what the owner pins and demands, and what a rule keeps from this user."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active, is_about
from stream_rec.events.interaction import Kind
from stream_rec.events.rule import MOST_SLOTS, Action, Rule, Target
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.retrieval.had import find_had, find_shown
from stream_rec.user.history import History

DAY_MS = 24 * HOUR_MS
LIST = MOST_SLOTS
"""Items of a list of which an `expose` demands its share: there must be so many to choose from."""
MOST_PINNED = 10
"""Items of a pin that may be shown, of which the first that is not shown yet is pinned."""
WEEK = HALF_LIVES_MS.index(7 * DAY_MS)


class Exclusions:
    """Which items the rules of one moment keep from one user."""

    def __init__(self, active: Active, history: History, catalog: Catalog, now_ms: int, age: int | None = None) -> None:
        """Find them.

        Args:
            age: The user's, in years; None where it is not known.
        """
        self._catalog = catalog
        whole = active.columns("ban").tolist()
        rows: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        for rule, column in zip(active.of("exclude"), active.columns("exclude").tolist()):
            if rule.min_age is not None:
                if age is None or age < rule.min_age:
                    whole.append(column)
                continue
            had = _find_related(rule, history, catalog, now_ms)
            had = had[catalog.rules_about(had)[:, column] > 0]
            if rule.spares is not None:
                had = had[~_find_about(rule.spares, had, catalog)]
            if not rule.whole_target:
                rows.append(had)
            elif len(had):
                whole.append(column)
        self._columns = np.array(whole, dtype=np.int64)
        """Of the rules that exclude all that they are about."""
        self._rows = np.concatenate(rows)
        """What is excluded besides."""

    def excludes(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return of each item, (k,) bool, whether it may not be shown to the user."""
        is_excluded = np.isin(rows, self._rows) if len(self._rows) else np.zeros(len(rows), dtype=bool)
        if len(self._columns):
            is_excluded |= self._catalog.rules_about(rows)[:, self._columns].any(axis=1)
        return is_excluded


def _find_related(rule: Rule, history: History, catalog: Catalog, now_ms: int) -> NDArray[np.int64]:
    """Return the rows of all items to which the user has the relation of an `exclude`, (h,)."""
    since_ms = 0 if rule.within_days is None else now_ms - rule.within_days * DAY_MS
    if rule.relation == "shown":
        return find_shown(history.shown_counts, catalog, since_ms)
    kinds = (Kind.PURCHASE,) if rule.relation == "bought" else tuple(Kind)
    return find_had(history.weekly_counts, kinds, catalog, since_ms)


def _find_about(target: Target, rows: NDArray[np.int64], catalog: Catalog) -> NDArray[np.bool_]:
    """Return which items are of a target, (k,) bool."""
    found = [is_about(target, catalog.item_ids[row], catalog.item(row)) for row in rows.tolist()]
    return np.array(found, dtype=bool)


def find_pinned(rule: Rule, exclusions: Exclusions, catalog: Catalog) -> NDArray[np.int64]:
    """Return the rows of the items of a pin that may be shown to the user, in its order."""
    found = (catalog.find(item_id) for item_id in rule.target.item_ids)
    rows = np.array([row for row in found if row is not None], dtype=np.int64)
    rows = rows[catalog.is_listed[rows]]
    return rows[~exclusions.excludes(rows)]


def find_demanded(
    active: Active, exclusions: Exclusions, candidates: NDArray[np.int64], catalog: Catalog
) -> NDArray[np.int64]:
    """Return the rows that pins and floors need beside the candidates that there are, some of them twice.

    For a floor the most popular of its items at a half-life of a week, those without events last.

    Args:
        candidates: (k,) rows.
    """
    demanded = [np.zeros(0, dtype=np.int64)]
    demanded += [find_pinned(rule, exclusions, catalog)[:MOST_PINNED] for rule in active.of("pin")]
    wanted = [(rule.rule_id, column, rule.count or 0) for rule, column in _with_columns(active, "floor")]
    wanted += [
        (rule.rule_id, column, math.ceil(LIST * (rule.share or 0.0)))
        for rule, column in _with_columns(active, "expose")
    ]
    if wanted:
        caps = active.columns("cap")
        about = catalog.rules_about(candidates)[~exclusions.excludes(candidates)]
        about = about[~about[:, caps].any(axis=1)]  # of the others it is not said that they find room
        for rule_id, column, count in wanted:
            if (n_missing := count - int(about[:, column].sum())) > 0:
                rows = catalog.rules.members(rule_id)
                rows = np.setdiff1d(rows[catalog.is_listed[rows]], candidates)
                rows = rows[~exclusions.excludes(rows)]
                is_capped = catalog.rules_about(rows)[:, caps].any(axis=1)
                order = np.lexsort((-catalog.knowledge.levels[rows, WEEK], is_capped))
                demanded.append(rows[order[:n_missing]])
    return np.concatenate(demanded)


def _with_columns(active: Active, action: Action) -> Iterator[tuple[Rule, int]]:
    """Return the rules of one kind, each with its column."""
    return zip(active.of(action), active.columns(action).tolist())
