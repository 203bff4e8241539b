"""Facets: which items have a category, a tag or an attribute. Updated in place by one owner.

An item costs some 4 bytes for each value that it shares with others, and some 300 for one that it has alone.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.rules import text_of
from stream_rec.events.item import Item
from stream_rec.events.rule import Target

MOST_COLUMNS = 16
"""Attributes whose numbers are kept as columns, those that were asked for last: 8 bytes an item each."""
Facet = tuple[str, ...]
"""What values are of: ``CATEGORY``, ``TAG``, or an attribute of this name."""
CATEGORY: Facet = ("category",)
TAG: Facet = ("tag",)
PRICE = "price"
"""The attribute that has names of its own for its bounds."""
Pairs = tuple[tuple[str, str], ...]
"""Names and values of attributes. Values are compared as text, as in a rule."""


class Bounds(Struct, frozen=True):
    """Bounds on an attribute that is a number, themselves within; an item without such a number is within none."""

    attribute: str
    least: float = -math.inf
    most: float = math.inf


class Filter(Struct, frozen=True):
    """Which items are wanted: those that have all that is said here."""

    categories: tuple[str, ...] = ()
    """Any of these."""
    not_categories: tuple[str, ...] = ()
    """None of these, as of all that begins with ``not``."""
    tags: tuple[str, ...] = ()
    """All of these."""
    any_tags: tuple[str, ...] = ()
    """Any of these."""
    not_tags: tuple[str, ...] = ()
    attributes: Pairs = ()
    """Each attribute that is named; of one that is named several times any of the values."""
    not_attributes: Pairs = ()
    bounds: tuple[Bounds, ...] = ()


EVERYTHING = Filter()


def bounds_of(
    least: Iterable[tuple[str, float | None]], most: Iterable[tuple[str, float | None]]
) -> tuple[Bounds, ...]:
    """Return bounds of names and numbers; None bounds nothing."""
    return (
        *(Bounds(name, least=number) for name, number in least if number is not None),
        *(Bounds(name, most=number) for name, number in most if number is not None),
    )


class Facets:
    """Rows by value.

    Example:
        >>> facets = Facets()
        >>> facets.put(0, None, Item("pot", tags=["blue"], attributes={"brand": "Acme", "price": 20}))
        >>> facets.put(1, None, Item("cup", tags=["blue"], attributes={"price": 5}))
        >>> cheap = Filter(tags=("blue",), bounds=(Bounds("price", most=10),))
        >>> facets.find(cheap, np.array([True, True])).tolist()
        [False, True]
        >>> facets.find_rows(Target(tag="blue")).tolist()
        [0, 1]
    """

    def __init__(self) -> None:
        self._rows: dict[Facet, dict[str, _Rows]] = {}
        self._columns: dict[str, NDArray[np.float64]] = {}
        """(>= n,) by attribute, NaN for an item without a number; those that were asked for last stand last."""

    def put(self, row: int, before: Item | None, item: Item | None) -> None:
        """Take an item's new record.

        Args:
            before: The one until now; None for a new item.
            item: None for one that is gone.
        """
        old = set(_values_of(before)) if before is not None else set()
        new = set(_values_of(item)) if item is not None else set()
        for facet, value in old - new:
            rows = self._rows[facet][value]
            rows.remove(row)
            if not len(rows):
                del self._rows[facet][value]
                if not self._rows[facet]:
                    del self._rows[facet]
        for facet, value in new - old:
            of_facet = self._rows.setdefault(facet, {})
            if value not in of_facet:
                of_facet[value] = _Rows()
            of_facet[value].add(row)
        for name, column in self._columns.items():
            column = self._columns[name] = grow(column, row + 1, fill=np.nan)
            column[row] = number_of(text_of(item.attributes.get(name))) if item is not None else np.nan

    def find(self, wanted: Filter, is_listed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of the listed items are wanted, (n,) by row, an array of its own.

        Args:
            is_listed: (n,) by row.
        """
        is_in = is_listed.copy()
        if wanted.categories:
            is_in &= self._with_any(CATEGORY, wanted.categories, len(is_in))
        if wanted.any_tags:
            is_in &= self._with_any(TAG, wanted.any_tags, len(is_in))
        for tag in wanted.tags:
            is_in &= self._with_any(TAG, (tag,), len(is_in))
        for name, values in _by_name(wanted.attributes).items():
            is_in &= self._with_any(("attribute", name), values, len(is_in))
        unwanted = [(CATEGORY, category) for category in wanted.not_categories]
        unwanted += [(TAG, tag) for tag in wanted.not_tags]
        unwanted += [(("attribute", name), value) for name, value in wanted.not_attributes]
        for facet, value in unwanted:
            is_in[self._rows_of(facet, value)] = False
        for bounds in wanted.bounds:
            numbers = self._read_column(bounds.attribute, len(is_in))
            is_in &= (numbers >= bounds.least) & (numbers <= bounds.most)
        return is_in

    def find_rows(self, target: Target) -> NDArray[np.int64]:
        """Return the rows that have all values of a target, (m,), ascending; it names a value, and no ids."""
        values: list[tuple[Facet, str]] = [(("attribute", name), value) for name, value in target.attributes.items()]
        values += [(CATEGORY, target.category)] if target.category else []
        values += [(TAG, target.tag)] if target.tag else []
        first, *others = sorted((self._rows_of(*value) for value in values), key=len)
        for rows in others:
            first = np.intersect1d(first, rows, assume_unique=True)
        return np.sort(first)

    def _with_any(self, facet: Facet, values: Iterable[str], n_rows: int) -> NDArray[np.bool_]:
        has_value = np.zeros(n_rows, dtype=bool)
        for value in values:
            has_value[self._rows_of(facet, value)] = True
        return has_value

    def _rows_of(self, facet: Facet, value: str) -> NDArray[np.int64]:
        rows = self._rows.get(facet, {}).get(value)
        return _NO_ROWS if rows is None else rows.read()

    def _read_column(self, name: str, n_rows: int) -> NDArray[np.float64]:
        """Return the numbers of an attribute, (n_rows,), which is the one that was asked for last from now on."""
        of_attribute = self._rows.get(("attribute", name))
        if of_attribute is None:  # not one that takes the place of a column in use
            return np.full(n_rows, np.nan)
        column = self._columns.pop(name, None)
        if column is None:
            column = np.full(n_rows, np.nan)
            for value, rows in of_attribute.items():
                column[rows.read()] = number_of(value)
            if len(self._columns) >= MOST_COLUMNS:
                del self._columns[next(iter(self._columns))]
        self._columns[name] = grow(column, n_rows, fill=np.nan)
        return self._columns[name][:n_rows]


