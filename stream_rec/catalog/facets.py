"""Facets: which items have a category, a tag, an attribute or a price. Updated in place by one owner.

Kept only where lists are filtered: an item costs some 100 bytes for each value that it has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.rules import text_of
from stream_rec.events.item import Item
from stream_rec.surface_settings import Surface

PRICE = "price"
"""The attribute that is compared as a number, too."""


class Filter(Struct, frozen=True):
    """Which items are wanted: those that have all that is said here."""

    categories: tuple[str, ...] = ()
    """Any of these."""
    tags: tuple[str, ...] = ()
    """All of these."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Name and value of each, compared as text, as in a rule."""
    price_min: float | None = None
    price_max: float | None = None
    """Bounds that count as within; an item without a price is within none."""


EVERYTHING = Filter()


def filter_of(surface: Surface) -> Filter:
    """Return which items a surface may hold at all."""
    attributes = tuple(surface.attributes.items())
    return Filter(surface.categories, surface.tags, attributes, surface.price_min, surface.price_max)


class Facets:
    """Rows by value.

    Example:
        >>> facets = Facets()
        >>> facets.put(0, None, Item("pot", tags=["blue"], attributes={"brand": "Acme", "price": 20}))
        >>> facets.put(1, None, Item("cup", tags=["blue"], attributes={"price": 5}))
        >>> facets.find(Filter(tags=("blue",), price_max=10), np.array([True, True])).tolist()
        [False, True]
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], set[int]] = {}
        self._prices = np.zeros(0)
        """(>= n,) NaN for an item without one."""

    def put(self, row: int, before: Item | None, item: Item | None) -> None:
        """Take an item's new record.

        Args:
            before: The one until now; None for a new item.
            item: None for one that is gone.
        """
        old = set(_values_of(before)) if before is not None else set()
        new = set(_values_of(item)) if item is not None else set()
        for value in old - new:
            self._rows[value].discard(row)
            if not self._rows[value]:
                del self._rows[value]
        for value in new - old:
            self._rows.setdefault(value, set()).add(row)
        self._prices = grow(self._prices, row + 1, fill=np.nan)
        self._prices[row] = np.nan if item is None else _price_of(item)

    def find(self, wanted: Filter, is_listed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of the listed items are wanted, (n,) by row, an array of its own.

        Args:
            is_listed: (n,) by row.
        """
        is_in = is_listed.copy()
        if wanted.categories:
            is_in &= self._with_any([("category", category) for category in wanted.categories], len(is_in))
        for tag in wanted.tags:
            is_in &= self._with_any([("tag", tag)], len(is_in))
        for name, value in wanted.attributes:
            is_in &= self._with_any([("attribute", name, value)], len(is_in))
        if wanted.price_min is not None or wanted.price_max is not None:
            self._prices = grow(self._prices, len(is_in), fill=np.nan)
            prices = self._prices[: len(is_in)]
            least, most = wanted.price_min, wanted.price_max
            is_in &= (prices >= (-np.inf if least is None else least)) & (prices <= (np.inf if most is None else most))
        return is_in

    def _with_any(self, values: list[tuple[str, ...]], n_rows: int) -> NDArray[np.bool_]:
        has_value = np.zeros(n_rows, dtype=bool)
        for value in values:
            rows = self._rows.get(value, set())
            has_value[np.fromiter(rows, dtype=np.int64, count=len(rows))] = True
        return has_value


def _values_of(item: Item) -> Iterator[tuple[str, ...]]:
    if item.category:
        yield "category", item.category
    for tag in item.tags:
        yield "tag", tag
    for name, value in item.attributes.items():
        if (text := text_of(value)) is not None:
            yield "attribute", name, text


def _price_of(item: Item) -> float:
    """Return an item's price, NaN where it has none that is a number."""
    price = item.attributes.get(PRICE)
    if isinstance(price, bool) or not isinstance(price, (int, float, str)):
        return math.nan
    try:
        return float(price)
    except (ValueError, OverflowError):
        return math.nan
