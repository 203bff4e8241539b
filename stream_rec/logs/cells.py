"""Cells of a table: from a row of texts to the fields that a JSON line would have."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from stream_rec.fields.read import IS_NUMBER, read_number

LIST_SEPARATOR = "|"
"""Between the elements of a list in one cell of a table."""


def make_row_reader(header: list[str], fields: Collection[str]) -> Callable[[list[str]], dict[str, Any]]:
    """Return what makes of a row of a table the fields that a JSON line would have.

    An empty cell is a field that is not there; a column ``attributes.brand`` is ``brand`` in ``attributes``. What is no
    number or truth where one is expected stays a text, for ``read_event_row`` and ``read_item_row`` to name.

    Args:
        fields: Names of the fields that are wanted; other columns are left out.

    Example:
        >>> read = make_row_reader(["item_id", "tags", "attributes.year", "shelf"], ["item_id", "tags", "attributes"])
        >>> read(["007", "red|dry", "2019", "A3"])
        {'item_id': '007', 'tags': ['red', 'dry'], 'attributes': {'year': 2019}}
    """
    plan: list[tuple[int, str, str | None, Callable[[str], Any]]] = []
    for index, column in enumerate(header):
        name, dot, key = column.partition(".")
        if name in fields and (key or not dot):
            of_key = _read_list if name == "relations" else _read_fact
            plan.append((index, name, key or None, of_key if key else _FROM_TEXT.get(name, str)))

    def read(cells: list[str]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for index, name, key, value_of in plan:
            if cell := cells[index]:
                if key is None:
                    row[name] = value_of(cell)
                elif isinstance(inner := row.setdefault(name, {}), dict):
                    inner[key] = value_of(cell)
        return row

    return read


def _read_whole(cell: str) -> int | str:
    try:
        return int(cell) if IS_NUMBER.fullmatch(cell) else cell
    except ValueError:
        return cell


def _read_fact(cell: str) -> float | int | str:
    """Return a number where a cell is written like one in JSON: 007 is a text."""
    try:
        number = msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        return cell
    return number if type(number) in (int, float) else cell


def _read_list(cell: str) -> list[str]:
    return [part for part in map(str.strip, cell.split(LIST_SEPARATOR)) if part]


def _read_shown(cell: str) -> Any:
    """Return the items of an impression: ids in the order shown, or JSON."""
    return _read_object(cell) if cell.startswith("[") else _read_list(cell)


def _read_truth(cell: str) -> bool | str:
    return _TRUTHS.get(cell.strip().lower(), cell)


def _read_object(cell: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        return cell


_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "timestamp": read_number, "timestamp_ms": _read_whole, "value": read_number, "context": _read_object,
    "items": _read_shown, "tags": _read_list, "attributes": _read_object, "relations": _read_object,
    "vectors": _read_object, "available": _read_truth, "boost": read_number,
}  # fmt: skip
