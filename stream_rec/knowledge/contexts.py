"""Contexts: where and how an event came about (country, device, hour, ...), as sums that fade, kept with its item.

Of an event's ``context`` only those keys count that the settings declare, in their order. A key with a value is a
number whose upper bits are those of the key, so that it says of which key it is; the value itself is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Annotated, Any

from msgspec import Meta

from stream_rec.knowledge.fading import Number, number_of

MOST_KEYS = 8
LONGEST_KEY = 32
LONGEST_VALUE = 64
"""Characters. What is longer is no context but a name or a text, and does not count."""
KEYS_PATTERN = rf"^$|^[^,\s]{{1,{LONGEST_KEY}}}(,[^,\s]{{1,{LONGEST_KEY}}}){{0,{MOST_KEYS - 1}}}$"
_KEY_BYTES, _VALUE_BYTES = 2, 5
_VALUES: int = 256**_VALUE_BYTES

ContextNumbers = Annotated[tuple[Number, ...], Meta(max_length=MOST_KEYS)]
"""By declared key, 0 where nothing was said of it; those behind the last that something was said of are left out."""


def numbers_of(context: Mapping[str, Any], keys: str) -> tuple[int, ...]:
    """Return the numbers of what a context says of the declared keys: ``ContextNumbers``.

    >>> numbers_of({"session": "s-3"}, "country,device")
    ()
    >>> [number > 0 for number in numbers_of({"device": "phone", "session": "s-3"}, "country,device")]
    [False, True]

    Args:
        keys: Their names, with commas between.
    """
    if not context or not keys:
        return ()
    numbers = [_number_in(context, key) for key in keys.split(",")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def fill_in(numbers: Sequence[int], others: Sequence[int]) -> Sequence[int]:
    """Return ``numbers``, and those of ``others`` for keys of which they say nothing.

    >>> fill_in((5, 0), (6, 7, 8))
    (5, 7, 8)
    """
    if not others:
        return numbers
    return tuple(one or other for one, other in zip_longest(numbers, others, fillvalue=0))


def key_of(number: int) -> int:
    """Return the number of the key itself, with whatever value."""
    return number - number % _VALUES


def said(numbers: Sequence[int]) -> list[int]:
    """Return those that something was said of, each once."""
    return list(dict.fromkeys(filter(None, numbers)))


def _number_in(context: Mapping[str, Any], key: str) -> int:
    """Return the number of what a context says of one key, 0 where that is nothing, or no text, number or truth."""
    value = context.get(key)
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int) and abs(value) < 2**63:
        value = str(value)
    if not isinstance(value, str) or len(value) > LONGEST_VALUE or not value.strip():
        return 0
    return _number(key, value)


@lru_cache(maxsize=4096)
def _number(key: str, value: str) -> int:
    number: int = number_of(key, _KEY_BYTES) * _VALUES + 1 + number_of(value, _VALUE_BYTES) % (_VALUES - 1)
    return number