class _Rows:
    """Rows of one value, each once, in no order."""

    __slots__ = ("_gone", "_rows")

    def __init__(self) -> None:
        self._rows = array("i")
        self._gone: set[int] | None = None
        """Those of them that are here no more: at most half."""

    def __len__(self) -> int:
        return len(self._rows) - len(self._gone or ())

    def add(self, row: int) -> None:
        """Take a row that is not here."""
        if self._gone is not None and row in self._gone:
            self._gone.remove(row)
        else:
            self._rows.append(row)

    def remove(self, row: int) -> None:
        """Let a row go that is here."""
        gone = self._gone = self._gone or set()
        gone.add(row)
        if 2 * len(gone) > len(self._rows):
            self._rows = array("i", (kept for kept in self._rows if kept not in gone))
            self._gone = None

    def read(self) -> NDArray[np.int64]:
        """Return the rows, an array of its own."""
        rows = np.array(self._rows, dtype=np.int64)
        return rows if not self._gone else rows[~np.isin(rows, list(self._gone))]


_NO_ROWS = np.zeros(0, dtype=np.int64)


def number_of(text: str | None) -> float:
    """Return the number that an attribute is, NaN where it is none.

    >>> number_of("4.50"), number_of("true"), number_of("inf")
    (4.5, nan, nan)
    """
    try:
        number = float(text or "")
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _by_name(pairs: Pairs) -> dict[str, Sequence[str]]:
    return {name: [value for other, value in pairs if other == name] for name, _ in pairs}


def _values_of(item: Item) -> Iterator[tuple[Facet, str]]:
    if item.category:
        yield CATEGORY, item.category
    for tag in item.tags:
        yield TAG, tag
    for name, value in item.attributes.items():
        if (text := text_of(value)) is not None:
            yield ("attribute", name), text
