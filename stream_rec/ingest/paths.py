"""Paths: where something stands in a record, as settings say it.

``user.id`` goes into objects by name and into lists by number. What begins with ``$`` is of the record itself:
``$key``, ``$key.id``, ``$timestamp``, ``$header.NAME``, ``$envelope.NAME``. ``each.sku`` is of the element of ``each``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from stream_rec.ingest.foreign_record import Content, ForeignRecord

EACH = "each"


class Missing:
    """What a path leads to where there is nothing."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = Missing()


def pick(path: str, record: ForeignRecord, content: Content, element: Any = MISSING) -> Any:
    """Return what stands at a path, ``MISSING`` where there is nothing or null.

    Example:
        >>> record = ForeignRecord("clicks", 0, 7, 1000, b"ann", b"", {"lang": b"de"})
        >>> content = Content({"user": {"id": 5}, "lines": [{"sku": "a"}, {"sku": "b"}]}, key="ann")
        >>> [pick(path, record, content) for path in ("user.id", "lines.1.sku", "$key", "$header.lang", "user.name")]
        [5, 'b', 'ann', 'de', nothing]
    """
    first, rest = _split(path)
    if first == "$key":
        return _follow(content.key, rest)
    if first == "$timestamp":
        return record.timestamp_ms
    if first == "$header":
        return record.headers[name].decode(errors="replace") if (name := ".".join(rest)) in record.headers else MISSING
    if first == "$envelope":
        return _follow(content.envelope, rest)
    if first == EACH and element is not MISSING:
        return _follow(element, rest)
    return _follow(content.value, (first, *rest))


def pick_first(paths: Iterable[str], record: ForeignRecord, content: Content, element: Any = MISSING) -> Any:
    """Return what stands at the first path where something does."""
    for path in paths:
        if (found := pick(path, record, content, element)) is not MISSING:
            return found
    return MISSING


@lru_cache(maxsize=4096)
def _split(path: str) -> tuple[str, tuple[str, ...]]:
    first, *rest = path.split(".")
    return first, tuple(rest)


def _follow(value: Any, names: Iterable[str]) -> Any:
    names = tuple(names)
    for place, name in enumerate(names):
        if isinstance(value, Mapping):
            if name not in value and (whole := ".".join(names[place:])) in value:
                return MISSING if value[whole] is None else value[whole]  # a name with dots in it
            value = value.get(name)
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return MISSING if value is None else value
