"""Queries: what users chose after they had asked for something, as sums that fade, kept with the item that was chosen.

A query is a number, made of its words whatever their order; asked about an item ("like this one, but cheaper") it is
one more number. The text itself never leaves the state of the user who typed it.
"""

from __future__ import annotations

import hashlib
import math
from typing import Annotated

from msgspec import Meta

from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.words import split_words

HALF_LIFE_MS = 180 * 24 * HOUR_MS
"""What users chose is forgotten by half in so long. Never forgetting was a little better on entree_chicago, which does
not change in three years; 30 days were a little worse."""
_BYTES = 7

QueryNumber = Annotated[int, Meta(ge=0, lt=2 ** (8 * _BYTES))]
Answers = tuple[int, float, int]
"""Summed weight of the events that answer a query, the same fading, and as of when, in ms. The integer is exact; it may
be negative, or 0 beside a sum that is not, where a correction overtakes what it corrects."""
NOTHING = 1e-9
"""A sum this small is float rounding: 8 and -8 a few milliseconds apart leave as much."""


def numbers_of(query: str, item_id: str | None) -> list[int]:
    """Return the numbers of what was asked, the most special last; none where the query has no word."""
    words = " ".join(sorted(set(split_words(query))))
    if not words:
        return []
    asked = [words] if item_id is None else [words, f"{words}\0{item_id}"]
    return [int.from_bytes(hashlib.blake2b(each.encode(), digest_size=_BYTES).digest(), "big") for each in asked]


def add(answers: Answers | None, at_ms: int, change: int) -> Answers | None:
    """Return the answers after one more, or one less, at a time, in any order; None where none are left."""
    weight, total, last_ms = answers or (0, 0.0, at_ms)
    newest_ms = max(last_ms, at_ms)
    weight += change
    total *= 2.0 ** -((newest_ms - last_ms) / HALF_LIFE_MS)
    total += change * 2.0 ** -((newest_ms - at_ms) / HALF_LIFE_MS)
    return None if weight == 0 and abs(total) < NOTHING else (weight, total, newest_ms)


def level(answers: Answers) -> float:
    """Return log2 of the fading sum carried back to time 0, as ``popularity.levels`` does; -inf where it is not
    above 0."""
    _, total, last_ms = answers
    return math.log2(total) + last_ms / HALF_LIFE_MS if total > 0 else -math.inf
