"""Catalogs for tests, and the slow and plain way to what they answer."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.facets import Filter, number_of
from stream_rec.catalog.rules import text_of
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.events.item import Item
from stream_rec.knowledge import popularity, visits
from stream_rec.knowledge.state import ItemState

OLD, NEW, SECOND = "old@1", "new@1", "second@1"


def embedded(vector, encoder: str = OLD, second=None) -> ItemEmbedding:
    """Return an embedding of unit length, in a ``second`` space too where there is a vector for it."""
    vectors = (space_vector(vector, encoder),)
    return ItemEmbedding(b"\0" * 16, vectors if second is None else (*vectors, space_vector(second, SECOND)))


def space_vector(vector, encoder: str = OLD) -> SpaceVector:
    """Return a vector of unit length."""
    vector = np.asarray(vector, dtype=np.float32)
    return SpaceVector(encoder, vector / np.linalg.norm(vector))


def taught(
    *times_ms: int,
    predecessors: dict[str, int] | None = None,
    repeats: int = 0,
    users: dict[str, int] | None = None,
    first_ms: tuple[int, ...] = (),
) -> ItemState:
    """Return what is known of an item that was viewed at these times and came after these items.

    Args:
        repeats: How many of the views were by users who had the item before.
        users: Who came last, and when.
        first_ms: Those of ``times_ms`` at which it was a user's first item.
    """
    sums, last_ms = [], None
    for at in times_ms:
        sums, last_ms = popularity.add(sums, last_ms, at)
    first_sums, last_first_ms = [], None
    for at in first_ms:
        first_sums, last_first_ms = popularity.add(first_sums, last_first_ms, at, popularity.FIRST_HALF_LIVES_MS)
    return ItemState(
        counts=(len(times_ms), 0, 0),
        sums=sums,
        first_ms=min(times_ms, default=None),
        last_ms=last_ms,
        predecessors=predecessors or {},
        repeats=repeats,
        visits=encoded_visits(users or {}),
        first_sums=first_sums,
        last_first_ms=last_first_ms,
    )


def encoded_visits(users: dict[str, int], bound: int = 128) -> bytes:
    """Return the recent visits of an item, these users'."""
    made = b""
    for user_id, seen_ms in users.items():
        made = visits.add_visit(made, seen_ms, visits.visitor_of(user_id), bound)
    return made


def stocked(*item_ids: str) -> Catalog:
    """Return a catalog in which these items are listed; nothing is known of them."""
    catalog = Catalog()
    for item_id in item_ids:
        catalog.put_item(Item(item_id))
    return catalog


def neighbours(catalog: Catalog, item_id: str) -> list[str]:
    """Return the ids of an item's text neighbours, best first."""
    rows, _ = catalog.spaces.similar()[0].of(catalog.find(item_id))
    return [catalog.item_ids[row] for row in rows]


def contents(catalog: Catalog) -> list:
    """Return everything a catalog answers, to see that nothing changed."""
    rows = range(len(catalog))
    knowledge, n_users = catalog.knowledge, len(catalog.knowledge.neighbour_index)
    return [
        list(catalog.item_ids),
        catalog.is_listed.tolist(),
        [catalog.item(row) for row in rows],
        [[a.tolist() for a in similar.of(row)] for similar in catalog.spaces.similar() for row in rows],
        [[a.tolist() for a in knowledge.successors.of(row)] for row in rows],
        knowledge.successors.total[: len(catalog)].tolist(),
        knowledge.trending(catalog.is_listed).tolist(),
        knowledge.counts[: len(catalog)].tolist(),
        knowledge.repeats[: len(catalog)].tolist(),
        knowledge.neighbour_index.of_item[: len(catalog)].tolist(),
        knowledge.neighbour_index.rows[:n_users].tolist(),
        (knowledge.newest_ms, knowledge.newcomers, knowledge.n_events, knowledge.n_repeats),
        [pool.rows().tolist() for pool in (catalog.fresh.unseen, catalog.fresh.seen)],
        catalog.spaces.vectors()[: len(catalog)].tolist(),
        catalog.spaces.leading()[: len(catalog)].tolist(),
        [array[: len(catalog)].tolist() for array in (catalog.factors.vectors, catalog.factors.own)],
        (list(catalog.factors.changed), catalog.factors.pool.tolist(), catalog.factors.n_choices),
    ]


def is_wanted(item: Item, wanted: Filter) -> bool:
    """Return whether a filter wants an item, said plainly."""
    texts = {name: text_of(value) for name, value in item.attributes.items()}
    names = {name for name, _ in wanted.attributes}
    return (
        item.available
        and (not wanted.categories or item.category in wanted.categories)
        and item.category not in wanted.not_categories
        and set(wanted.tags) <= set(item.tags)
        and (not wanted.any_tags or not set(wanted.any_tags).isdisjoint(item.tags))
        and set(wanted.not_tags).isdisjoint(item.tags)
        and all((name, texts.get(name)) in wanted.attributes for name in names)
        and all((name, texts.get(name)) not in wanted.not_attributes for name in texts)
        and all(each.least <= number_of(texts.get(each.attribute)) <= each.most for each in wanted.bounds)
    )
