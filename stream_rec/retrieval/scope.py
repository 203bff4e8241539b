"""Which rules hold in one list: those whose scope its surface and its user are in."""

from __future__ import annotations

import hashlib

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active
from stream_rec.events.interaction import Kind
from stream_rec.events.rule import Rule
from stream_rec.events.scope import Arm, Segment
from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.user.history import History

DAY_MS = 24 * HOUR_MS
NOBODYS = ("", DEFAULT_LIST)
"""In place of a user's id, in lists for nobody in particular."""


def keep_in_scope(
    active: Active, surface: str, user_id: str, history: History, catalog: Catalog, now_ms: int
) -> Active:
    """Return those of the rules that hold in a list.

    Args:
        surface: The list's name.
    """
    if not active.has_scopes:
        return active

    found: dict[Segment, bool] = {}

    def is_user_in(segment: Segment) -> bool:
        if segment not in found:
            found[segment] = is_in_segment(segment, history, catalog, now_ms)
        return found[segment]

    def holds(rule: Rule) -> bool:
        scope = rule.scope
        return scope is None or (
            (not scope.surfaces or surface in scope.surfaces)
            and (scope.arm is None or is_in_arm(scope.arm, user_id))
            and (scope.segment is None or is_user_in(scope.segment))
        )

    return catalog.rules.keep(active, holds)


def is_in_arm(arm: Arm, user_id: str) -> bool:
    """Return whether a user is in an arm; a list for nobody in particular is in none.

    >>> halves = Arm("autumn", (0, 50)), Arm("autumn", (50, 100))
    >>> [is_in_arm(half, "ann") for half in halves]
    [False, True]
    """
    if user_id in NOBODYS:
        return False
    digest = hashlib.blake2b(f"{arm.experiment}/{user_id}".encode(), digest_size=8).digest()
    percent = 100.0 * (int.from_bytes(digest, "little") >> 11) * 2.0**-53  # a float holds 53 bits
    return arm.percent[0] <= percent < arm.percent[1]


def is_in_segment(segment: Segment, history: History, catalog: Catalog, now_ms: int) -> bool:
    """Return whether all that a segment says holds of a user."""
    if segment.events_min is not None and history.n_events < segment.events_min:
        return False
    if segment.events_max is not None and history.n_events > segment.events_max:
        return False
    if segment.idle_days_min is not None or segment.idle_days_max is not None:
        if history.last_ms is None:
            return False
        idle_days = max(now_ms - history.last_ms, 0) / DAY_MS
        if segment.idle_days_min is not None and idle_days < segment.idle_days_min:
            return False
        if segment.idle_days_max is not None and idle_days > segment.idle_days_max:
            return False
    return not segment.bought_category or has_bought(segment.bought_category, history, catalog)


def has_bought(category: str, history: History, catalog: Catalog) -> bool:
    """Return whether a user bought something of a category, as far as the weekly counts reach."""
    return any(
        count.counts[Kind.PURCHASE]
        and (row := catalog.find(count.item_id)) is not None
        and (item := catalog.item(row)) is not None
        and item.category == category
        for count in history.weekly_counts
    )
