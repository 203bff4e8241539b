"""One item as a page shows it: what it is, what is near it, how popular it is, where it is shown, and its rules."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.dashboard.listed import Named, name_item
from stream_rec.dashboard.rule_states import RuleState, describe_state
from stream_rec.dashboard.shown_lists import Shown
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS

NEAREST = 10
LONGEST_TEXT = 2_000
"""Characters of a description, and of an attribute, that are shown."""
MOST_FACTS = 50
"""Tags, attributes, and kinds of relations."""


class Near(Struct, frozen=True):
    """An item near another."""

    item: Named
    amount: float
    """Cosine of their texts, or the share of those who went from one to the other."""


class Space(Struct, frozen=True):
    """Items with the nearest texts, as one encoder has it."""

    encoder: str
    items: list[Near]


class Popularity(Struct, frozen=True):
    """How popular an item is at one half-life."""

    half_life_h: int
    events: float
    """What its events count by now."""
    rank: int | None
    """Among all items, from 1; None without events."""


class Related(Struct, frozen=True):
    """What the catalog says that it belongs to."""

    kind: str
    items: list[Named]


class ItemPage(Struct, frozen=True):
    """One item."""

    item: Named
    description: str
    tags: list[str]
    attributes: dict[str, str]
    boost: float
    has_record: bool
    why_not_listed: str
    """In words; "" where it may be in lists."""
    counts: dict[str, int]
    repeats: int
    first_ms: int | None
    last_ms: int | None
    spaces: list[Space]
    successors: list[Near]
    predecessors: list[Near]
    popularity: list[Popularity]
    relations: list[Related]
    n_lists: int
    """Of those that are kept, in which it is."""
    n_kept_lists: int
    users: list[str]
    """A sample of whose those are."""
    rules: list[RuleState]


def show_item(catalog: Catalog, item_id: str, shown: Shown, n_kept_lists: int) -> ItemPage | None:
    """Return all that is known of an item, None where nobody has heard of it."""
    row = catalog.find(item_id)
    if row is None:
        return None
    item, knowledge = catalog.item(row), catalog.knowledge
    state = knowledge.find_state(row)
    rules = [catalog.rules.find(rule_id) for rule_id in sorted(catalog.rules.find_about(item_id, item))]
    about = [describe_state(catalog, rule) for rule in rules if rule is not None]
    return ItemPage(
        item=name_item(catalog, item_id),
        description="" if item is None else item.description[:LONGEST_TEXT],
        tags=[] if item is None else item.tags[:MOST_FACTS],
        attributes={} if item is None else _list_attributes(item),
        boost=1.0 if item is None else item.boost,
        has_record=item is not None,
        why_not_listed=_say_why_not(catalog, row, item, about),
        counts={kind.name.lower(): count for kind, count in zip(Kind, state.counts)},
        repeats=state.repeats,
        first_ms=state.first_ms,
        last_ms=state.last_ms,
        spaces=_find_spaces(catalog, row),
        successors=_find_successors(catalog, row),
        predecessors=_find_predecessors(catalog, state.predecessors),
        popularity=_find_popularity(catalog, row),
        relations=[] if item is None else _list_relations(catalog, item),
        n_lists=shown.n_lists,
        n_kept_lists=n_kept_lists,
        users=shown.user_ids,
        rules=about,
    )


def _say_why_not(catalog: Catalog, row: int, item: Item | None, rules: list[RuleState]) -> str:
    if catalog.is_listed[row]:
        return ""
    if item is None:
        return "the catalog has no record of it: it was deleted, or has not been put yet"
    if not item.available:
        return "its record says that it is not available"
    bans = [each.rule.rule_id for each in rules if each.rule.action == "ban" and each.state == "in force"]
    return f"banned by {', '.join(bans)}" if bans else "a rule keeps it out"


def _list_attributes(item: Item) -> dict[str, str]:
    return {
        name[:LONGEST_TEXT]: (value if isinstance(value, str) else _as_text(value))[:LONGEST_TEXT]
        for name, value in list(item.attributes.items())[:MOST_FACTS]
    }


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list_relations(catalog: Catalog, item: Item) -> list[Related]:
    return [
        Related(kind, [name_item(catalog, each) for each in item_ids[:NEAREST]])
        for kind, item_ids in list(item.relations.items())[:MOST_FACTS]
    ]


def _find_spaces(catalog: Catalog, row: int) -> list[Space]:
    identities = iter(catalog.spaces.identities)
    spaces = []
    for similar in catalog.spaces.similar():
        if not similar.is_empty:
            rows, cosines = similar.of(row)
            spaces.append(Space(next(identities, ""), _near(catalog, rows, cosines)))
    return spaces


def _find_successors(catalog: Catalog, row: int) -> list[Near]:
    rows, weights = catalog.knowledge.successors.of(row)
    return _near(catalog, rows, weights / max(float(catalog.knowledge.successors.total[row]), 1e-9))


def _find_predecessors(catalog: Catalog, predecessors: dict[str, int]) -> list[Near]:
    heaviest = sorted(predecessors.items(), key=lambda each: -each[1])[:NEAREST]
    total = max(sum(predecessors.values()), 1)
    return [Near(name_item(catalog, item_id), weight / total) for item_id, weight in heaviest if weight > 0]


def _near(catalog: Catalog, rows: NDArray[np.int32], amounts: NDArray[np.float32]) -> list[Near]:
    pairs = zip(rows[:NEAREST].tolist(), amounts[:NEAREST].tolist())
    return [Near(name_item(catalog, catalog.item_ids[row]), amount) for row, amount in pairs]


def _find_popularity(catalog: Catalog, row: int) -> list[Popularity]:
    levels, now_ms = catalog.knowledge.levels[: len(catalog)], catalog.knowledge.now_ms(0)
    found = []
    for number, half_life in enumerate(HALF_LIVES_MS):
        level = float(levels[row, number])
        has_events = level > -np.inf
        events = 2.0 ** (level - now_ms / half_life) if has_events else 0.0
        rank = int(np.count_nonzero(levels[:, number] > level)) + 1 if has_events else None
        found.append(Popularity(round(half_life / HOUR_MS), events, rank))
    return found
