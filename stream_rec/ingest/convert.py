"""Values as others have them, made what our fields expect; what cannot be made so is left for the reader to name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from stream_rec.fields.read import IS_NUMBER

MILLISECONDS_FROM, MICROSECONDS_FROM, NANOSECONDS_FROM = 10**11, 10**14, 10**17
"""Times from here on are so fine: as milliseconds they would be of the years 1973, 5138 and beyond."""
_SEPARATOR = re.compile(r"\s*[|,;]\s*")
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "y", "1", "active", "available", "in_stock", "instock", "in stock"), True),
    **dict.fromkeys(("false", "no", "n", "0", "inactive", "unavailable", "out_of_stock", "outofstock", "out of stock",
                     "sold_out", "discontinued"), False),
}  # fmt: skip


def to_id(value: Any) -> Any:
    """Return an id as text.

    Example:
        >>> to_id(42), to_id("42"), to_id(True), to_id(4.0)
        ('42', '42', True, 4.0)
    """
    return str(value) if (isinstance(value, int) and not isinstance(value, bool)) or isinstance(value, UUID) else value


def to_time(value: Any) -> Any:
    """Return a time in milliseconds since 1970, UTC; a text that is no number stays one.

    Whether a number is of seconds, milliseconds, microseconds or nanoseconds is seen from its size: each of them is of
    a time after 1973 and before the year 5138.

    Example:
        >>> to_time(1714564800), to_time(1714564800.5), to_time("1714564800000"), to_time(1714564800000000)
        (1714564800000, 1714564800500, 1714564800000, 1714564800000)
        >>> to_time("2024-05-01T12:00:00Z")
        '2024-05-01T12:00:00Z'
    """
    if isinstance(value, datetime):
        value = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return round(value.timestamp() * 1000)
    if isinstance(value, date):
        return to_time(datetime.combine(value, time(), UTC))
    if isinstance(value, str) and IS_NUMBER.fullmatch(value):
        value = float(value) if set(value) & set(".eE") else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return value
    if abs(value) < MILLISECONDS_FROM:
        return round(value * 1000)
    if abs(value) < MICROSECONDS_FROM:
        return round(value)
    return round(value / (1000 if abs(value) < NANOSECONDS_FROM else 1_000_000))


def to_number(value: Any) -> Any:
    """Return a number as float.

    Example:
        >>> to_number("34.90"), to_number("cheap")
        (34.9, 'cheap')
    """
    if isinstance(value, Decimal) or (isinstance(value, str) and IS_NUMBER.fullmatch(value)):
        return float(value)
    return value


def to_text(value: Any) -> Any:
    """Return a text; a list of texts, as of paragraphs, is one.

    Example:
        >>> to_text(["Blue.", "Holds a litre."]), to_text(7)
        ('Blue. Holds a litre.', '7')
    """
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return str(value) if isinstance(value, int | float | Decimal | UUID) and not isinstance(value, bool) else value


def to_texts(value: Any) -> Any:
    """Return a list of texts.

    Example:
        >>> to_texts("tea, blue"), to_texts(["tea", 7]), to_texts(7)
        (['tea', 'blue'], ['tea', '7'], ['7'])
    """
    if isinstance(value, str):
        return [part for part in _SEPARATOR.split(value.strip()) if part]
    return [to_text(each) for each in value] if isinstance(value, list | tuple) else [to_text(value)]


def to_truth(value: Any) -> Any:
    """Return whether something is so; a number, as of what is in stock, is so above 0.

    Example:
        >>> to_truth("in_stock"), to_truth(0), to_truth(12), to_truth("perhaps")
        (True, False, True, 'perhaps')
    """
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower(), value)
    return value > 0 if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def to_plain(value: Any) -> Any:
    """Return what JSON can say, as Avro's and Protobuf's values can be more."""
    if isinstance(value, Mapping):
        return {str(name): to_plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value
