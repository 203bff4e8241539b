"""A list as a page shows it: items with their titles and why each is there; and two lists, one against the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.item import Item
from stream_rec.events.slate import Slate, SlateItem
from stream_rec.explain import why


class Named(Struct, frozen=True):
    """An item, by what people call it."""

    item_id: str
    title: str
    """Its id where it has none."""
    category: str
    is_listed: bool
    """Whether it may be in lists now."""


class Listed(Struct, frozen=True):
    """One item of a list."""

    item: Named
    score: float
    propensity: float
    why: str
    """In words."""
    kind: str
    """Of the reason."""
    rule: str | None


class PublishedList(Struct, frozen=True):
    """A list."""

    list_id: str
    generated_at_ms: int
    as_of_ms: int | None
    """Time of the event that it was made on."""
    as_of_topic: str
    as_of_event: str
    policy: str
    items: list[Listed]


class Compared(Struct, frozen=True):
    """One item of two lists."""

    listed: Listed
    before: int | None
    """Its slot in the first, from 1; None where it is not in there."""
    after: int | None


class Comparison(Struct, frozen=True):
    """Two lists: the second in its order, then what left the first."""

    rows: list[Compared]
    n_came: int
    n_left: int
    n_reordered: int
    """In both, in other slots."""


def name_item(catalog: Catalog, item_id: str) -> Named:
    """Return an item by its title; also one that nobody has heard of."""
    item = find_item(catalog, item_id)
    row = catalog.find(item_id)
    is_listed = row is not None and bool(catalog.is_listed[row])
    if item is None:
        return Named(item_id, item_id, "", is_listed)
    return Named(item_id, item.title or item_id, item.category, is_listed)


def find_item(catalog: Catalog, item_id: str) -> Item | None:
    """Return an item's record, or None."""
    row = catalog.find(item_id)
    return None if row is None else catalog.item(row)


def title_in(catalog: Catalog) -> Callable[[str], str | None]:
    """Return what finds titles, as ``why`` asks for them."""

    def title_of(item_id: str) -> str | None:
        item = find_item(catalog, item_id)
        return None if item is None else item.title

    return title_of


def list_items(catalog: Catalog, items: Sequence[SlateItem]) -> list[Listed]:
    """Return the items of a list with their titles and reasons."""
    title_of = title_in(catalog)
    return [
        Listed(
            name_item(catalog, item.item_id),
            item.score,
            item.propensity,
            why(item.reason, title_of),
            item.reason.kind,
            item.reason.rule,
        )
        for item in items
    ]


def show_list(catalog: Catalog, slate: Slate) -> PublishedList:
    """Return a list as a page shows it."""
    as_of = slate.as_of
    return PublishedList(
        slate.list_id,
        slate.generated_at_ms,
        None if as_of is None else as_of.timestamp_ms,
        "" if as_of is None else as_of.topic,
        "" if as_of is None else as_of.event_id,
        slate.policy,
        list_items(catalog, slate.items),
    )


def compare(before: Sequence[Listed], after: Sequence[Listed]) -> Comparison:
    """Return what is in two lists, one against the other."""
    was = {listed.item.item_id: slot for slot, listed in enumerate(before, start=1)}
    now = {listed.item.item_id: slot for slot, listed in enumerate(after, start=1)}
    rows = [Compared(each, was.get(each.item.item_id), slot) for slot, each in enumerate(after, start=1)]
    rows += [Compared(each, slot, None) for slot, each in enumerate(before, start=1) if each.item.item_id not in now]
    n_came = sum(row.before is None for row in rows)
    n_left = sum(row.after is None for row in rows)
    n_reordered = sum(None not in (row.before, row.after) and row.before != row.after for row in rows)
    return Comparison(rows, n_came, n_left, n_reordered)
