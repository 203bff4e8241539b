"""Sums that fade, by number: how much came with something, kept with the item that it came to.

What it came with (a query, a context) is a number made of its text; the text itself goes no further. A sum is a
function of the set of its changes alone, whatever order they came in.
"""

from __future__ import annotations

import hashlib
import math
from typing import Annotated

from msgspec import Meta

from stream_rec.knowledge.popularity import HOUR_MS

HALF_LIFE_MS = 180 * 24 * HOUR_MS
"""What users chose is forgotten by half in so long. For queries never forgetting was a little better on entree_chicago,
which does not change in three years; 30 days were a little worse."""
BYTES = 7

Number = Annotated[int, Meta(ge=0, lt=2 ** (8 * BYTES))]
Fading = tuple[int, float, int]
"""Sum, the same fading, and as of when, in ms. The integer is exact; it may be negative, or 0 beside a sum that is not,
where a correction overtakes what it corrects."""
NOTHING = 1e-9
"""A sum this small is float rounding: 8 and -8 a few milliseconds apart leave as much."""


def number_of(text: str, n_bytes: int = BYTES) -> int:
    """Return the number of a text, below 256 to the power of ``n_bytes``."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=n_bytes).digest(), "big")


def add(fading: Fading | None, at_ms: int, change: int) -> Fading | None:
    """Return the sum after one more, or one less, at a time, in any order; None where nothing is left."""
    weight, total, last_ms = fading or (0, 0.0, at_ms)
    newest_ms = max(last_ms, at_ms)
    weight += change
    total *= 2.0 ** -((newest_ms - last_ms) / HALF_LIFE_MS)
    total += change * 2.0 ** -((newest_ms - at_ms) / HALF_LIFE_MS)
    return None if weight == 0 and abs(total) < NOTHING else (weight, total, newest_ms)


def add_to(sums: dict[int, Fading], number: int, at_ms: int, change: int) -> None:
    """Add to the sum of one number, in place; what is nothing then is taken out."""
    after = add(sums.get(number), at_ms, change)
    if after is not None:
        sums[number] = after
    else:
        sums.pop(number, None)


def level(fading: Fading) -> float:
    """Return log2 of the fading sum carried back to time 0, as ``popularity.levels`` does; -inf where it is not
    above 0."""
    _, total, last_ms = fading
    return math.log2(total) + last_ms / HALF_LIFE_MS if total > 0 else -math.inf


def cut(sums: dict[int, Fading], bound: int) -> dict[int, Fading]:
    """Return the ``bound`` largest sums, where there are more than twice as many."""
    if len(sums) <= 2 * bound:
        return sums
    return dict(sorted(sums.items(), key=lambda pair: (-level(pair[1]), pair[0]))[:bound])
