"""The catalog: items, embeddings and knowledge by row, as every list needs them. Updated in place by one owner.

A row is given to an item id when it is first heard of, in whatever topic, and kept as long as the process runs.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.categories import CategoryIndex
from stream_rec.catalog.facets import Facets
from stream_rec.catalog.factors import Factors
from stream_rec.catalog.fresh import Fresh
from stream_rec.catalog.graph import Graph
from stream_rec.catalog.knowledge import Knowledge
from stream_rec.catalog.ratings import ItemRatings
from stream_rec.catalog.repeats import CategoryRepeats
from stream_rec.catalog.rules import Rules, is_about
from stream_rec.catalog.spaces import Spaces
from stream_rec.catalog.word_index import WordIndex
from stream_rec.catalog.world import World, encoder_number
from stream_rec.embedding.item_embedding import ItemEmbedding
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.knowledge.state import ItemState


class Catalog:
    """Everything about items that a list is made from.

    >>> from stream_rec.knowledge.visits import add_visit, visitor_of
    >>> catalog = Catalog()
    >>> catalog.put_item(Item("pot"))
    >>> catalog.put_item(Item("cup"))
    >>> who = add_visit(b"", 5, visitor_of("ann"), bound=128)
    >>> state = ItemState(counts=(2, 0, 0), sums=[2.0] * 7, first_ms=3, last_ms=5, predecessors={"pot": 12}, visits=who)
    >>> catalog.put_knowledge("cup", state)
    >>> rows, weights = catalog.knowledge.successors.of(catalog.find("pot"))
    >>> [catalog.item_ids[row] for row in rows], weights.tolist()
    (['cup'], [12.0])
    >>> catalog.knowledge.trending(catalog.is_listed)[0].tolist()
    [1]
    >>> index = catalog.knowledge.neighbour_index
    >>> slot = index.slot(visitor_of("ann"))
    >>> index.rows[slot, : index.n_rows[slot]].tolist()
    [1]
    """

    def __init__(self, modalities: Sequence[str] = ()) -> None:
        """Begin empty.

        Args:
            modalities: Names of vectors that items bring themselves and that are compared: `catalog.vectors`.
        """
        self.item_ids: list[str] = []
        self._row_of: dict[str, int] = {}
        self._items: dict[int, Item] = {}
        self._is_listed = np.zeros(0, dtype=bool)
        self._is_available = np.zeros(0, dtype=bool)
        """(>= n,) by row: the item record exists and says so."""
        self._n_bans = np.zeros(0, dtype=np.int16)
        """(>= n,) by row: how many of ``_bans`` the item is of; 0 without a record."""
        self._log_boosts = np.zeros(0)
        self._tie_breaks = np.zeros(0, dtype=np.uint32)
        """(>= n,) by row: see ``tie_breaks``."""
        self._n_boosted = 0
        self.spaces = Spaces(modalities)
        self.knowledge = Knowledge()
        self.fresh = Fresh()
        self.categories = CategoryIndex()
        self.repeats = CategoryRepeats()
        self.ratings = ItemRatings()
        self.words = WordIndex()
        self.facets = Facets()
        self.graph = Graph()
        self.factors = Factors()
        self.rules = Rules(lambda target: self.find_members(target).tolist())
        self.now_ms = 0
        """The latest of the events' times that was seen."""
        self._bans: dict[str, Rule] = {}
        """Those that hold now in all lists, by id."""

    def __len__(self) -> int:
        """Return the number of rows, listed or not."""
        return len(self.item_ids)

    @property
    def n_listed(self) -> int:
        """Number of items that may be recommended now."""
        return int(np.count_nonzero(self.is_listed))

    @property
    def is_listed(self) -> NDArray[np.bool_]:
        """(n,) bool by row: the item record exists and says that it is available."""
        return self._is_listed[: len(self.item_ids)]

    @property
    def tie_breaks(self) -> NDArray[np.uint32]:
        """(n,) by row: of items that nothing else tells apart, the lowest comes first.

        A number from the item's id, so that it is the same in every process, whatever came first to it.
        """
        return self._tie_breaks[: len(self.item_ids)]

    @property
    def has_boosts(self) -> bool:
        """Whether some item has another boost than 1."""
        return self._n_boosted > 0

    def log_boosts(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the logarithms of the boosts of some items, (k,); 0 for an item without a record."""
        return self._log_boosts[rows]

    def world(self) -> World:
        """Return what lists made now depend on that events do not change."""
        identities = self.spaces.identities
        encoder = encoder_number(identities) if identities else 0
        rules = self.rules.active(self.now_ms).number
        return World(encoder, self.spaces.n_items, self.n_listed, rules)

    def may_be_shown(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Return of each row, (k,) bool, whether its item may be in a list now; a negative row is no item's."""
        return (rows >= 0) & self._is_listed[np.maximum(rows, 0)] if len(self) else np.zeros(len(rows), dtype=bool)

    def find(self, item_id: str) -> int | None:
        """Return the row of an item, or None where it was never heard of. Never makes a row."""
        return self._row_of.get(item_id)

    def item(self, row: int) -> Item | None:
        """Return the item's record, or None where it is not in ``items`` (or no longer)."""
        return self._items.get(row)

    def put_item(self, item: Item) -> None:
        """Take a new or changed item record."""
        row = self._row(item.item_id)
        self.spaces.put_own(row, item.vectors)
        if item.vectors:
            item = msgspec.structs.replace(item, vectors={})  # as arrays they take a twentieth
        self.facets.put(row, self._items.get(row), item)
        self._items[row] = item
        self._boost(row, math.log(item.boost))
        self.categories.put(row, item)
        self.words.put(row, item)
        self._relate(row, item)
        self._see_repeats(row)
        self._see_ratings(row)
        self.rules.see_item(row, item.item_id, item)
        self._is_available[row] = item.available
        self._n_bans[row] = len(self._bans.keys() & self.rules.find_about(item.item_id, item)) if self._bans else 0
        self._list(row)

    def delete_item(self, item_id: str) -> None:
        """Take an item off every list. What was learned of it stays, should it come back."""
        row = self.find(item_id)
        if row is not None:
            before = self._items.pop(row, None)
            self.facets.put(row, before, None)
            self.words.delete(row)
            self.graph.delete(row)
            self.spaces.put_own(row, {})
            self._boost(row, 0.0)
            self.rules.see_item(row, item_id, None)
            self._is_available[row], self._n_bans[row] = False, 0
            self._list(row)

    def put_embedding(self, item_id: str, embedding: ItemEmbedding) -> None:
        """Take an item's vectors.

        Raises:
            DimensionMismatch: a length differs from that of the encoder's other vectors.
        """
        row = self._row(item_id)
        self._see_texts(row, is_first_space_another=self.spaces.put(row, embedding))

    def delete_embedding(self, item_id: str) -> None:
        """Forget an item's vectors."""
        row = self.find(item_id)
        if row is not None:
            self._see_texts(row, is_first_space_another=self.spaces.delete(row))

    def put_knowledge(self, item_id: str, state: ItemState) -> None:
        """Take what the item stage knows of an item now."""
        row = self._row(item_id)
        is_listed = bool(self._is_listed[row])
        self.knowledge.put(row, state, self._rows, is_listed=is_listed, tie_breaks=self.tie_breaks)
        self._see_whether_fresh(row)
        self._see_repeats(row)
        self._see_ratings(row)
        self.see_time(self.knowledge.newest_ms)

    def see_time(self, now_ms: int) -> None:
        """Note that it is so late, by the events' time, which never goes back: bans begin and end with it."""
        self.now_ms = max(self.now_ms, now_ms)
        if self.now_ms >= self.rules.good_until and len(self.rules):
            self._obey_bans()

    def put_rule(self, rule: Rule, put_ms: int = 0) -> None:
        """Take a new or changed rule, put at this time by the broker."""
        self.rules.put(rule, put_ms)
        self._obey_bans()

    def delete_rule(self, rule_id: str) -> None:
        """End a rule."""
        self.rules.delete(rule_id)
        self._obey_bans()

    def rules_about(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return which rules are about each item, (k, columns / 8) one bit each, whether they hold now or not.

        ``unpack`` reads the columns of those that hold: ``Ordered.columns``.
        """
        for row in self.rules.find_unknown(rows).tolist():
            self.rules.compare(row, self.item_ids[row], self._items.get(row))
        return self.rules.about(rows)

    def find_members(self, target: Target) -> NDArray[np.int64]:
        """Return the rows of the items that a rule is about, (m,), ascending: those that have a record."""
        if target == Target():
            return np.array(sorted(self._items), dtype=np.int64)
        if not target.item_ids:
            return self.facets.find_rows(target)
        rows = {row for item_id in target.item_ids if (row := self.find(item_id)) is not None and row in self._items}
        members = [row for row in rows if is_about(target, self.item_ids[row], self._items[row])]
        return np.array(sorted(members), dtype=np.int64)

    def find_relation(self, row: int, other: int, item_id: str) -> str:
        """Return by which kind of relation one of two items, or both of them, name an item; "" where neither does."""
        for each in (row, other):
            if (item := self._items.get(each)) is not None:
                for name in sorted(item.relations):
                    if item_id in item.relations[name]:
                        return name
        return ""

    def put_shift(self, worker: str, item_id: str, shift: NDArray[np.float32]) -> None:
        """Take how far another worker has shifted an item's factors."""
        self.factors.take(worker, self._row(item_id), shift)

    def restore_shift(self, item_id: str, shift: NDArray[np.float32]) -> None:
        """Take how far this worker had shifted an item's factors before it was started again."""
        self.factors.restore(self._row(item_id), shift)

    def _see_texts(self, changed: int, *, is_first_space_another: bool) -> None:
        """Let items' factors begin where their text is in the first space, or at signs of their own without one."""
        for row in range(len(self)) if is_first_space_another else (changed,):
            if (vector := self.spaces.find(row)) is not None:
                self.factors.put_text(row, vector.astype(np.float32))
            else:
                self.factors.delete_text(row, self.item_ids[row])

    def _relate(self, row: int, item: Item) -> None:
        self.graph.put(row, item)
        for item_ids in item.relations.values():
            for item_id in item_ids:
                if (named := self.find(item_id)) is not None and named in self._items:
                    self.graph.see_named(named, item_id)

    def _see_whether_fresh(self, row: int) -> None:
        self.fresh.set(row, is_listed=bool(self._is_listed[row]), n_events=self.knowledge.n_events_of(row))

    def _see_repeats(self, row: int) -> None:
        n_events, n_repeats = self.knowledge.n_events_of(row), int(self.knowledge.repeats[row])
        [category] = self.categories.first_of(np.array([row])).tolist()
        self.repeats.put(row, category, n_events=n_events, n_repeats=n_repeats)

    def _see_ratings(self, row: int) -> None:
        ratings = self.knowledge.find_state(row).ratings
        if ratings[0] or row in self.ratings:
            self.ratings.put(row, ratings, self.categories.list_of(row))

    def _obey_bans(self) -> None:
        """Take off every list what is banned by now, and let back what no longer is."""
        before = self._bans
        bans = self.rules.active(self.now_ms).of("ban").rules
        self._bans = {rule.rule_id: rule for rule in bans if rule.scope is None}
        ended = [rule for rule_id, rule in before.items() if self._bans.get(rule_id) != rule]
        begun = [rule for rule_id, rule in self._bans.items() if before.get(rule_id) != rule]
        for rule, change in (*((rule, -1) for rule in ended), *((rule, 1) for rule in begun)):
            rows = self.find_members(rule.target)
            self._n_bans[rows] += change
            self._list_all(rows)

    def _boost(self, row: int, log_boost: float) -> None:
        self._n_boosted += (log_boost != 0.0) - int(self._log_boosts[row] != 0.0)
        self._log_boosts[row] = log_boost

    def _list(self, row: int) -> None:
        """Let an item into lists, or take it off, as is said of it by now."""
        is_listed = bool(self._is_available[row]) and not self._n_bans[row]
        if self._is_listed[row] != is_listed:
            self._is_listed[row] = is_listed
            self.knowledge.forget_trending()
            self._see_whether_fresh(row)

    def _list_all(self, rows: NDArray[np.int64]) -> None:
        """Do so with many items, (k,), at once."""
        is_listed = self._is_available[rows] & (self._n_bans[rows] == 0)
        has_changed = is_listed != self._is_listed[rows]
        if has_changed.any():
            rows, is_listed = rows[has_changed], is_listed[has_changed]
            self._is_listed[rows] = is_listed
            self.knowledge.forget_trending()
            self.fresh.set_all(rows, is_listed, self.knowledge.counts[rows].sum(axis=1))

    def _rows(self, item_ids: Collection[str]) -> list[int]:
        try:
            return list(map(self._row_of.__getitem__, item_ids))
        except KeyError:
            return list(map(self._row, item_ids))

    def _row(self, item_id: str) -> int:
        row = self._row_of.get(item_id)
        if row is None:
            row = self._row_of[item_id] = len(self.item_ids)
            self.item_ids.append(item_id)
            self.rules.see_row(item_id)
            if row >= len(self._is_listed):
                self._is_listed = grow(self._is_listed, row + 1)
                self._is_available = grow(self._is_available, row + 1)
                self._n_bans = grow(self._n_bans, row + 1)
                self._log_boosts = grow(self._log_boosts, row + 1)
                self._tie_breaks = grow(self._tie_breaks, row + 1)
            self._tie_breaks[row] = zlib.crc32(item_id.encode())
            self.factors.add(row, item_id)
            self.spaces.ensure_capacity(row + 1)
            self.knowledge.ensure_capacity(row + 1)
            self.fresh.ensure_capacity(row + 1)
        return row
